/*
 * All fixed limits of dalamb in one place: what is too large, too deep or too many anywhere.
 * What an operator may change has its default here and its field in the `limits`, `http` or `log`
 * table. Sizes in bytes, times in the unit of their name.
 */
#ifndef DAL_BASE_LIMITS_H
#define DAL_BASE_LIMITS_H

#define DAL_KIB (1024ull)
#define DAL_MIB (1024ull * 1024ull)
#define DAL_GIB (1024ull * 1024ull * 1024ull)

/* events (events.md) */
#define DAL_LIMIT_EVENT_BYTES (1 * DAL_MIB)        /* limits.event */
#define DAL_LIMIT_BODY_BYTES (16 * DAL_MIB)        /* limits.body: a batch */
#define DAL_LIMIT_WEBHOOK_BYTES (25 * 1000 * 1000) /* GitHub's own limit */
#define DAL_LIMIT_RESULT_BYTES (6 * DAL_MIB)       /* a function's result */
#define DAL_LIMIT_JSON_DEPTH 64
/* What dalamb wraps (a result in a completion, an event in an answer) is deeper than what came in.
 */
#define DAL_LIMIT_JSON_WRAPPED_DEPTH (DAL_LIMIT_JSON_DEPTH + 32)
#define DAL_LIMIT_JSON_BYTES (64 * DAL_MIB)       /* one document, ever */
#define DAL_LIMIT_MATCH_LINE_BYTES (16 * DAL_MIB) /* one event that `dalamb match` reads */
#define DAL_LIMIT_BATCH_EVENTS 10000              /* events in one JSON array */
#define DAL_LIMIT_HOPS 16
#define DAL_LIMIT_NAME_BYTES 64
#define DAL_LIMIT_KEY_BYTES 1024            /* a projection's key, a partition key, an order key */
#define DAL_LIMIT_KEYS 1000                 /* keys that one `key` may give */
#define DAL_LIMIT_EMITS 1000                /* events that one `emit` may give */
#define DAL_LIMIT_EMIT_BYTES (16 * DAL_MIB) /* all of them together */
#define DAL_LIMIT_STATE_BYTES (1 * DAL_MIB) /* one projection entry */

/* text that people write */
#define DAL_LIMIT_ERRORS 200
#define DAL_LIMIT_SOURCE_BYTES (1 * DAL_MIB) /* one Lua file */
#define DAL_LIMIT_SOURCE_FILES 1000
#define DAL_LIMIT_DECLARATIONS 200000 /* of all kinds, in one app */

/* Lua (promises.md) */
#define DAL_LIMIT_CALL_LIVE_BYTES (8 * DAL_MIB)
#define DAL_LIMIT_CALL_TOTAL_BYTES (64 * DAL_MIB)
#define DAL_LIMIT_CALL_INSTRUCTIONS 1000000
#define DAL_LIMIT_CALL_CPU_MS 50
#define DAL_LIMIT_LOAD_BYTES (256 * DAL_MIB)
#define DAL_LIMIT_LOAD_INSTRUCTIONS 100000000
#define DAL_LIMIT_LOAD_CPU_MS 1000
#define DAL_LIMIT_OUTPUT_DEPTH 32

/* patterns */
#define DAL_LIMIT_PATTERN_DEPTH 32
#define DAL_LIMIT_PATTERN_VALUES 10000 /* values and operators in one pattern */
#define DAL_LIMIT_PATTERN_STRING_BYTES (4 * DAL_KIB)
#define DAL_LIMIT_PATTERN_STARS 64 /* `*` in one wildcard */
#define DAL_LIMIT_REGEXP_POSITIONS 500 /* characters and classes, {2,5} written out */
#define DAL_LIMIT_REGEXP_DEPTH 50 /* of its parentheses */

/* HTTP (promises.md) */
#define DAL_LIMIT_HTTP_HEADER_BYTES (32 * DAL_KIB)
#define DAL_LIMIT_HTTP_CONNECTIONS 1024
#define DAL_LIMIT_HTTP_PER_ADDRESS 512
#define DAL_LIMIT_HTTP_READ_MS 10000 /* to read a whole request of up to 1 MiB; more: pro rata */
#define DAL_LIMIT_HTTP_IDLE_MS 60000 /* a kept-alive connection */
#define DAL_LIMIT_HTTP_MIN_RATE 1024 /* bytes a second, for streamed bodies */
#define DAL_LIMIT_HTTP_HEARTBEAT_MS 15000 /* SSE */
#define DAL_LIMIT_LIST_DEFAULT 100
#define DAL_LIMIT_LIST_MAX 1000

/* log, worker, dispatch */
#define DAL_LIMIT_LOG_PENDING_BYTES (64 * DAL_MIB) /* appends that wait; beyond them 503 */
#define DAL_LIMIT_LOG_BLOCK_BYTES (256 * DAL_KIB)  /* uncompressed, but for a larger event */
#define DAL_LIMIT_LOG_BLOCK_EVENTS 4096
#define DAL_LIMIT_DISK_FREE_BYTES (512 * DAL_MIB)  /* limits.disk_free */
#define DAL_LIMIT_DEDUP_WINDOW_MS (10 * 60 * 1000) /* http.dedup */
#define DAL_LIMIT_DEDUP_ENTRIES 8000000            /* kept in memory, 24 bytes each at most */
#define DAL_LIMIT_ROWS 5000000                     /* limits.rows: undelivered rows of a lane */
#define DAL_LIMIT_WORKER_BATCH_EVENTS 16384
#define DAL_LIMIT_WORKER_BATCH_BYTES (8 * DAL_MIB)
#define DAL_LIMIT_CACHE_ENTRIES 65536 /* live projection entries of a worker */
#define DAL_LIMIT_CHECKPOINT_OPEN 1000
#define DAL_LIMIT_BACKOFF_MAX_MS (5 * 60 * 1000)

/* functions */
#define DAL_LIMIT_INIT_MS 10000
#define DAL_LIMIT_GRACE_MS 10000               /* limits.grace */
#define DAL_LIMIT_INSTANCES 32                 /* limits.instances */
#define DAL_LIMIT_LOG_LINE_BYTES (8 * DAL_KIB) /* one line that a function writes */

#endif
