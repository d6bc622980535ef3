/*
 * An event explained, as JSON in pieces: for each rule and projection of a set whether it takes the
 * event, or the first field that failed; of a rule that matches, what its guard says.
 *
 * Those that match come first, then those that came nearest. Made piece by piece, so that the
 * answer of any number of rules takes no more memory than one piece, and no more time than one
 *guard and some 20 ms. One thread at a time.
 *
 *	{"event": {"id", "type", "source", "subject", "topic", "position"},
 *	 "rules": [
 *	  {"rule", "file", "line", "matched": true, "passed": true,
 *	   "guard": {"answer": "yes" | "no" | "error" | "not asked", "returned", "message",
 *"traceback", "views": [{"projection", "key", "value" | "bytes"}]}},
 *	  {"rule", "file", "line", "matched": false, "field", "found", "expected", "hint", "near",
 *	   "failed", "conditions"}],
 *	 "projections": [{"projection", ...}],
 *	 "counts": {"rules", "rules_matched", "projections", "projections_matched", "passed"},
 *	 "guards": {"asked", "not_asked", "at", "note"}}
 *
 * A guard that was not asked says why in `message`; whether its rule passed is not told.
 */
#ifndef DAL_API_EXPLANATION_H
#define DAL_API_EXPLANATION_H

#include "engine/api/guards.h"
#include "rules/reason.h"

struct dal_explanation;

struct dal_explanation_options {
	struct dal_rules *rules; /* a reference is taken */
	const struct dal_event *event;
	bool stored;           /* it has a position */
	struct dal_slice rule; /* only what has this name; empty: all */
	size_t limit;          /* of each list; SIZE_MAX: all */
	struct dal_guards *guards;
	/* What all guards may take together, because others ask them, too: the rest is not asked.
	 * 0: as long as they take. */
	int64_t guards_us;
	struct dal_guard_question question; /* load, own and rights: what guards may read */
	struct dal_slice at;                /* where the views stand, as JSON; or empty */
	const char *note;                   /* on which views guards were asked, for people */
};

/* All that `options` point to outlives it. */
struct dal_explanation *dal_explanation_new(const struct dal_explanation_options *options);
void dal_explanation_free(struct dal_explanation *explanation); /* NULL is fine */
/* Appends the next piece; false: it was the last. If it appends nothing others ask guards: call it
 * again in some ms. */
bool dal_explanation_put(struct dal_explanation *explanation, struct dal_buffer *out);

#endif
