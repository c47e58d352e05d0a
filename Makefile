# Parley. The targets that people type: make, make run, make test, make check, make install. docs/build.md says more.

# --- what you may want to change: make run APP_PORT=9000 ---------------------------------------------------------------
PREFIX   ?= /usr/local
# SERVER: lighttpd or apache; MODE: fastcgi, cgi, and with apache fcgid
SERVER   ?= lighttpd
MODE     ?= fastcgi
CFLAGS   ?= -O2 -g
TESTS    ?=                       # one test by name: make test TESTS='reload keeps everything'
HOSTING  ?=                       # where HTTP tests run: all, or names such as apache-cgi (tests/run-tests.sh)

# --- nothing below needs changing ---------------------------------------------------------------------------------------
VERSION  := 0.1.0
BUILD    ?= build
BIN      ?= cgi-bin
LIBS     := fcgi libcurl json-c sqlite3
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wformat=2 -Wno-format-nonliteral -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla
HARDEN   := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
CPPFLAGS += -D_GNU_SOURCE -DPARLEY_VERSION='"$(VERSION)"' -I$(BUILD)
ALL_C     = -std=c11 $(CPPFLAGS) $(WARNINGS) $(HARDEN) $(CFLAGS) $(SANITIZE) -pthread -MMD -MP
LINK      = -pthread -pie -Wl,-z,relro,-z,now $(SANITIZE) $(LDFLAGS)
SOURCES  := $(wildcard src/*/*.c) src/parley.c
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
PROGRAMS := $(patsubst cgi-bin/%.c,$(BIN)/%.fcgi,$(wildcard cgi-bin/*.c))
CGI      := $(PROGRAMS:.fcgi=.cgi)
UNITS    := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))

all: $(PROGRAMS) $(CGI)

$(BIN)/%.fcgi: $(BUILD)/cgi-bin/%.o $(BUILD)/libparley.a
	@mkdir -p $(@D)
	@echo "  $@"
	@$(CC) $(LINK) -o $@ $^ $$(pkg-config --libs $(LIBS) 2>/dev/null || echo -lfcgi -lcurl -ljson-c -lsqlite3) -lm

# The same program under its other name is a plain CGI program.
$(BIN)/%.cgi: $(BIN)/%.fcgi
	@ln -f $< $@

$(BUILD)/libparley.a: $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  $<"
	@$(CC) $(ALL_C) -c -o $@ $<

# The schema as a C string: each line quoted.
$(BUILD)/src/store/upgrade.o: $(BUILD)/schema.inc
$(BUILD)/schema.inc: schema.sql
	@mkdir -p $(@D)
	@sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $< > $@

# --- running -----------------------------------------------------------------------------------------------------------
# Serves in the foreground until Ctrl-C. Host servers hand on next to nothing of their environment, so what is set goes into var/run.env.
run: deps-run all
	@tests/run.sh "$(SERVER)" "$(MODE)"

check: all
	cgi-bin/chat.fcgi --check

# --- testing -----------------------------------------------------------------------------------------------------------
test: deps-test all unit
	HOSTING="$(HOSTING)" tests/run-tests.sh "$(TESTS)"

unit: $(UNITS)
	@for unit in $(UNITS); do $$unit || exit 1; done

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(BUILD)/libparley.a
	@mkdir -p $(@D)
	@echo "  $@"
	@$(CC) $(LINK) -o $@ $^ $$(pkg-config --libs $(LIBS) cmocka) -lm

asan:
	$(MAKE) sanitized BUILD=build/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' CFLAGS='-O1 -g -fno-omit-frame-pointer -U_FORTIFY_SOURCE' SCALE=4
tsan:
	$(MAKE) sanitized BUILD=build/tsan SANITIZE=-fsanitize=thread CFLAGS='-O1 -g -U_FORTIFY_SOURCE' SCALE=6
sanitized: deps-test
	$(MAKE) all unit BIN=$(BUILD)/cgi-bin BUILD=$(BUILD)
	PARLEY_PROGRAM=$(CURDIR)/$(BUILD)/cgi-bin/chat.fcgi PARLEY_TEST_TIMEOUT_SCALE=$(SCALE) HOSTING="$(HOSTING)" tests/run-tests.sh "$(TESTS)" http

readme: all
	tests/readme.sh

bench: all
	@node tests/bench/bench.js $(PARTS)

lint: $(BUILD)/schema.inc
	tests/lint.sh

# --- setting up --------------------------------------------------------------------------------------------------------
deps-run:
	@tests/deps.sh run "$(SERVER)" "$(MODE)"
deps-test:
	@tests/deps.sh test

install: all
	install -d $(DESTDIR)$(PREFIX)/lib/parley/cgi-bin
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/lib/parley/cgi-bin
	for program in $(basename $(notdir $(PROGRAMS))); do ln -f $(DESTDIR)$(PREFIX)/lib/parley/cgi-bin/$$program.fcgi $(DESTDIR)$(PREFIX)/lib/parley/cgi-bin/$$program.cgi; done
	cp -R www lighttpd.conf apache.conf schema.sql .env.example $(DESTDIR)$(PREFIX)/lib/parley

# The page and the plain CGI program as one folder to put on shared hosting: make site DEST=~/public_html/chat
site: all
	@test -n "$(DEST)" || { echo "make site needs DEST=folder" >&2; exit 2; }
	install -d $(DEST)/cgi-bin
	cp -R www/. $(DEST)
	rm -f $(DEST)/package.json $(DEST)/package-lock.json
	install -m 755 $(BIN)/chat.cgi $(DEST)/cgi-bin
	install -m 644 cgi-bin/.htaccess $(DEST)/cgi-bin
	@echo "Ready: $(DEST). Settings go into $(DEST)/.env (mode 0600); docs/hosting.md says more."

clean:
	rm -rf build $(PROGRAMS) $(CGI)

.PHONY: all run check test unit asan tsan sanitized readme bench lint deps-run deps-test install site clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
