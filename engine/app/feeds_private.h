/* Feeds as they are inside: for feeds.c and feeds_check.c. */
#ifndef DAL_APP_FEEDS_PRIVATE_H
#define DAL_APP_FEEDS_PRIVATE_H

#include "engine/app/feeds.h"

enum { DAL_FEEDS_EVENTS, DAL_FEEDS_SYSTEM, DAL_FEEDS_OWN };

struct dal_feeds_topic {
	const char *name;
	struct dal_path *key; /* NULL: none is named */
	uint32_t partitions;  /* 0: not known */
};

/* What feeds a declaration. */
struct dal_feed {
	const char *const *named; /* by its `on`, NULL-terminated */
	bool system, system_only;
	size_t count; /* of topics */
	size_t topic; /* the first */
};

struct dal_feeds {
	const struct dal_app *app;
	struct dal_feeds_topic *topics; /* events, system, then the others */
	size_t topic_count;
	struct dal_feed *rules, *projections; /* by index */
	struct dal_view_rights rights;
};

/* Does the topic feed it? */
bool dal_feed_has(const struct dal_feeds *feeds, const struct dal_feed *feed, size_t topic);
/* Do both lead to the same value? Also if both are NULL; a NULL is equal to no path. */
bool dal_path_same(const struct dal_path *a, const struct dal_path *b);

#endif
