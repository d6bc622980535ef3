#include "engine/cli/reason.h"

#include <string.h>

#include "engine/base/limits.h"

static bool feeds(const char *const *topics, struct dal_slice topic)
{
	if (!topics || !topics[0]) {
		return true;
	}
	for (; *topics; topics++) {
		if (dal_slice_is(topic, *topics)) {
			return true;
		}
	}
	return false;
}

void dal_reason_find(struct dal_reason *reason, const struct dal_rules *rules, uint32_t pattern,
		     const char *const *topics, bool system, const struct dal_event *event)
{
	*reason = (struct dal_reason){.kind = DAL_REASON_MATCHED};
	if (dal_event_is_system(event) && !system) {
		reason->kind = DAL_REASON_RESERVED;
	} else if (event->hops > DAL_LIMIT_HOPS) {
		reason->kind = DAL_REASON_HOPS;
	} else if (!feeds(topics, event->place.topic)) {
		reason->kind = DAL_REASON_TOPIC;
	} else if (!dal_pattern_explain(dal_rules_pattern(rules, pattern), event->json,
					DAL_JSON_ROOT, &reason->miss)) {
		reason->kind = DAL_REASON_FIELD;
	}
}

void dal_reason_deinit(struct dal_reason *reason)
{
	dal_pattern_miss_deinit(&reason->miss);
}

static void print_miss(const struct dal_pattern_miss *miss, struct dal_buffer *out)
{
	dal_buffer_slice_append(out, dal_buffer_slice(&miss->field));
	if (miss->found.size > 0) {
		dal_buffer_text(out, " is ");
		dal_buffer_slice_append(out, dal_buffer_slice(&miss->found));
	} else {
		dal_buffer_text(out, " is missing");
	}
	dal_buffer_text(out, ", expected ");
	dal_buffer_slice_append(out, dal_buffer_slice(&miss->expected));
	if (miss->hint.size > 0 && miss->found.size > 0) {
		dal_buffer_text(out, " (");
		dal_buffer_slice_append(out, dal_buffer_slice(&miss->hint));
		dal_buffer_byte(out, ')');
	}
}

void dal_reason_print(const struct dal_reason *reason, struct dal_buffer *out)
{
	switch (reason->kind) {
	case DAL_REASON_FIELD:
		print_miss(&reason->miss, out);
		break;
	case DAL_REASON_TOPIC:
		dal_buffer_text(out, "it is not fed by the topic of this event");
		break;
	case DAL_REASON_RESERVED:
		dal_buffer_text(out, "this is an event of dalamb's own, which only patterns that "
				     "name a type dalamb.* see");
		break;
	case DAL_REASON_HOPS:
		dal_buffer_text(out, "this chain of events is too long: nothing is matched any "
				     "more");
		break;
	case DAL_REASON_MATCHED:
		break;
	}
}

/* Its match by event `number`, or NULL; *acted: it called, emitted or failed. */
static const struct dal_effect *match_of(const struct dal_trial *trial, const char *rule,
					 size_t number, bool *acted)
{
	const struct dal_effect *match = NULL;

	*acted = false;
	for (size_t i = 0; i < trial->count; i++) {
		const struct dal_effect *effect = &trial->effects[i];
		if (effect->event != number || strcmp(effect->rule, rule) != 0) {
			continue;
		}
		if (effect->kind == DAL_EFFECT_MATCH) {
			match = effect;
		} else {
			*acted = true;
		}
	}
	return match;
}

static void explain(const struct dal_trial *trial, const struct dal_rule *rule,
		    const struct dal_log_record *record, struct dal_buffer *out)
{
	struct dal_json *json = dal_json_new();
	struct dal_reason reason;
	struct dal_event event;

	if (dal_json_parse(json, record->event, DAL_JSON_PADDED, NULL) == 0) {
		dal_event_view(&event, json);
		event.place = record->place;
		dal_reason_find(&reason, trial->app->rules, rule->pattern, rule->topics,
				rule->system, &event);
		dal_reason_print(&reason, out);
		dal_reason_deinit(&reason);
	}
	dal_json_free(json);
}

void dal_reason_rule(const struct dal_trial *trial, size_t index,
		     const struct dal_log_record *record, size_t number, bool many,
		     struct dal_buffer *out)
{
	const struct dal_rule *rule = dal_rules_rule(trial->app->rules, index);
	const struct dal_effect *match;
	bool acted;

	match = match_of(trial, rule->name, number, &acted);
	if (acted) {
		return;
	}
	dal_buffer_printf(out, "rule \"%s\" (%s:%d)", rule->name, rule->file, rule->line);
	if (many) {
		dal_buffer_printf(out, ", event %zu", number + 1);
	}
	dal_buffer_text(out, ": ");
	if (match) {
		dal_buffer_text(out, match->passed ? "it matched, and gave nothing"
						   : "its guard (when) said no");
	} else {
		explain(trial, rule, record, out);
	}
}
