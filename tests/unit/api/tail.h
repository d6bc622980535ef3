/* A client of a stream (SSE) on a thread of its own: what it gets, block by block. */
#ifndef DAL_TESTS_UNIT_API_TAIL_H
#define DAL_TESTS_UNIT_API_TAIL_H

#include "tests/unit/api/harness.h"

#define PATIENCE_MS 20000

struct tail;

/* `id`: of the Last-Event-ID, or NULL. It hangs up after so many blocks (the first one of a tail is
 * "retry"), or when this time is over. */
struct tail *tail_start(const char *target, const char *id, unsigned wanted, uint64_t patience_ms);
/* Waits until so many blocks have come. */
void tail_wait(struct tail *tail, unsigned blocks);
/* Waits until it has hung up, frees it. Appends the positions, with spaces between, and gives the
 * last id of the blocks that are whole, or NULL; free it. */
char *tail_end(struct tail *tail, struct dal_buffer *positions);
/* The same in two steps: in between it is asked how often it got a text. */
void tail_join(struct tail *tail);
size_t tail_count(const struct tail *tail, const char *text);
void tail_free(struct tail *tail);

#endif
