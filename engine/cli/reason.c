#include "engine/cli/reason.h"

#include <string.h>

#include "engine/base/limits.h"

void dal_reason_print(const struct dal_reason *reason, struct dal_buffer *out)
{
	const struct dal_pattern_miss *miss = &reason->miss;

	if (reason->kind == DAL_REASON_MATCHED) {
		return;
	}
	dal_buffer_slice_append(out, dal_buffer_slice(&miss->field));
	dal_buffer_text(out, miss->found.size > 0 ? " is " : " is missing");
	dal_buffer_slice_append(out, dal_buffer_slice(&miss->found));
	dal_buffer_text(out, ", expected ");
	dal_buffer_slice_append(out, dal_buffer_slice(&miss->expected));
	if (miss->hint.size > 0) {
		dal_buffer_text(out, " (");
		dal_buffer_slice_append(out, dal_buffer_slice(&miss->hint));
		dal_buffer_byte(out, ')');
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

static void explain(const struct dal_trial *trial, size_t index,
		    const struct dal_log_record *record, struct dal_buffer *out)
{
	struct dal_json *json = dal_json_new();
	struct dal_reason reason = {0};
	struct dal_reasons *reasons;
	struct dal_event event;

	if (dal_json_parse(json, record->event, DAL_JSON_PADDED, NULL) == 0) {
		dal_event_view(&event, json);
		event.place = record->place;
		reasons = dal_reasons_new(trial->app->rules, &event);
		dal_reasons_find(reasons, (uint32_t)index, &reason);
		dal_reason_print(&reason, out);
		dal_reason_deinit(&reason);
		dal_reasons_free(reasons);
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
		explain(trial, index, record, out);
	}
}
