/*
 * Guards asked for people: what a rule's `when` says of an event, and what it read to say so.
 *
 * Not the lanes' machines: one of its own, made when the first guard is asked (at 10,000 rules that
 * takes some 70 ms), kept for later questions, made again for another set of rules. It answers
 * one question at a time, each within the limits of any call. Any thread.
 */
#ifndef DAL_API_GUARDS_H
#define DAL_API_GUARDS_H

#include "engine/stream/evaluator.h"

struct dal_guards;

struct dal_guards *dal_guards_new(void);
void dal_guards_free(struct dal_guards *guards); /* NULL is fine */

struct dal_guard_question {
	struct dal_rules *rules;
	const struct dal_event *event;
	uint32_t rule;
	/* What view() reads: 0 with slices of `memory`, DAL_STATE_ABSENT, or negative. NULL: all
	 * projections are empty. */
	int (*load)(void *own, uint32_t projection, struct dal_slice key,
		    struct dal_view_entry *entry, struct dal_buffer *memory);
	void *own;
	const struct dal_view_rights *rights; /* NULL: it may read all views */
};

struct dal_guard_answer {
	enum {
		DAL_GUARD_PASSED,
		DAL_GUARD_REFUSED, /* it says no */
		DAL_GUARD_FAILED,
	} kind;
	struct dal_buffer returned;       /* of PASSED and REFUSED, in words: `nil`, `a table` */
	struct dal_buffer message, trace; /* of FAILED */
	struct dal_buffer views; /* what it read: JSON objects with commas between; or empty */
};

/* `answer` is zeroed before its first use and then used again for one after the other. */
void dal_guards_ask(struct dal_guards *guards, const struct dal_guard_question *question,
		    struct dal_guard_answer *answer);
void dal_guard_answer_deinit(struct dal_guard_answer *answer);

#endif
