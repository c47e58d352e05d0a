# Parley. The targets that people type: make, make run, make test, make check, make install. docs/build.md says more.

# --- what you may want to change: make run APP_PORT=9000 ---------------------------------------------------------------
PREFIX   ?= /usr/local
# SERVER: lighttpd or apache; MODE: fastcgi, cgi, and with apache fcgid
SERVER   ?= lighttpd
MODE     ?= fastcgi
CFLAGS   ?= -O2 -g
TESTS    ?=                       # one test by name: make test TESTS='reload keeps everything'
FUZZ_SECONDS ?= 30                # of each target of make fuzz
FUZZ_RUNS ?=                      # or so many executions of each: make fuzz FUZZ_RUNS=1000000
FUZZ_BYTES ?= 4096                # of the longest input
ROUNDS   ?= 200                   # of make crash
HOSTING  ?=                       # where HTTP tests run: all, or names such as apache-cgi (tests/run-tests.sh)

# --- nothing below needs changing ---------------------------------------------------------------------------------------
VERSION  := 0.1.0
BUILD    ?= build
BIN      ?= cgi-bin
LIBS     := fcgi libcurl json-c sqlite3 libcrypto
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wformat=2 -Wno-format-nonliteral -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla
# what this compiler can do of the usual hardening; -D_FORTIFY_SOURCE=3 came with gcc 12, others take it for 2
accepted  = $(shell $(CC) -Werror $(1) -x c -c -o /dev/null /dev/null 2>/dev/null && echo '$(1)')
HARDEN   := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(shell echo __GNUC__ | $(CC) -E -P - | awk '{print ($$1 >= 12 ? 3 : 2)}') -fstack-protector-strong -fPIE -Werror=format-security \
            $(foreach flag,-fstack-clash-protection -fcf-protection -mbranch-protection=standard,$(call accepted,$(flag)))
CPPFLAGS += -D_GNU_SOURCE -DPARLEY_VERSION='"$(VERSION)"' -I$(BUILD) -Isrc
ALL_C     = -std=c11 $(CPPFLAGS) $(WARNINGS) $(HARDEN) $(CFLAGS) $(SANITIZE) -pthread -MMD -MP
LINK      = -pthread -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code $(SANITIZE) $(LDFLAGS)
SOURCES  := $(wildcard src/*/*.c) src/parley.c
OBJECTS  := $(SOURCES:%.c=$(BUILD)/%.o)
PROGRAMS := $(patsubst cgi-bin/%.c,$(BIN)/%.fcgi,$(wildcard cgi-bin/*.c))
CGI      := $(PROGRAMS:.fcgi=.cgi)
APPS     := $(patsubst %.c,$(BUILD)/apps/%/chat.fcgi,$(notdir $(wildcard docs/examples/*.c tests/apps/*.c)))
WIRES    := openai responses anthropic gemini bedrock ollama cohere
PARSERS  := multipart sse ndjson event_stream chunk think utf8 json search snippet sigv4 colour theme provider_error query router cors settings config ui_config catalogue hook hook_config \
            chat_body completions_body ragbits_body steps state event attachments embed model_list models layout address request
FUZZED   := $(WIRES) $(PARSERS)
FUZZ     := $(FUZZED:%=$(BUILD)/fuzz/%)
UNITS    := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
VENDOR   := www/vendor/markdown-it.js

all: $(PROGRAMS) $(CGI) page

# The page as it is served: www/assets/VERSION/ with what it loads (css, js, vendor, i18n, icons), and www/index.html, which is www/page.html with that folder's
# addresses. docs/build.md says why.
page: vendor
	@tests/page.sh

define LINK_PROGRAM
	@mkdir -p $(@D)
	@echo "  $@"
	@$(CC) $(LINK) -o $@ $^ $$(pkg-config --libs $(LIBS) 2>/dev/null || echo -lfcgi -lcurl -ljson-c -lsqlite3 -lcrypto) -lm
endef
$(BIN)/%.fcgi: $(BUILD)/cgi-bin/%.o $(BUILD)/libparley.a
	$(LINK_PROGRAM)

# Programs of docs/examples/ and tests/apps/, for tests. (A copy of one in cgi-bin/ is a program like chat.c.)
$(BUILD)/apps/%/chat.fcgi: $(BUILD)/docs/examples/%.o $(BUILD)/libparley.a
	$(LINK_PROGRAM)
	@ln -f $@ $(@:.fcgi=.cgi)
$(BUILD)/apps/%/chat.fcgi: $(BUILD)/tests/apps/%.o $(BUILD)/libparley.a
	$(LINK_PROGRAM)
	@ln -f $@ $(@:.fcgi=.cgi)
# The chat again, with the points at which tests kill it (src/base/crash_point.h).
$(BUILD)/apps/crash/chat.fcgi: $(OBJECTS) $(BUILD)/libparley.a | page
	@$(MAKE) --no-print-directory all BUILD=$(BUILD)/crash BIN=$(@D) CFLAGS='$(CFLAGS) -DPARLEY_TEST_CRASH'
apps: $(APPS) $(BUILD)/apps/crash/chat.fcgi

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

# Texts that are embedded as C strings: each line quoted.
QUOTE    := sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/'
INCLUDED := $(BUILD)/schema.inc $(BUILD)/providers.inc $(BUILD)/models.inc
$(BUILD)/src/store/upgrade.o: $(BUILD)/schema.inc
$(BUILD)/src/llm/catalogue.o: $(BUILD)/providers.inc
$(BUILD)/src/llm/model.o: $(BUILD)/models.inc
$(BUILD)/schema.inc: schema.sql
	@mkdir -p $(@D)
	@$(QUOTE) $< > $@
$(BUILD)/%.inc: src/llm/%.json
	@mkdir -p $(@D)
	@$(QUOTE) $< > $@

# What the page needs of other people's packages: made anew when www/package-lock.json changes, and compared with www/vendor.sha256.
vendor: $(VENDOR)
$(VENDOR): www/package-lock.json www/vendor.sha256 tests/vendor.sh
	@tests/vendor.sh
# After another version in www/package.json and package-lock.json: look at what has changed, then make the list anew.
vendor-sums:
	@tests/vendor.sh --renew

# --- running -----------------------------------------------------------------------------------------------------------
# Serves in the foreground until Ctrl-C. Host servers hand on next to nothing of their environment, so what is set goes into var/run.env.
run: deps-run all
	@tests/run.sh "$(SERVER)" "$(MODE)"

check: all
	cgi-bin/chat.fcgi --check

# --- testing -----------------------------------------------------------------------------------------------------------
test: deps-test all apps unit
	@$(if $(strip $(TESTS)),:,$(MAKE) --no-print-directory torture PART=4)
	HOSTING="$(HOSTING)" tests/run-tests.sh "$(TESTS)"

unit: $(UNITS) $(FUZZ)
	@for unit in $(UNITS); do $$unit || exit 1; done
	@for parser in $(FUZZED); do $(BUILD)/fuzz/$$parser tests/fuzz/seeds/$$parser/* || exit 1; done

# Every parser and the way of a request under libFuzzer (clang), from the seeds on: make fuzz FUZZ_SECONDS=600, make fuzz FUZZ_RUNS=1000000 PARSER=multipart.
# A target has a source of its own, or is a wire. FUZZ_RUNS counts executions instead of seconds.
FUZZER   := $(BUILD)/fuzzer
FUZZ_C   := clang -std=c11 $(CPPFLAGS) -g -O2 -pthread
FUZZ_LIB := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
fuzz: $(patsubst %,$(FUZZER)/%,$(or $(PARSER),$(FUZZED)))
	@for target in $^; do \
	    name=$$(basename $$target) && mkdir -p $(BUILD)/corpus/$$name && echo "  fuzzing $$name" && dictionary=tests/fuzz/dictionaries/$$name.dict && \
	    $$target $(if $(FUZZ_RUNS),-runs=$(FUZZ_RUNS),-max_total_time=$(FUZZ_SECONDS)) -max_len=$(FUZZ_BYTES) -rss_limit_mb=1024 -timeout=10 -artifact_prefix=$(FUZZER)/$$name- \
	        $$(test -f $$dictionary && echo -dict=$$dictionary) -verbosity=0 -print_final_stats=1 $(BUILD)/corpus/$$name tests/fuzz/seeds/$$name || exit 1; \
	done
fuzzers: $(FUZZED:%=$(FUZZER)/%)
$(FUZZED:%=$(FUZZER)/%): $(FUZZER)/%: $(wildcard tests/fuzz/*.[ch] src/*/*.h src/*.h) $(FUZZER)/libparley.a
	@echo "  $@"
	@$(FUZZ_C) $(FUZZ_LIB) -fsanitize=fuzzer -DWIRE=wire_$* -o $@ $(or $(wildcard tests/fuzz/$*.c),tests/fuzz/wire.c) $(FUZZER)/libparley.a $$(pkg-config --libs $(LIBS) 2>/dev/null || echo -lfcgi -lcurl -ljson-c -lsqlite3 -lcrypto) -lm
$(FUZZER)/libparley.a: $(OBJECTS:$(BUILD)/%=$(FUZZER)/%)
	@rm -f $@
	@ar rcs $@ $^
$(OBJECTS:$(BUILD)/%=$(FUZZER)/%): $(FUZZER)/%.o: %.c $(INCLUDED)
	@mkdir -p $(@D)
	@echo "  $<"
	@$(FUZZ_C) $(FUZZ_LIB) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(FUZZ): $(BUILD)/fuzz/%: $(wildcard tests/fuzz/*.[ch]) $(BUILD)/libparley.a
	@mkdir -p $(@D)
	@$(CC) $(filter-out -MMD -MP,$(ALL_C)) -DWIRE=wire_$* $(LINK) -o $@ $(or $(wildcard tests/fuzz/$*.c),tests/fuzz/wire.c) tests/fuzz/replay.c $(BUILD)/libparley.a $$(pkg-config --libs $(LIBS)) -lm

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(BUILD)/libparley.a
	@mkdir -p $(@D)
	@echo "  $@"
	@$(CC) $(LINK) -o $@ $^ $$(pkg-config --libs $(LIBS) cmocka) -lm

# Faults in the middle of requests: every one (make torture, with sanitizers), a random one of four (make torture PART=4, as `make test` does, without).
WRAPPED  := mem_new mem_resize mem_copy mem_free clock_mono_ms clock_sleep_ms db_read db_write counter_save
TORTURE   = $(BUILD)/torture $(if $(PART),--part $(PART)) $(if $(TORTURE_SEED),--seed $(TORTURE_SEED)) $(if $(ONLY),--only $(ONLY)) $(if $(SHOW),--show)
$(BUILD)/torture: $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/torture/*.c)) $(BUILD)/libparley.a
	@echo "  $@"
	@$(CC) $(filter-out -pie,$(LINK)) -no-pie $(WRAPPED:%=-Wl,--wrap=%) -o $@ $^ $$(pkg-config --libs $(LIBS)) -lm
torture:
ifeq ($(SANITIZE)$(PART),)
	@$(MAKE) --no-print-directory torture BUILD=build/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' CFLAGS='-O1 -g -fno-omit-frame-pointer -U_FORTIFY_SOURCE'
else
	@$(MAKE) --no-print-directory $(BUILD)/torture
	@$(TORTURE)
endif

asan:
	$(MAKE) sanitized BUILD=build/asan SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined' CFLAGS='-O1 -g -fno-omit-frame-pointer -U_FORTIFY_SOURCE' SCALE=4
tsan:
	$(MAKE) sanitized BUILD=build/tsan SANITIZE=-fsanitize=thread CFLAGS='-O1 -g -U_FORTIFY_SOURCE' SCALE=6
sanitized: deps-test
	$(MAKE) all apps unit BIN=$(BUILD)/cgi-bin BUILD=$(BUILD)
	PARLEY_TEST_BUILD=$(BUILD) PARLEY_PROGRAM=$(CURDIR)/$(BUILD)/cgi-bin/chat.fcgi PARLEY_TEST_TIMEOUT_SCALE=$(SCALE) HOSTING="$(HOSTING)" tests/run-tests.sh "$(TESTS)" http

# Workers killed at random moments while others write: make crash ROUNDS=200 WRITERS=20 SEED=7
crash: deps-test all
	@ROUNDS="$(ROUNDS)" WRITERS="$(WRITERS)" SEED="$(SEED)" node tests/crash/crash.js

# Draws www/icons/*.png, which are committed, from www/favicon.svg.
icons: deps-test
	@node tests/icons.js

readme: all
	tests/readme.sh

# A picture of every state of the page, into build/screenshots/: make screenshots SCENES='answer usage'
screenshots: deps-test all
	@node tests/browser/screenshots.js $(SCENES)

bench: all
	@node tests/bench/bench.js $(PARTS)

lint: $(INCLUDED)
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
	cp -R lighttpd.conf apache.conf schema.sql .env.example $(DESTDIR)$(PREFIX)/lib/parley
	$(call COPY_PAGE,$(DESTDIR)$(PREFIX)/lib/parley/www)

# The page copied into a folder, which keeps the version that is there for pages that are open.
define COPY_PAGE
install -d $(1)
	rm -rf $(addprefix $(1)/,css js vendor i18n icons)
	cp -R $(filter-out www/assets www/index.html,$(wildcard www/*)) www/.htaccess $(1)
	tests/page.sh $(1)
endef

# The page and the plain CGI program as one folder to put on shared hosting: make site DEST=~/public_html/chat
site: all
	@test -n "$(DEST)" || { echo "make site needs DEST=folder" >&2; exit 2; }
	install -d $(DEST)/cgi-bin
	$(call COPY_PAGE,$(DEST))
	rm -f $(DEST)/package.json $(DEST)/package-lock.json $(DEST)/vendor.*
	install -m 755 $(BIN)/chat.cgi $(DEST)/cgi-bin
	install -m 644 cgi-bin/.htaccess $(DEST)/cgi-bin
	@echo "Ready: $(DEST). Settings go into $(DEST)/.env (mode 0600); docs/hosting.md says more."

clean:
	rm -rf build $(PROGRAMS) $(CGI) www/assets www/index.html

.PHONY: all page vendor vendor-sums apps run check test unit fuzz fuzzers torture crash asan tsan sanitized readme screenshots bench lint icons deps-run deps-test install site clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
