/*
 * The fixture on a log with lanes: topics `events` and `system`, and `clicks`, which is foreign.
 * Offsets have gaps and append times are the same in each run.
 */
#ifndef DAL_TESTS_UNIT_STREAM_LANES_H
#define DAL_TESTS_UNIT_STREAM_LANES_H

#include "tests/unit/log/lanes_log.h"
#include "tests/unit/stream/fixture.h"

enum { LANES = 2, LANES_GAP = 3 };

#define LANES_CLOCK_US 1700000000000000ll

/* Counts events by data.key, and keeps the place of the last one. */
#define LANES_TOTALS(version)                                                                      \
	"projection 'totals' { version = " version ", on = { type = 'add' }, key = 'data.key',"    \
	" init = { n = 0, last = '' }, fold = function(s, e) s.n = s.n + 1"                        \
	" s.last = e.topic .. '/' .. e.offset return s end }\n"
/* What a function answered. */
#define LANES_ANSWERS                                                                              \
	"projection 'answers' { version = 1, on = { type = 'dalamb.function.succeeded' },"         \
	" key = 'data.name', init = { n = 0 },"                                                    \
	" fold = function(s, e) s.n = s.n + 1 return s end }\n"
#define LANES_CALL "rule 'r' { on = { type = 'call' }, call = 'check' }\n"
#define LANES_EMIT                                                                                 \
	"rule 'm' { on = { type = 'add' }, emit = function(e)"                                     \
	" return { type = 'made', data = { from = e.topic .. '/' .. e.offset } } end }\n"

/* A fixture_setup of the embedded log's; lane 0. */
int lanes_setup(void **own);
/* The fixture's log is closed (with all that is on it), and another is there. */
void lanes_reopen_log(struct fixture *f, const struct lanes_log_options *options);

/* An event as its text; free it. `more`: further members, each with a comma before, or "". */
char *lanes_event(const char *type, const char *data, const char *more);
/* Appends into a partition; returns its offset. */
uint64_t lanes_append(struct fixture *f, const char *topic, uint16_t lane, const char *type,
		      const char *data);
/* As others do. */
uint64_t lanes_write(struct fixture *f, const char *topic, uint16_t lane, const char *type,
		     const char *data, const char *more);
/* The fixture's lane: a completion of a row, which may be in the future. */
uint64_t lanes_complete(struct fixture *f, const char *row, bool failed);
/* The id of a call of LANES_CALL's rule. */
char *lanes_row(struct fixture *f, const char *topic, uint64_t offset);

/* The rows to the log, of the fixture's lane, in order of sequence. */
struct lanes_rows {
	struct {
		char *id, *topic, *payload;
		int64_t hops;
	} list[64];
	size_t count;
};
void lanes_rows_read(struct fixture *f, struct lanes_rows *rows);
void lanes_rows_free(struct lanes_rows *rows);

/* Opens, folds all there is and expects that it ends where the log does. */
void lanes_fold(struct fixture *f, const char *rules);
void lanes_expect_at_end(struct fixture *f);
void lanes_expect_view(struct fixture *f, const char *projection, const char *key,
		       const char *json); /* NULL: there is none */

#endif
