/*
 * Feeds: which topic feeds each rule and projection, and what follows on Kafka, where order exists
 * per partition of a topic only.
 *
 * What is folded together must be ordered together. A declaration is fed by the topics that its
 * `on` names, else by all that the app reads; by `system` only if its pattern names a dalamb. type,
 * and by it alone if it names no other. A projection must be fed by one topic, whose `key` is its
 * own (or which has one partition). A rule that reads views must be fed by the same topic as they
 * are, and where that has several partitions it reads the views of its own key (`by`) only, which
 * is the topic's. A rule that calls a function with an `order` must be fed by one topic that is
 * keyed by it, too. All else would have to be repartitioned, and is refused.
 *
 * On the embedded log, one sequence, everything goes: its feeds are NULL. Feeds are constant once
 * made and read by any thread.
 *
 *	r = dal_feeds_open(app, log, &feeds, &errors);
 *	lane.rights = dal_feeds_rights(feeds);
 */
#ifndef DAL_APP_FEEDS_H
#define DAL_APP_FEEDS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/app/app.h"

struct dal_feeds;

enum { DAL_FEEDS_REFUSED = 1 };

/*
 * What would need repartitioning on the app's log. `partitions`: of the topics `events`, `system`,
 * then of settings.topics, as dal_log_ask_partitions gives them; 0: not known, or not made yet (own
 * topics then get what the settings say). 0, or DAL_FEEDS_REFUSED: every reason with its place and
 * remedy.
 */
int dal_feeds_check(const struct dal_app *app, const uint32_t *partitions,
		    struct dal_errors *errors);
/* Of an app that passed the check; it outlives them. NULL on the embedded log. */
struct dal_feeds *dal_feeds_new(const struct dal_app *app, const uint32_t *partitions);
void dal_feeds_free(struct dal_feeds *feeds); /* NULL is fine */
/* Checks and makes them, by the partitions that the open log has. */
int dal_feeds_open(const struct dal_app *app, const struct dal_log *log, struct dal_feeds **feeds,
		   struct dal_errors *errors);

enum dal_feeds_reach {
	DAL_FEEDS_NONE,    /* its entries are ordered apart from the rule's events */
	DAL_FEEDS_OWN_KEY, /* the entry of the event's value at the rule's `by` */
	DAL_FEEDS_ALL,
};

/* Which entries of a projection a rule may read. */
enum dal_feeds_reach dal_feeds_reach(const struct dal_feeds *feeds, uint32_t rule,
				     uint32_t projection);
/* For the lanes: refuses what the code hid from the check. NULL for NULL: all views; else as long
 * as the feeds live. */
const struct dal_view_rights *dal_feeds_rights(const struct dal_feeds *feeds);

#endif
