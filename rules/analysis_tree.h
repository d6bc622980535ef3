/*
 * The parts of the analysis. Private to rules/analysis*.c.
 */
#ifndef DAL_RULES_ANALYSIS_TREE_H
#define DAL_RULES_ANALYSIS_TREE_H

#include "rules/analysis.h"
#include "rules/pattern_tree.h"

/* What may still be spent on a proof. False: it is too little, and 0 is left, which says that
 * something was not looked at. */
bool dal_steps_pay(uint64_t *steps, uint64_t cost);
/* The steps that it costs to ask an operator about a text, or about anything else. */
uint64_t dal_operator_weight(const struct dal_operator *op, struct dal_slice text);

/*
 * Of operators about one scalar: does each scalar that satisfies `narrow` satisfy `wide`; is there
 * none that satisfies both? True is proven. ABSENT and ALL_OF are about no scalar: false. A list
 * of what is excluded costs as many steps as it is long, whenever it is gone through.
 */
bool dal_operator_within(const struct dal_operator *narrow, const struct dal_operator *wide,
			 uint64_t *steps);
bool dal_operator_apart(const struct dal_operator *a, const struct dal_operator *b,
			uint64_t *steps);

/* How what is found begins and ends at least, of text; false: it is no such operator. */
struct dal_ends {
	struct dal_slice lead, tail;
	bool folded; /* they are of the folded text */
};

bool dal_operator_ends(const struct dal_operator *op, struct dal_ends *ends);

/* Objects of a pattern that one object of an event must satisfy: an object, the alternative of a
 * `$or` that was chosen in it, and so on. */
struct dal_scope {
	const struct dal_pattern_object *object;
	const struct dal_pattern_or *chosen_of; /* NULL: the outermost */
	const struct dal_scope *outer;
	bool root; /* it is the event itself */
};

/* What an attribute of every event is. */
enum dal_attribute {
	DAL_ATTRIBUTE_NONE,     /* no attribute, or an extension: any JSON */
	DAL_ATTRIBUTE_TEXT,     /* type, source, id */
	DAL_ATTRIBUTE_OPTIONAL, /* subject, time: text, or missing */
};

enum dal_attribute dal_attribute_of(const struct dal_scope *scope, struct dal_slice name);

/* The same as dal_pattern_covers; `steps` is what it may cost, and what it did is taken off. If 0
 * is left, false says nothing. */
bool dal_pattern_covers_within(const struct dal_pattern *wide, const struct dal_pattern *narrow,
			       uint64_t *steps);
/* A list that says nothing: any value will do, or none. */
bool dal_leaf_always(const struct dal_scope *scope, const struct dal_pattern_field *leaf);

#endif
