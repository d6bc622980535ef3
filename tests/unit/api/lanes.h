/*
 * Events for an engine whose log has several lanes: a whole engine, only its log is in memory (the
 * link gives dal_log_open to lanes.c).
 */
#ifndef DAL_TESTS_UNIT_API_LANES_H
#define DAL_TESTS_UNIT_API_LANES_H

#include "tests/unit/api/harness.h"
#include "tests/unit/log/lanes_log.h"

enum { LANES = 3 };

/* Of the engine that was started last. It has a topic "clicks" beside the own ones. */
struct dal_log *lanes_log(void);
/* Gives its position; free it. */
char *lanes_post(const char *topic, const char *type, const char *subject, int data);
/* Events "seen" with subjects "k00" to "k<count - 1>", which lie in all lanes. Appends the
 * positions, a line each. */
void lanes_post_keys(unsigned count, struct dal_buffer *positions);
uint16_t lanes_of(const char *position);

#endif
