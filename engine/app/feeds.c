#include "engine/app/feeds_private.h"

#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/event/event.h"

/* --- topics --- */

static void topic_add(struct dal_feeds *feeds, const char *name, const char *key,
		      uint32_t partitions)
{
	struct dal_feeds_topic *topic = &feeds->topics[feeds->topic_count++];
	int r;

	*topic = (struct dal_feeds_topic){.name = name, .partitions = partitions};
	if (key) {
		r = dal_path_parse(dal_slice_text(key), &topic->key, NULL);
		DAL_ASSERT(r == 0); /* it was checked when it was read */
	}
}

/* What an own topic that isn't there will be made with; 0: that can't be told. */
static uint32_t own_partitions(const struct dal_feeds *feeds)
{
	uint32_t widest = 1;

	if (feeds->app->settings.kafka.partitions > 0) {
		return feeds->app->settings.kafka.partitions;
	}
	for (size_t i = DAL_FEEDS_OWN; i < feeds->topic_count; i++) {
		if (feeds->topics[i].partitions == 0) {
			return 0;
		}
		if (feeds->topics[i].partitions > widest) {
			widest = feeds->topics[i].partitions;
		}
	}
	return widest;
}

static void topics_fill(struct dal_feeds *feeds, const uint32_t *partitions)
{
	const struct dal_settings *settings = &feeds->app->settings;
	const char *key = NULL;

	for (size_t i = 0; i < settings->topic_count; i++) {
		if (strcmp(settings->topics[i].name, DAL_TOPIC_EVENTS) == 0) {
			key = settings->topics[i].key;
		}
	}
	feeds->topics = dal_calloc(settings->topic_count + DAL_FEEDS_OWN, sizeof(*feeds->topics));
	topic_add(feeds, DAL_TOPIC_EVENTS, key, partitions[DAL_FEEDS_EVENTS]);
	topic_add(feeds, DAL_TOPIC_SYSTEM, NULL, partitions[DAL_FEEDS_SYSTEM]);
	for (size_t i = 0; i < settings->topic_count; i++) {
		const struct dal_log_topic *topic = &settings->topics[i];

		if (strcmp(topic->name, DAL_TOPIC_EVENTS) != 0 &&
		    strcmp(topic->name, DAL_TOPIC_SYSTEM) != 0) {
			topic_add(feeds, topic->name, topic->key, partitions[DAL_FEEDS_OWN + i]);
		}
	}
	for (size_t i = 0; i < DAL_FEEDS_OWN; i++) {
		if (feeds->topics[i].partitions == 0) {
			feeds->topics[i].partitions = own_partitions(feeds);
		}
	}
}

/* --- declarations --- */

bool dal_feed_has(const struct dal_feeds *feeds, const struct dal_feed *feed, size_t topic)
{
	const char *const *named = feed->named;

	if (topic == DAL_FEEDS_SYSTEM ? !feed->system : feed->system_only) {
		return false;
	}
	while (*named && strcmp(*named, feeds->topics[topic].name) != 0) {
		named++;
	}
	return !feed->named[0] || *named;
}

static void feed_fill(const struct dal_feeds *feeds, struct dal_feed *feed)
{
	for (size_t i = feeds->topic_count; i-- > 0;) {
		if (dal_feed_has(feeds, feed, i)) {
			feed->topic = i;
			feed->count++;
		}
	}
}

static void declarations_fill(struct dal_feeds *feeds)
{
	const struct dal_rules *rules = feeds->app->rules;
	size_t rule_count = dal_rules_rule_count(rules);
	size_t projection_count = dal_rules_projection_count(rules);

	feeds->rules = dal_calloc(rule_count + 1, sizeof(*feeds->rules));
	feeds->projections = dal_calloc(projection_count + 1, sizeof(*feeds->projections));
	for (size_t i = 0; i < rule_count; i++) {
		const struct dal_rule *rule = dal_rules_rule(rules, i);

		feeds->rules[i] = (struct dal_feed){.named = rule->topics,
						    .system = rule->system,
						    .system_only = rule->system_only};
		feed_fill(feeds, &feeds->rules[i]);
	}
	for (size_t i = 0; i < projection_count; i++) {
		const struct dal_projection *projection = dal_rules_projection(rules, i);

		feeds->projections[i] = (struct dal_feed){.named = projection->topics,
							  .system = projection->system,
							  .system_only = projection->system_only};
		feed_fill(feeds, &feeds->projections[i]);
	}
}

/* --- as events are evaluated --- */

bool dal_path_same(const struct dal_path *a, const struct dal_path *b)
{
	if (!a || !b) {
		return a == b;
	}
	if (dal_path_steps(a) != dal_path_steps(b)) {
		return false;
	}
	for (size_t i = 0; i < dal_path_steps(a); i++) {
		if (!dal_slice_equal(dal_path_step(a, i), dal_path_step(b, i))) {
			return false;
		}
	}
	return true;
}

enum dal_feeds_reach dal_feeds_reach(const struct dal_feeds *feeds, uint32_t rule,
				     uint32_t projection)
{
	const struct dal_feed *reader = &feeds->rules[rule],
			      *read = &feeds->projections[projection];
	const struct dal_feeds_topic *topic = &feeds->topics[reader->topic];
	const struct dal_path *by;

	if (read->count == 0) {
		return DAL_FEEDS_ALL; /* nothing feeds it: it has no entry */
	}
	if (reader->count != 1 || read->count != 1 || reader->topic != read->topic) {
		return DAL_FEEDS_NONE;
	}
	if (topic->partitions == 1) {
		return DAL_FEEDS_ALL;
	}
	by = dal_rules_rule(feeds->app->rules, rule)->by;
	return topic->key && dal_path_same(by, topic->key) &&
			       dal_path_same(
				       dal_rules_projection(feeds->app->rules, projection)->key,
				       topic->key)
		       ? DAL_FEEDS_OWN_KEY
		       : DAL_FEEDS_NONE;
}

/* Is `key` the text of the event's value at the path? That text, if it isn't, into `why`. */
static bool is_own_key(const struct dal_path *by, const struct dal_event *event,
		       struct dal_slice key, struct dal_buffer *why)
{
	uint32_t node = dal_path_find(by, event->json, DAL_JSON_ROOT);
	struct dal_slice path = dal_path_text(by);
	struct dal_buffer text = {0};
	bool own;

	if (node != DAL_JSON_NONE && dal_json_kind(event->json, node) == DAL_JSON_STRING &&
	    dal_slice_equal(dal_json_string(event->json, node), key)) {
		return true;
	}
	if (dal_key_text(event->json, node, &text) != 0) {
		dal_buffer_printf(why, "%.*s of this event is no key", (int)path.size, path.data);
		dal_buffer_deinit(&text);
		return false;
	}
	own = dal_slice_equal(dal_buffer_slice(&text), key);
	if (!own) {
		dal_buffer_printf(why, "%.*s of this event is \"%.*s\", and \"%.*s\" was asked for",
				  (int)path.size, path.data, (int)text.size, text.data,
				  (int)key.size, key.data);
	}
	dal_buffer_deinit(&text);
	return own;
}

/* What the lanes ask; `own` is the feeds. */
static bool may_read(const void *own, const struct dal_event *event, uint32_t rule,
		     uint32_t projection, struct dal_slice key, struct dal_buffer *why)
{
	const struct dal_feeds *feeds = own;
	const struct dal_rule *reader = dal_rules_rule(feeds->app->rules, rule);
	struct dal_buffer text = {0};
	bool may = true;

	switch (dal_feeds_reach(feeds, rule, projection)) {
	case DAL_FEEDS_ALL:
		break;
	case DAL_FEEDS_OWN_KEY:
		may = is_own_key(reader->by, event, key, &text);
		if (!may) {
			dal_buffer_printf(
				why,
				"on Kafka rule \"%s\" reads the entry of its own key only, "
				"as others lie in other partitions: %s",
				reader->name, dal_buffer_cstr(&text));
		}
		break;
	case DAL_FEEDS_NONE:
		may = false;
		dal_buffer_printf(why,
				  "on Kafka rule \"%s\" and the projection must be fed by the same "
				  "topic and, where it has several partitions, keyed as it is",
				  reader->name);
		break;
	}
	dal_buffer_deinit(&text);
	return may;
}

/* --- life --- */

struct dal_feeds *dal_feeds_new(const struct dal_app *app, const uint32_t *partitions)
{
	struct dal_feeds *feeds;

	if (app->settings.log_kind != DAL_LOG_KAFKA) {
		return NULL;
	}
	feeds = dal_calloc(1, sizeof(*feeds));
	feeds->app = app;
	feeds->rights = (struct dal_view_rights){may_read, feeds};
	topics_fill(feeds, partitions);
	declarations_fill(feeds);
	return feeds;
}

const struct dal_view_rights *dal_feeds_rights(const struct dal_feeds *feeds)
{
	return feeds ? &feeds->rights : NULL;
}

void dal_feeds_free(struct dal_feeds *feeds)
{
	if (!feeds) {
		return;
	}
	for (size_t i = 0; i < feeds->topic_count; i++) {
		dal_path_free(feeds->topics[i].key);
	}
	free(feeds->topics);
	free(feeds->rules);
	free(feeds->projections);
	free(feeds);
}

int dal_feeds_open(const struct dal_app *app, const struct dal_log *log, struct dal_feeds **feeds,
		   struct dal_errors *errors)
{
	size_t count = app->settings.topic_count;
	uint32_t *partitions = dal_calloc(count + DAL_FEEDS_OWN, sizeof(*partitions));
	int r;

	partitions[DAL_FEEDS_EVENTS] = dal_log_partitions(log, dal_slice_text(DAL_TOPIC_EVENTS));
	partitions[DAL_FEEDS_SYSTEM] = dal_log_partitions(log, dal_slice_text(DAL_TOPIC_SYSTEM));
	for (size_t i = 0; i < count; i++) {
		partitions[DAL_FEEDS_OWN + i] = dal_log_partitions(
			log, dal_slice_text(app->settings.topics[i].name));
	}
	r = dal_feeds_check(app, partitions, errors);
	if (r == 0) {
		*feeds = dal_feeds_new(app, partitions);
	}
	free(partitions);
	return r;
}
