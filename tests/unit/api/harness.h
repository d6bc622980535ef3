/* An app on a temporary folder, its engine with the API, and a client that asks it. */
#ifndef DAL_TESTS_UNIT_API_HARNESS_H
#define DAL_TESTS_UNIT_API_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/api/api.h"
#include "engine/event/json.h"
#include "engine/http/client.h"

/* Once, before the first thread: forks what starts functions. */
int harness_begin(void **state);
int harness_end(void **state);

/* An app of these files is started, on a new data folder; NULL: it has none. It may declare the
 * functions "lost" and "other". */
void harness_start(const char *operator_file, const char *rules);
void harness_stop(void);
/* Stops, changes the rules, starts on the same data. */
void harness_restart(const char *rules);
struct dal_engine *harness_engine(void);
char *harness_base(void); /* "http://127.0.0.1:PORT"; free it */

/* Asks, and expects this status. The answer's body is valid until the next ask. */
const char *harness_get(const char *target, int status);
const char *harness_get_with(const char *target, const char *header, const char *value, int status);
const char *harness_post(const char *target, const char *body, int status);
const char *harness_post_as(const char *target, const char *type, const char *body, int status);
const char *harness_ask(const char *target); /* GET, whatever the status */
/* The last answer as a tape. */
const struct dal_json *harness_json(void);
/* A member of the last answer's root, or of a node. */
uint32_t harness_member(uint32_t node, const char *name);
/* Is a STRING with this text. */
void harness_expect_text(uint32_t node, const char *text);

/* Posts an event of this type with this data, gives its offset. */
uint64_t harness_event(const char *type, const char *data);
/* Waits until all that is on the log is folded in. */
void harness_settle(void);

#endif
