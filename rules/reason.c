#include "rules/reason.h"

#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/pattern_explain.h"

struct dal_reasons {
	const struct dal_rules *rules;
	const struct dal_event *event;
	struct dal_event_fields fields;
};

/* A rule's or a projection's, as far as it says what feeds it. */
struct feed {
	const struct dal_pattern *pattern;
	const char *const *topics;
	bool system;
};

struct dal_reasons *dal_reasons_new(const struct dal_rules *rules, const struct dal_event *event)
{
	struct dal_reasons *reasons = dal_calloc(1, sizeof(*reasons));

	reasons->rules = rules;
	reasons->event = event;
	dal_event_fields_init(&reasons->fields, event->json);
	return reasons;
}

void dal_reasons_free(struct dal_reasons *reasons)
{
	if (reasons) {
		dal_event_fields_deinit(&reasons->fields);
		free(reasons);
	}
}

void dal_reason_deinit(struct dal_reason *reason)
{
	dal_pattern_miss_deinit(&reason->miss);
}

/* --- one --- */

static struct feed feed_of(const struct dal_rules *rules, uint32_t id)
{
	size_t count = dal_rules_rule_count(rules);
	struct feed feed = {.pattern = dal_rules_pattern(rules, id)};

	if (id < count) {
		const struct dal_rule *rule = dal_rules_rule(rules, id);
		feed.topics = rule->topics;
		feed.system = rule->system;
	} else {
		const struct dal_projection *projection = dal_rules_projection(rules, id - count);
		feed.topics = projection->topics;
		feed.system = projection->system;
	}
	return feed;
}

static bool is_fed(const struct feed *feed, struct dal_slice topic)
{
	if (!feed->topics || !feed->topics[0]) {
		return true;
	}
	for (const char *const *name = feed->topics; *name; name++) {
		if (dal_slice_is(topic, *name)) {
			return true;
		}
	}
	return false;
}

static enum dal_reason_kind kind_of(const struct dal_event *event, const struct feed *feed)
{
	if (dal_event_is_system(event) && !feed->system) {
		return DAL_REASON_RESERVED;
	}
	if (event->hops > DAL_LIMIT_HOPS) {
		return DAL_REASON_HOPS;
	}
	return is_fed(feed, event->place.topic) ? DAL_REASON_MATCHED : DAL_REASON_TOPIC;
}

static void say_topic(const struct dal_event *event, const struct feed *feed,
		      struct dal_pattern_miss *miss)
{
	dal_buffer_text(&miss->field, "topic");
	dal_json_append_string(&miss->found, event->place.topic);
	for (size_t i = 0; feed->topics[i]; i++) {
		dal_buffer_printf(&miss->expected, "%s%s", i > 0 ? " or " : "topic ",
				  feed->topics[i]);
	}
}

static void say_reserved(const struct dal_event *event, struct dal_pattern_miss *miss)
{
	dal_buffer_text(&miss->field, "type");
	dal_json_append_string(&miss->found, event->type);
	dal_buffer_text(&miss->expected, "a type that is not dalamb's own");
	dal_buffer_text(&miss->hint, "dalamb's own events are seen only by a pattern that names a "
				     "type beginning with \"dalamb.\"");
}

static void say_hops(const struct dal_event *event, struct dal_pattern_miss *miss)
{
	dal_buffer_text(&miss->field, "dalambhops");
	dal_buffer_printf(&miss->found, "%lld", (long long)event->hops);
	dal_buffer_printf(&miss->expected, "at most %d", DAL_LIMIT_HOPS);
	dal_buffer_text(&miss->hint, "this chain of events is too long: nothing is matched any "
				     "more");
}

/* What keeps it from being looked at comes before its pattern. */
static void say_instead(const struct dal_event *event, const struct feed *feed,
			struct dal_reason *reason)
{
	struct dal_pattern_miss *miss = &reason->miss;

	dal_buffer_clear(&miss->field);
	dal_buffer_clear(&miss->found);
	dal_buffer_clear(&miss->expected);
	dal_buffer_clear(&miss->hint);
	miss->near = false;
	miss->conditions++;
	miss->failed++;
	if (reason->kind == DAL_REASON_TOPIC) {
		say_topic(event, feed, miss);
	} else if (reason->kind == DAL_REASON_RESERVED) {
		say_reserved(event, miss);
	} else {
		say_hops(event, miss);
	}
}

void dal_reasons_find(struct dal_reasons *reasons, uint32_t id, struct dal_reason *reason)
{
	struct feed feed = feed_of(reasons->rules, id);
	bool matched = dal_pattern_explain_with(feed.pattern, &reasons->fields, DAL_JSON_ROOT,
						&reason->miss);

	reason->kind = kind_of(reasons->event, &feed);
	if (reason->kind != DAL_REASON_MATCHED) {
		say_instead(reasons->event, &feed, reason);
	} else if (!matched) {
		reason->kind = DAL_REASON_FIELD;
	}
}

/* --- all --- */

struct place {
	uint32_t id;
	uint32_t failed, conditions; /* both twice, but for half a near miss */
};

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	uint64_t left = (uint64_t)x->failed * y->conditions;
	uint64_t right = (uint64_t)y->failed * x->conditions;

	if (left != right) {
		return left < right ? -1 : 1;
	}
	if (x->failed % 2 != y->failed % 2) {
		return x->failed % 2 ? -1 : 1; /* the near miss */
	}
	if (x->conditions != y->conditions) {
		return x->conditions > y->conditions ? -1 : 1; /* more of them hold */
	}
	return x->id < y->id ? -1 : x->id > y->id;
}

/* True for each that its pattern matches. */
static bool *match(const struct dal_reasons *reasons)
{
	const struct dal_matcher *matcher = dal_rules_matcher(reasons->rules);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	size_t patterns = dal_rules_rule_count(reasons->rules) +
			  dal_rules_projection_count(reasons->rules);
	bool *matched = dal_calloc(patterns + 1, sizeof(*matched));
	const uint32_t *ids;
	size_t count = dal_matcher_match(matcher, scratch, reasons->event->json, DAL_JSON_ROOT,
					 &ids);

	for (size_t i = 0; i < count; i++) {
		if (ids[i] < patterns) { /* others' patterns follow */
			matched[ids[i]] = true;
		}
	}
	dal_matcher_scratch_free(scratch);
	return matched;
}

size_t dal_reasons_rank(struct dal_reasons *reasons, uint32_t first, size_t count, uint32_t *order)
{
	struct place *places = dal_calloc(count + 1, sizeof(*places));
	struct dal_reason reason = {0};
	bool *matched = match(reasons);
	size_t taken = 0, missed = 0;

	for (uint32_t id = first; id < first + count; id++) {
		struct feed feed = feed_of(reasons->rules, id);
		if (matched[id] && kind_of(reasons->event, &feed) == DAL_REASON_MATCHED) {
			order[taken++] = id;
			continue;
		}
		dal_reasons_find(reasons, id, &reason);
		places[missed++] = (struct place){.id = id,
						  .failed = 2 * reason.miss.failed -
							    reason.miss.near,
						  .conditions = 2 * reason.miss.conditions};
	}
	qsort(places, missed, sizeof(*places), compare);
	for (size_t i = 0; i < missed; i++) {
		order[taken + i] = places[i].id;
	}
	dal_reason_deinit(&reason);
	free(places);
	free(matched);
	return taken;
}
