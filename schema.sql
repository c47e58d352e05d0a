-- Parley's database: one SQLite file that holds everything a user has.
--
-- This file is embedded in the program and is what the tests load; `sqlite3 new.db < schema.sql` makes the same database. Times are milliseconds
-- since 1970-01-01 UTC. `public_id` is what clients see; `id` never leaves the program. An existing file is brought up to date by the numbered steps in
-- src/store/upgrade.c, after a copy was made. docs/store.md says why things are as they are.

PRAGMA user_version = 6;

-- Who may have conversations. Rows appear when somebody asks for the first time.
CREATE TABLE users (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,   -- REMOTE_USER as the host server gave it; '' is the one local user of a server without sign-in
    created_at INTEGER NOT NULL
);

CREATE TABLE conversations (
    id          INTEGER PRIMARY KEY,
    public_id   TEXT NOT NULL UNIQUE,
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,   -- the owner: every query names it
    title       TEXT NOT NULL DEFAULT '',          -- '' until the first message gives it one
    title_search TEXT,                             -- as messages.search_text, for the title
    metadata    TEXT NOT NULL DEFAULT '{}',        -- a JSON object of the client's own
    pinned      INTEGER NOT NULL DEFAULT 0,        -- 0 or 1
    archived    INTEGER NOT NULL DEFAULT 0,        -- 0 or 1
    unread      INTEGER NOT NULL DEFAULT 0,        -- 1: an answer has ended since the user last looked, asked or said so
    rolling_for TEXT,                              -- the user_id of POST /chat whose rolling conversation this is; NULL: none
    leaf_id     INTEGER REFERENCES messages (id) ON DELETE SET NULL,        -- the message that a new one follows when no parent is named
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,                  -- last message; the list is ordered by it
    -- The rowid of the title in search_index: see there. NULL: not in it.
    search_id   INTEGER GENERATED ALWAYS AS (
                    CASE WHEN title <> '' AND user_id < 1048576 AND id < 33554432 THEN (user_id << 43) | (id << 18) END) VIRTUAL,
    UNIQUE (id, user_id)                           -- what messages refer to
);

-- The list of one user, newest first; the rest is what it is filtered by, so that rows that are left out are not read.
CREATE INDEX conversations_by_user ON conversations (user_id, updated_at DESC, id DESC, archived, pinned);
-- One rolling conversation for each user_id of an owner.
CREATE UNIQUE INDEX conversations_rolling ON conversations (user_id, rolling_for) WHERE rolling_for IS NOT NULL;
-- For ON DELETE SET NULL.
CREATE INDEX conversations_by_leaf ON conversations (leaf_id) WHERE leaf_id IS NOT NULL;

-- The messages of a conversation are a tree: editing a question or asking again adds a branch and loses nothing.
CREATE TABLE messages (
    id                INTEGER PRIMARY KEY,
    public_id         TEXT NOT NULL UNIQUE,
    conversation_id   INTEGER NOT NULL,
    user_id           INTEGER NOT NULL,            -- the conversation's owner, repeated for search_id
    seq               INTEGER NOT NULL CHECK (seq > 0),            -- 1, 2, 3 … in a conversation: the order of writing, whatever the clock does
    parent_id         INTEGER REFERENCES messages (id),            -- the message before it; NULL: the first of a branch
    role              TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
    content           TEXT NOT NULL DEFAULT '',
    search_text       TEXT,                        -- content with characters of scripts without spaces set apart; NULL: content has none
    status            TEXT NOT NULL DEFAULT 'done'
                      CHECK (status IN ('streaming', 'done', 'error', 'stopped', 'interrupted')),
    provider          TEXT,                        -- of an answer: who gave it, by its id in the catalogue
    model             TEXT,                        -- of an answer: the model that gave it, as the provider names it
    finish_reason     TEXT,                        -- of a finished answer: stop, length, tool_calls, content_filter
    prompt_tokens     INTEGER,                     -- usage as the provider counted it; NULL: it did not say
    completion_tokens INTEGER,
    cached_tokens     INTEGER,                     -- part of prompt_tokens
    reasoning_tokens  INTEGER,                     -- part of completion_tokens
    usage_estimated   INTEGER NOT NULL DEFAULT 0,  -- 1: by us, because the provider did not count
    cost              REAL,                        -- in US dollars; NULL: not known
    calls             TEXT,                        -- the tools that the model wanted called: a JSON array of {id, name, arguments, state}; NULL: none
    state             TEXT,                        -- what the provider wants back with this answer: JSON, opaque to us; NULL: nothing …
    state_wire        TEXT,                        -- … and the wire that understands it
    events            TEXT,                        -- what an answer shows beside its text: a JSON array of {type, content}; NULL: nothing
    steps             TEXT,                        -- of an answer, what happened before its final text when tools ran; of a question, other words that models get instead:
                                                   -- a JSON array of messages, opaque to SQL; NULL: nothing
    app_state         TEXT,                        -- an application's own state after this answer: a JSON object; NULL: none
    client_id         TEXT,                        -- the id that a client chose for the answer; need not be unique; NULL: none
    reasoning         TEXT,                        -- the model's thinking text, kept apart from the answer; NULL: none
    error_code        TEXT,                        -- of status 'error' and 'interrupted': the code of docs/api.md …
    error_message     TEXT,                        -- … and sentence
    metadata          TEXT NOT NULL DEFAULT '{}',  -- a JSON object that came with the message
    attachments       TEXT,                        -- of a question: what came with it, a JSON array of {type, url}; NULL: nothing
    process           TEXT,                        -- which process makes the answer
    seen_at           INTEGER,                     -- its heartbeat; where a process has no lock (network file systems), an old one of a streaming answer says that it was lost
    stop              INTEGER NOT NULL DEFAULT 0,  -- 1: the user pressed Stop; the process that makes the answer reads it
    address           TEXT,                        -- of a streaming answer: from where it was asked for, to count by; NULL: finished, or not counted
    detached          INTEGER NOT NULL DEFAULT 0,  -- 1: nobody followed the answer from its beginning, so its stream can be read from there at any time
    layout            TEXT,                        -- of a finished answer: how its log was made of text, thinking and events (src/chat/layout.h); NULL: of text alone
    created_at        INTEGER NOT NULL,
    finished_at       INTEGER,                     -- of an answer: when its status became final
    -- The rowid of the content in search_index: see there. NULL: not in it.
    search_id         INTEGER GENERATED ALWAYS AS (
                          CASE WHEN content <> '' AND user_id < 1048576 AND conversation_id < 33554432 AND seq < 262144
                               THEN (user_id << 43) | (conversation_id << 18) | seq END) VIRTUAL,
    UNIQUE (conversation_id, seq),
    FOREIGN KEY (conversation_id, user_id) REFERENCES conversations (id, user_id) ON DELETE CASCADE
);

CREATE INDEX messages_by_parent ON messages (parent_id);
-- How the newest answer of a conversation stands, without reading the answer.
CREATE INDEX messages_answers ON messages (conversation_id, seq, status) WHERE role = 'assistant';
-- Answers by the id that a client chose.
CREATE INDEX messages_by_client_id ON messages (user_id, client_id) WHERE client_id IS NOT NULL;
-- The few that are being written now.
CREATE INDEX messages_streaming ON messages (process) WHERE status = 'streaming';

-- What running answers have said so far, written a few times a second; the end of an answer takes its rows away (src/chat/journal.h).
CREATE TABLE journal (
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    pos        INTEGER NOT NULL,       -- position in the answer's log before it
    kind       TEXT NOT NULL,          -- 'text', 'reasoning', or the type of an event
    data       TEXT NOT NULL,          -- the text, or the event's content: a JSON object
    PRIMARY KEY (message_id, pos)
) WITHOUT ROWID;

-- Questions that came with an Idempotency-Key: one that comes again is given the answer to the first. Kept for a day.
CREATE TABLE repeats (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key        TEXT NOT NULL,          -- the client's
    body_hash  TEXT NOT NULL,          -- SHA-256 of what was asked, in hexadecimal digits
    message_id INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,              -- the answer
    created_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) WITHOUT ROWID;

CREATE INDEX repeats_by_message ON repeats (message_id);
CREATE INDEX repeats_by_age ON repeats (created_at);

-- How often somebody asked in the current minute. Rows of earlier minutes mean nothing.
CREATE TABLE rates (
    who      TEXT PRIMARY KEY,         -- 'user N' (users.id) or 'address A'
    minute   INTEGER NOT NULL,         -- minutes since 1970-01-01 UTC
    requests INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX rates_by_minute ON rates (minute);

-- What users think of answers: the last that each has said.
CREATE TABLE feedback (
    id              INTEGER PRIMARY KEY,
    user_id         INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,            -- who thinks so
    conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,    -- the message's
    message_id      INTEGER NOT NULL REFERENCES messages (id) ON DELETE CASCADE,         -- of what: an answer
    kind            TEXT NOT NULL CHECK (kind IN ('like', 'dislike')),
    payload         TEXT NOT NULL DEFAULT '{}',    -- what was said with it, the fields of a form: a JSON object
    created_at      INTEGER NOT NULL,
    UNIQUE (message_id, user_id)
);

-- For ON DELETE CASCADE.
CREATE INDEX feedback_by_conversation ON feedback (conversation_id);

-- Secrets that the program made for itself, shared by all processes. Whoever reads this file can sign in the program's name.
CREATE TABLE keys (
    name       TEXT PRIMARY KEY,       -- what it is for
    value      TEXT NOT NULL CHECK (length(value) = 64),           -- 32 random bytes in hexadecimal digits
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What was used, by user, day and model: a row is added to with every answer that ends. Deleting conversations takes nothing away.
CREATE TABLE usage_days (
    user_id           INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    day               INTEGER NOT NULL,            -- days since 1970-01-01 UTC
    provider          TEXT NOT NULL,
    model             TEXT NOT NULL,
    answers           INTEGER NOT NULL DEFAULT 0,  -- in which the model had a part
    prompt_tokens     INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cost              REAL NOT NULL DEFAULT 0,     -- of the answers whose cost is known
    PRIMARY KEY (user_id, day, provider, model)
) WITHOUT ROWID;

-- What GET /metrics shows, summed over all processes. They add to it from time to time.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,            -- the series as Prometheus names it
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- Full-text search over titles and messages. The rowid says whose row it is and where it belongs: user (20 bits), conversation (25), seq (18, 0 is the
-- title). So a search looks only at the range of its user, and finds conversations without touching a message. The triggers need nothing but SQLite
-- itself. Never use INSERT OR REPLACE on the two tables, and change a text and its *_search column in one UPDATE: the index would keep the old words.
-- Do not read columns of search_index. src/store/snippet.c has the arguments of the tokenizer too.
CREATE VIEW search_source (search_id, body) AS
    SELECT search_id, coalesce(search_text, content) FROM messages WHERE search_id IS NOT NULL
    UNION ALL
    SELECT search_id, coalesce(title_search, title) FROM conversations WHERE search_id IS NOT NULL;

CREATE VIRTUAL TABLE search_index USING fts5 (
    body, content = 'search_source', content_rowid = 'search_id', columnsize = 0,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"   -- marks are letters: Thai and Indic words need them
);

CREATE TRIGGER messages_search_insert AFTER INSERT ON messages WHEN new.search_id IS NOT NULL BEGIN
    INSERT INTO search_index (rowid, body) VALUES (new.search_id, coalesce(new.search_text, new.content));
END;
CREATE TRIGGER messages_search_delete AFTER DELETE ON messages WHEN old.search_id IS NOT NULL BEGIN
    INSERT INTO search_index (search_index, rowid, body) VALUES ('delete', old.search_id, coalesce(old.search_text, old.content));
END;
CREATE TRIGGER messages_search_update AFTER UPDATE OF content, search_text, user_id, conversation_id, seq ON messages BEGIN
    INSERT INTO search_index (search_index, rowid, body)
        SELECT 'delete', old.search_id, coalesce(old.search_text, old.content) WHERE old.search_id IS NOT NULL;
    INSERT INTO search_index (rowid, body)
        SELECT new.search_id, coalesce(new.search_text, new.content) WHERE new.search_id IS NOT NULL;
END;

CREATE TRIGGER conversations_search_insert AFTER INSERT ON conversations WHEN new.search_id IS NOT NULL BEGIN
    INSERT INTO search_index (rowid, body) VALUES (new.search_id, coalesce(new.title_search, new.title));
END;
CREATE TRIGGER conversations_search_delete AFTER DELETE ON conversations WHEN old.search_id IS NOT NULL BEGIN
    INSERT INTO search_index (search_index, rowid, body) VALUES ('delete', old.search_id, coalesce(old.title_search, old.title));
END;
CREATE TRIGGER conversations_search_update AFTER UPDATE OF title, title_search, user_id, id ON conversations BEGIN
    INSERT INTO search_index (search_index, rowid, body)
        SELECT 'delete', old.search_id, coalesce(old.title_search, old.title) WHERE old.search_id IS NOT NULL;
    INSERT INTO search_index (rowid, body)
        SELECT new.search_id, coalesce(new.title_search, new.title) WHERE new.search_id IS NOT NULL;
END;
