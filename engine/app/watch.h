/*
 * What the engine sees of its lane's effects: counters per rule and, with --dev, a line for each.
 */
#ifndef DAL_APP_WATCH_H
#define DAL_APP_WATCH_H

#include "engine/app/engine.h"

struct dal_watch;

struct dal_watch *dal_watch_new(const struct dal_app *app, bool print);
void dal_watch_free(struct dal_watch *watch);
extern const struct dal_evaluator_sink dal_watch_sink; /* its `own` is the watch */
/* An invocation has ended. */
void dal_watch_invocation(struct dal_watch *watch, const struct dal_invocation *invocation);
void dal_watch_counters(struct dal_watch *watch, size_t rule, struct dal_rule_counters *counters);

#endif
