/*
 * What the engine sees of its lanes' effects: counters per rule and, with --dev, a line for each.
 * A rule keeps its counters as long as the engine runs, whatever generation it is of.
 */
#ifndef DAL_APP_WATCH_H
#define DAL_APP_WATCH_H

#include "engine/app/engine.h"

struct dal_watch;

struct dal_watch *dal_watch_new(bool print);
void dal_watch_free(struct dal_watch *watch);
/* An invocation has ended. */
void dal_watch_invocation(struct dal_watch *watch, const struct dal_invocation *invocation);
/* Zeros for a rule that never was. */
void dal_watch_counters(struct dal_watch *watch, const char *rule,
			struct dal_rule_counters *counters);

/* The watch of one generation's rules; it may go once no lane runs these. */
struct dal_watch_rules;

struct dal_watch_rules *dal_watch_rules_new(struct dal_watch *watch, const struct dal_rules *rules);
void dal_watch_rules_free(struct dal_watch_rules *rules); /* NULL is fine */
extern const struct dal_evaluator_sink dal_watch_sink;    /* its `own` is a dal_watch_rules */

#endif
