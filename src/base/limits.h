/*
 * Every ceiling of the program, in one place.
 *
 * A buffer is born with one of these (see buf.h), a queue or table is sized by one, a parser stops at one. What an
 * administrator may move is a setting (settings.c) whose default stands there; the ceilings here bound the settings too.
 * Neighbours: everybody. Leaves out: time-outs, which are settings.
 */
#ifndef PARLEY_LIMITS_H
#define PARLEY_LIMITS_H

/* --- what a client may send ------------------------------------------------------------------------------------- */
enum {
    LIMIT_BODY_BYTES = 64 * 1024 * 1024,     /* upper bound of the setting MAX_BODY_BYTES */
    LIMIT_BODY_DRAIN_BYTES = 256 * 1024 * 1024, /* how much of a refused body is read and thrown away */
    LIMIT_JSON_DEPTH = 32,                   /* nesting of a JSON text from outside */
    LIMIT_JSON_VALUES = 50000,               /* values in a JSON text of a client's: each costs up to a kilobyte of memory */
    LIMIT_JSON_CONTAINERS = 200000,          /* objects and arrays in one of a provider's */
    LIMIT_VARIABLES_BYTES = 1024 * 1024,     /* all variables of a plain CGI request */
    LIMIT_REQUEST_HEADERS_BYTES = 64 * 1024, /* headers of a request, as variables; most host servers take less */
    LIMIT_PATH_BYTES = 2048,                 /* path of a request, decoded */
    LIMIT_PATH_SEGMENTS = 8,
    LIMIT_QUERY_BYTES = 8192,                /* query string, encoded */
    LIMIT_QUERY_VALUE_BYTES = 1024,          /* one value of it, decoded */
    LIMIT_ID_BYTES = 64,                     /* any id that a client may send */
    LIMIT_KEY_BYTES = 255,                   /* an Idempotency-Key */
    LIMIT_USER_NAME_BYTES = 256,             /* REMOTE_USER, user_id */
    LIMIT_MODEL_NAME_BYTES = 256,
    LIMIT_PAST_MESSAGES = 2000,              /* that a client brings along */
    LIMIT_TOOLS = 128,
    LIMIT_STOPS = 16,                        /* texts that end an answer */
    LIMIT_EMBEDDED_TEXTS = 2048,             /* in one request for vectors */
    LIMIT_ATTACHMENTS = 10,                  /* that come with one message */
    LIMIT_FORM_PARTS = 64,                   /* parts of one multipart/form-data body */
    LIMIT_PART_HEADERS = 16,                 /* header lines of one part, … */
    LIMIT_PART_HEADER_BYTES = 8 * 1024,      /* … and all of them together */
    LIMIT_FIELD_NAME_BYTES = 256,            /* the name of a part */
    LIMIT_FILE_NAME_BYTES = 1024,            /* file systems allow 255 units, up to three bytes each in UTF-8 */
    LIMIT_MEDIA_TYPE_BYTES = 256,            /* Content-Type of a part */
    LIMIT_TITLE_BYTES = 400,
    LIMIT_METADATA_BYTES = 16 * 1024,        /* a conversation's metadata as JSON text */
    LIMIT_SEARCH_WORDS = 16,                 /* words of a search that count */
    LIMIT_PAGE_ROWS = 200,                   /* rows of one page of a list */
    LIMIT_CORS_HEADERS_BYTES = 1024,         /* header names that a preflight asks for */
    LIMIT_RETRY_AFTER_SECONDS = 3600         /* largest Retry-After that is passed on to a client */
};

/* --- what a client is sent ---------------------------------------------------------------------------------------- */
enum {
    LIMIT_RESPONSE_BYTES = 256 * 1024 * 1024, /* a whole answer waiting for a slow client */
    LIMIT_HEADER_BYTES = 16 * 1024,           /* response headers */
    LIMIT_METRICS_BYTES = 64 * 1024,          /* what GET /metrics says */
    LIMIT_SSE_TEXT_BYTES = 16 * 1024,         /* text merged into one event for a client that lags */
    LIMIT_POLL_EVENTS = 1000,                 /* events that a client that polls is given at once */
    LIMIT_POLL_SECONDS = 50,                  /* longest wait of one that asks for it: host servers and proxies give up at 60 */
    LIMIT_ERROR_BYTES = 512                   /* an error sentence */
};

/* --- what a provider may send ------------------------------------------------------------------------------------- */
enum {
    LIMIT_SSE_EVENT_BYTES = 8 * 1024 * 1024,  /* one server-sent event: a tool call or an image can be one line */
    LIMIT_REPLY_BYTES = 16 * 1024 * 1024,     /* an answer that is not a stream */
    LIMIT_QUIET_BYTES = 32 * 1024 * 1024,     /* what comes in a row without a piece of an answer in it */
    LIMIT_ERROR_BODY_BYTES = 64 * 1024,       /* body of an error answer; the rest is not read */
    LIMIT_ANSWER_BYTES = 128 * 1024 * 1024,   /* upper bound of the setting MAX_ANSWER_BYTES */
    LIMIT_VECTOR_NUMBERS = 16384,             /* in one embedding */
    LIMIT_CALLS = 128,                        /* tool calls in one answer */
    LIMIT_CALL_STATE_BYTES = 1024 * 1024,     /* opaque state, id or name of one tool call */
    LIMIT_STATE_BYTES = 4 * 1024 * 1024,      /* opaque state of an answer, to be sent back */
    LIMIT_EVENTS_BYTES = 8 * 1024 * 1024,     /* events of an answer that are neither text nor reasoning */
    LIMIT_USAGE_TOKENS = 1000000000,          /* a count of tokens of one answer that is believed, */
    LIMIT_USAGE_DOLLARS = 100000,             /* and what it cost: their sums stay numbers */
    LIMIT_EVENT_NAME_BYTES = 64,
    LIMIT_EVENT_DEPTH = LIMIT_JSON_DEPTH - 4, /* nesting of an event's content, and of what goes into one: more is put around it, and all of it is read again */
    LIMIT_USED_MODELS = 8,                    /* models that are counted apart in one answer */
    LIMIT_TOOL_ROUNDS = 25,                   /* times that a model is asked again with the results of its tools */
    LIMIT_TOOL_RESULT_BYTES = 1024 * 1024,    /* what one call of a tool gives back */
    LIMIT_APP_STATE_BYTES = 64 * 1024,        /* an application's state, as JSON text */
    LIMIT_ASKED_BYTES = 256 * 1024,           /* an answer that is not shown: a title, follow-up questions, an application's own */
    LIMIT_ANSWER_RUNS = 262144,               /* stretches of text and other events in one answer */
    LIMIT_LAYOUT_BYTES = 8 * 1024 * 1024,     /* how they lie, as text */
    LIMIT_URL_BYTES = 8 * 1024,               /* a provider's address */
    LIMIT_REQUEST_BYTES = 128 * 1024 * 1024   /* a request body that we send */
};

/* --- hooks: programs of the administrator (src/app/hook.c) ----------------------------------------------------------- */
enum {
    LIMIT_HOOKS = 32,                         /* in parley.json */
    LIMIT_HOOK_ARGUMENTS = 64,                /* of one, its path included */
    LIMIT_HOOK_LINE_BYTES = 4 * 1024 * 1024,  /* one line of its answer */
    LIMIT_HOOK_SAID_BYTES = 2 * 1024,         /* of its standard error that are logged */
    LIMIT_HOOKS_LATE = 64                     /* killed programs that are not gone yet */
};

/* --- the process -------------------------------------------------------------------------------------------------- */
enum {
    LIMIT_STREAMS = 4096,                     /* upper bound of the setting MAX_STREAMS */
    LIMIT_SPARE_THREADS = 8,                  /* threads beyond MAX_STREAMS, so that "busy" can be said */
    LIMIT_THREAD_STACK_BYTES = 256 * 1024,
    LIMIT_LOOP_EVENTS = 256,                  /* readiness events taken from the kernel at once */
    LIMIT_STORE_READERS = 8,                  /* connections of a process that only read */
    LIMIT_JOURNAL_BYTES = 16 * 1024 * 1024,   /* of running answers that are written to the database at once */
    LIMIT_MIRROR_BYTES = 3 * LIMIT_ANSWER_BYTES + LIMIT_EVENTS_BYTES, /* read of an answer's row and journal: what was written is, also when less is allowed by now */
    LIMIT_STATEMENTS = 128,                   /* prepared statements kept by one connection */
    LIMIT_RESERVE_BYTES = 1024 * 1024,        /* room that is kept for deleting when the disk is full: some conversations' worth of WAL */
    LIMIT_HISTORY_MESSAGES = 1000,            /* upper bound of the setting HISTORY_MESSAGES */
    LIMIT_SETTINGS_LINE_BYTES = 16 * 1024,
    LIMIT_CONFIG_BYTES = 4 * 1024 * 1024,     /* parley.json */
    LIMIT_THEME_BYTES = 256 * 1024,           /* theme.json */
    LIMIT_THEME_CSS_BYTES = 128 * 1024,       /* the style sheet that is made of it */
    LIMIT_THEME_NOTES = 60,                   /* what is said about one theme.json; the rest is counted */
    LIMIT_THEME_SHADOWS = 6,                  /* layers of one box shadow */
    LIMIT_SECRETS = 512,                      /* values that are masked in all output */
    LIMIT_LOG_LINE_BYTES = 8 * 1024
};

#endif
