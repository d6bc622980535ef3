/*
 * A log in a folder of its own for each test, removed afterwards, and short ways to append and
 * read.
 */
#ifndef DAL_TESTS_LOG_FIXTURE_H
#define DAL_TESTS_LOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/log/log.h"
#include "state/store.h"

struct fixture {
	char *folder;
	char *path; /* the log's */
	struct dal_log_options options;
	struct dal_log *log;
};

int fixture_setup(void **own);
int fixture_teardown(void **own);
/* By `options`; fails the test if it can't be opened. */
void fixture_open(struct fixture *f);
void fixture_close(struct fixture *f);
void fixture_reopen(struct fixture *f);

/* Appends one event to a topic; an empty or NULL dedup is none. Returns the offset; `repeated` may
 * be NULL. */
uint64_t append_to(struct fixture *f, const char *topic, const char *event, const char *dedup,
		   bool *repeated);
/* The same to `events`, never a repeat. */
uint64_t append_event(struct fixture *f, const char *event);
uint64_t log_end(struct fixture *f);
struct dal_log_reader *reader_at(struct fixture *f, uint64_t next, const char *topic);
/* Reads all from an offset on, `at_once` at a time; checks that offsets ascend (by one, if topic is
 * NULL). Returns how many. */
size_t read_all(struct fixture *f, uint64_t next, const char *topic, size_t at_once);
/* The store of a log that is closed; the caller closes it. */
struct dal_store *store_open(struct fixture *f);
/* The text of the event at an offset; free it. */
char *event_at(struct fixture *f, uint64_t offset);

#endif
