/*
 * A folder of its own for each test, removed afterwards.
 */
#ifndef DAL_TESTS_STATE_FIXTURE_H
#define DAL_TESTS_STATE_FIXTURE_H

#include "state/state.h"
#include "state/store.h"

int fixture_setup(void **own);
int fixture_teardown(void **own);
const char *fixture_path(void *own);
/* The store in it; fails the test if it can't be opened. */
struct dal_store *fixture_store(void *own, enum dal_store_shape shape);
/* The state in it, of the log "testlog". */
struct dal_state *fixture_state(void *own);
void fixture_write(struct dal_state *state, struct dal_store_batch *batch);
void fixture_put(struct dal_state *state, struct dal_slice key, struct dal_slice value);
/* All keys and values, "hex=hex" a line; the caller frees it. */
char *fixture_dump(struct dal_state *state);

#endif
