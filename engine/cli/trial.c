#include "engine/cli/trial.h"

#include <stdlib.h>

#include "engine/base/map.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"

enum { CACHE_ENTRIES = 1024 };

struct entry {
	struct dal_buffer json;
};

/* --- entries in memory --- */

static struct dal_slice entry_key(struct dal_buffer *out, uint32_t projection, struct dal_slice key)
{
	dal_buffer_clear(out);
	dal_buffer_u32be(out, projection);
	dal_buffer_slice_append(out, key);
	return dal_buffer_slice(out);
}

static void entry_set(struct dal_trial *trial, uint32_t projection, struct dal_slice key,
		      struct dal_slice json)
{
	struct dal_slice full = entry_key(&trial->text, projection, key);
	struct entry *entry = dal_map_get(trial->entries, full);

	if (!entry) {
		entry = dal_calloc(1, sizeof(*entry));
		dal_map_set(trial->entries, full, entry);
	}
	dal_buffer_clear(&entry->json);
	dal_buffer_slice_append(&entry->json, json);
}

static int on_load(void *own, uint32_t projection, struct dal_slice key, struct dal_view_entry *out,
		   struct dal_buffer *memory)
{
	struct dal_trial *trial = own;
	struct entry *entry = dal_map_get(trial->entries, entry_key(&trial->text, projection, key));

	(void)memory;
	if (!entry || entry->json.size == 0) {
		return DAL_STATE_ABSENT;
	}
	*out = (struct dal_view_entry){.json = dal_buffer_slice(&entry->json)};
	return 0;
}

static void on_change(void *own, const struct dal_cache_entry *entry, struct dal_slice json)
{
	entry_set(own, entry->projection, dal_cache_key(entry), json);
}

/* --- effects --- */

static struct dal_effect *effect_add(struct dal_trial *trial, enum dal_effect_kind kind,
				     const char *rule)
{
	DAL_GROW(trial->effects, trial->count, trial->capacity);
	trial->effects[trial->count] = (struct dal_effect){
		.kind = kind, .event = trial->index, .rule = rule};
	return &trial->effects[trial->count++];
}

static void on_match(void *own, const struct dal_event *event, const struct dal_rule *rule,
		     bool passed)
{
	(void)event;
	effect_add(own, DAL_EFFECT_MATCH, rule->name)->passed = passed;
}

static void on_call(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    const struct dal_target *target, struct dal_slice payload,
		    struct dal_slice order)
{
	struct dal_effect *effect = effect_add(own, DAL_EFFECT_CALL, rule->name);

	(void)event;
	(void)order;
	effect->name = dal_strdup(target->name);
	effect->json = dal_slice_dup(payload);
}

static void put(struct dal_json_writer *w, const char *key, struct dal_slice text)
{
	if (text.size > 0) {
		dal_json_key(w, key);
		dal_json_put_slice(w, text);
	}
}

void dal_trial_put_emitted(struct dal_json_writer *w, const struct dal_vm_emitted *emitted)
{
	dal_json_begin_object(w);
	put(w, "type", emitted->type);
	put(w, "subject", emitted->subject);
	put(w, "partitionkey", emitted->partitionkey);
	put(w, "source", emitted->source);
	put(w, "topic", emitted->topic);
	for (size_t i = 0; i < emitted->extension_count; i++) {
		const struct dal_attribute *a = &emitted->extensions[i];
		dal_json_key_slice(w, a->name);
		if (a->raw) {
			dal_json_put_raw(w, a->value);
		} else {
			dal_json_put_slice(w, a->value);
		}
	}
	if (emitted->data.size > 0) {
		dal_json_key(w, "data");
		dal_json_put_raw(w, emitted->data);
	}
	dal_json_end_object(w);
}

static void on_emit(void *own, const struct dal_event *event, const struct dal_rule *rule,
		    uint32_t index, const struct dal_vm_emitted *emitted)
{
	struct dal_effect *effect = effect_add(own, DAL_EFFECT_EMIT, rule->name);
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	(void)event;
	(void)index;
	dal_trial_put_emitted(&w, emitted);
	effect->name = dal_slice_dup(emitted->type);
	effect->json = dal_slice_dup(dal_buffer_slice(&out));
	dal_buffer_deinit(&out);
}

static void on_fail(void *own, const struct dal_event *event,
		    const struct dal_evaluator_failure *failure)
{
	struct dal_effect *effect = effect_add(own, DAL_EFFECT_FAIL, failure->declaration);

	(void)event;
	effect->name = dal_strdup(failure->part);
	effect->json = dal_slice_dup(failure->message);
}

static const struct dal_evaluator_sink sink = {
	.match = on_match, .call = on_call, .emit = on_emit, .fail = on_fail};

/* --- life --- */

int dal_trial_init(struct dal_trial *trial, const struct dal_app *app)
{
	*trial = (struct dal_trial){.app = app, .entries = dal_map_new()};
	return dal_evaluator_new(&(struct dal_evaluator_options){.rules = app->rules,
								 .targets = app->targets,
								 .target_count = app->target_count,
								 .load = on_load,
								 .sink = &sink,
								 .own = trial,
								 .cache_entries = CACHE_ENTRIES},
				 &trial->evaluator);
}

void dal_trial_deinit(struct dal_trial *trial)
{
	size_t cursor = 0;
	struct dal_slice key;
	void *value;

	dal_evaluator_free(trial->evaluator);
	while (dal_map_next(trial->entries, &cursor, &key, &value)) {
		dal_buffer_deinit(&((struct entry *)value)->json);
		free(value);
	}
	dal_map_free(trial->entries);
	for (size_t i = 0; i < trial->count; i++) {
		free(trial->effects[i].name);
		free(trial->effects[i].json);
	}
	free(trial->effects);
	dal_buffer_deinit(&trial->text);
}

bool dal_trial_given(struct dal_trial *trial, const char *projection, const char *key,
		     struct dal_slice json)
{
	long index = dal_rules_projection_index(trial->app->rules, dal_slice_text(projection));

	if (index < 0) {
		return false;
	}
	entry_set(trial, (uint32_t)index, dal_slice_text(key), json);
	return true;
}

int dal_trial_run(struct dal_trial *trial, const struct dal_log_batch *batch)
{
	const struct dal_event *event;
	struct dal_error why;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->count; i++) {
		trial->index = i;
		r = dal_evaluator_parse(trial->evaluator, batch, i, &event, &why);
		if (r == 0) {
			r = dal_evaluator_run(trial->evaluator, true);
		}
	}
	dal_evaluator_changes(trial->evaluator, on_change, trial);
	dal_evaluator_clean(trial->evaluator);
	return r;
}

struct dal_slice dal_trial_entry(const struct dal_trial *trial, const char *projection,
				 const char *key)
{
	long index = dal_rules_projection_index(trial->app->rules, dal_slice_text(projection));
	struct dal_buffer full = {0};
	struct entry *entry = NULL;

	if (index >= 0) {
		entry = dal_map_get(trial->entries,
				    entry_key(&full, (uint32_t)index, dal_slice_text(key)));
	}
	dal_buffer_deinit(&full);
	return entry ? dal_buffer_slice(&entry->json) : (struct dal_slice){0};
}
