/*
 * dalamb match, inside: gigabytes of NDJSON through a matcher, on all cores, in constant memory.
 *
 * One thread reads (and expands) files into chunks of whole lines, about a megabyte each. Chunk k
 * goes to worker k mod N, and main takes results from worker k mod N for k = 0, 1, 2 ...: so the
 * output has the input's order, whichever worker is quicker. Chunks come from a fixed pool and
 * return to it, which bounds memory and makes the reader wait for the slowest. No queue can be
 * full: each has room for the whole pool.
 *
 *	pool -> match_read.c -> work -> match_work.c -> done -> match_write.c -> pool
 *
 * A worker whose output of one chunk grows large hands over what there is and gets the chunk back.
 * Private to match*.c.
 */
#ifndef DAL_CLI_MATCH_H
#define DAL_CLI_MATCH_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/base/queue.h"
#include "engine/base/slice.h"
#include "engine/cli/cli.h"
#include "engine/event/json.h"
#include "rules/rules.h"

/* A line's padding is behind the chunk: the allocation is a whole megabyte. */
#define DAL_MATCH_CHUNK_BYTES ((size_t)(DAL_MIB - DAL_JSON_PADDING))
/* Chunks of the pool for each worker: one at work, one before it, one behind. */
#define DAL_MATCH_CHUNKS 3
#define DAL_MATCH_JOBS_MAX 256

/* --- RULES --- */

struct dal_match_rules {
	struct dal_rules *loaded; /* of a .lua file, or NULL */
	struct dal_pattern **own; /* else these, one a name */
	struct dal_matcher *own_matcher;
	const struct dal_matcher *matcher;
	const struct dal_pattern **patterns;
	char **names;  /* "": the only one has none */
	char **quoted; /* the same as JSON */
	size_t count;
};

/* 0, or the exit status after messages. `where`: a file, "-", or JSON itself. Deinit in any case.
 */
int dal_match_rules_load(struct dal_match_rules *rules, const struct dal_command *command,
			 const char *where, bool named);
void dal_match_rules_deinit(struct dal_match_rules *rules);

/* --- work --- */

enum dal_match_print {
	DAL_MATCH_EVENTS,
	DAL_MATCH_NAMES,   /* and which rules match */
	DAL_MATCH_COUNTS,  /* nothing but, at the end, how many */
	DAL_MATCH_REASONS, /* why events don't match */
};

struct dal_match_chunk {
	const char *file;           /* as shown to people */
	size_t first_line;          /* the number of its first line, from 1 */
	struct dal_buffer text;     /* whole lines, and DAL_JSON_PADDING readable bytes behind */
	struct dal_buffer out;      /* for stdout */
	struct dal_buffer messages; /* for stderr: lines that are broken */
	struct dal_buffer note;     /* for stderr, behind them: the reader's */
	bool done;                  /* no more output of it comes */
	bool last;                  /* no chunk comes behind it */
};

/* A worker, and its ways. */
struct dal_match_lane {
	const struct dal_match *match;
	pthread_t thread;
	struct dal_queue *work, *done;
	struct dal_queue *back; /* chunks of which only a part was handed over */
	struct dal_json *json;
	struct dal_matcher_scratch *scratch;
	uint64_t *hits; /* by pattern */
	uint64_t lines, selected, broken;
};

struct dal_match {
	const struct dal_command *command;
	struct dal_match_rules rules;
	enum dal_match_print print;
	bool invert, as_json;
	const char *const *files; /* NULL-terminated */

	struct dal_match_chunk *chunks;
	struct dal_queue *pool;
	struct dal_match_lane *lanes;
	size_t jobs;
	atomic_uint_fast64_t bytes_read; /* of files as they are, compressed or not */
	uint64_t too_long;               /* lines; the reader's, to be looked at after its end */
	bool unread; /* the reader's, too: a file could not be read to its end */
};

/* A thread: reads all files. `match` is a struct dal_match. */
void *dal_match_read(void *match);
/* A thread: chunks from `work`, until there is a NULL. `lane` is a struct dal_match_lane. */
void *dal_match_work(void *lane);
/* Main: prints what workers made, in order, until the last chunk. */
void dal_match_write(struct dal_match *match);

#endif
