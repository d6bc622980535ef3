/*
 * Guards asked for people: what a rule's `when` says of an event, and what it read to say so.
 *
 * Not the lanes' machines: one of its own, made when the first guard is asked (at 10,000 rules that
 * takes some 70 ms), kept for later questions, made again for another set of rules. Any thread, one
 * at a time: who takes it asks some questions and gives it back; who finds it taken does not wait
 * but tries again later, as threads that ask have other work. A guard has the limits of any call.
 */
#ifndef DAL_API_GUARDS_H
#define DAL_API_GUARDS_H

#include "engine/stream/evaluator.h"

struct dal_guards;

struct dal_guards *dal_guards_new(void);
void dal_guards_free(struct dal_guards *guards); /* NULL is fine */

/* False: another thread has it, or it rests. Never waits. */
bool dal_guards_take(struct dal_guards *guards);
/* Nobody takes it within `rest_us`: guards asked for people leave time for all else. */
void dal_guards_release(struct dal_guards *guards, int64_t rest_us);

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
	/* That it came to a memory or time limit can be due to what ran before in the machine. A
	 * fresh one is asked then, if `again`; else the first verdict counts. */
	bool again;
};

struct dal_guard_answer {
	enum {
		DAL_GUARD_PASSED,
		DAL_GUARD_REFUSED, /* it says no */
		DAL_GUARD_FAILED,
		DAL_GUARD_NOT_ASKED, /* `message` says why: it reads more than is kept here */
	} kind;
	bool asked_again;                 /* of a fresh machine */
	struct dal_buffer returned;       /* of PASSED and REFUSED, in words: `nil`, `a table` */
	struct dal_buffer message, trace; /* of FAILED */
	/* What it read, each key once: JSON objects with commas between; or empty. */
	struct dal_buffer views;
};

/* By who has taken it. `answer` is zeroed before its first use and then used again for one after
 * the other. */
void dal_guards_ask(struct dal_guards *guards, const struct dal_guard_question *question,
		    struct dal_guard_answer *answer);
void dal_guard_answer_deinit(struct dal_guard_answer *answer);

#endif
