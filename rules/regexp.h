/*
 * Regular expressions: I-Regexp (RFC 9485), matched against a whole value in linear time. Private
 * to rules.
 *
 * A set holds many expressions over one field and asks them together: their positions form one
 * automaton without backtracking, made deterministic as values need it, state by state, in a cache
 * of bounded size that the reading thread owns. When the cache is full it is begun anew; when that
 * happens too often the positions are simulated: by a walk over those that are reached, or, where
 * that became too dear, by the bits of one expression after the other. So neither time nor memory
 * is ever exponential, whatever the expressions: each costs half a microsecond for a byte of the
 * value at the most, and most of the time all together cost some nanoseconds.
 *
 * A set is changed by one thread while nobody reads it; else any thread reads it, each with a
 * scratch of its own.
 */
#ifndef DAL_RULES_REGEXP_H
#define DAL_RULES_REGEXP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/slice.h"
#include "rules/arena.h"

struct dal_regexp; /* one expression, parsed; constant, lives in the arena that it was parsed into
		    */

/*
 * 0, or a message (static text) and the byte in `source` where it goes wrong. Ranges like {2,100}
 * are accepted as long as the positions they make stay below DAL_LIMIT_REGEXP_POSITIONS.
 */
const char *dal_regexp_parse(struct dal_arena *arena, struct dal_slice source,
			     const struct dal_regexp **regexp, size_t *position);
/* Alone, by simulation: the meaning, kept simple. `value` is valid UTF-8; a `.` is any character
 * but line feed and carriage return (RFC 9485, section 5.3). */
bool dal_regexp_matches(const struct dal_regexp *regexp, struct dal_slice value);

struct dal_regexps;

/* An expression lives until it is removed or the set is freed. `id` is the caller's, different for
 * each in the set. */
void dal_regexps_add(struct dal_regexps **set, const struct dal_regexp *regexp, uint32_t id);
void dal_regexps_remove(struct dal_regexps *set, uint32_t id);
void dal_regexps_free(struct dal_regexps *set); /* NULL is fine */

/* The deterministic states of the sets that a thread asks; for all sets of one matcher. A set that
 * was changed is noticed, and its states are forgotten. */
struct dal_regexp_scratch;

struct dal_regexp_scratch *dal_regexp_scratch_new(void);
void dal_regexp_scratch_free(struct dal_regexp_scratch *scratch); /* NULL is fine */

/* Calls `fire` once for each expression of the set that matches the whole value. */
void dal_regexps_find(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
		      struct dal_slice value, void (*fire)(void *own, uint32_t id), void *own);

#endif
