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

static int touched_compare(const struct dal_touched *touched, uint32_t projection,
			   struct dal_slice key)
{
	if (touched->projection != projection) {
		return touched->projection < projection ? -1 : 1;
	}
	return dal_slice_compare(dal_slice(touched->key, touched->key_size), key);
}

/* Keeps them in order; an entry that the cache gave up may come again. */
static void note(struct dal_trial *trial, uint32_t projection, struct dal_slice key,
		 const struct entry *entry)
{
	struct dal_slice json = entry ? dal_buffer_slice(&entry->json) : (struct dal_slice){0};
	size_t low = 0, high = trial->touched_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = touched_compare(&trial->touched[middle], projection, key);
		if (order == 0) {
			return;
		}
		*(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
	}
	DAL_GROW(trial->touched, trial->touched_count, trial->touched_capacity);
	memmove(trial->touched + low + 1, trial->touched + low,
		(trial->touched_count++ - low) * sizeof(*trial->touched));
	trial->touched[low] = (struct dal_touched){.projection = projection,
						   .key = dal_slice_dup(key),
						   .key_size = key.size,
						   .json = dal_slice_dup(json),
						   .json_size = json.size};
}

static int on_load(void *own, uint32_t projection, struct dal_slice key, struct dal_view_entry *out,
		   struct dal_buffer *memory)
{
	struct dal_trial *trial = own;
	struct entry *entry = dal_map_get(trial->entries, entry_key(&trial->text, projection, key));

	(void)memory;
	if (trial->noting) {
		note(trial, projection, key, entry);
	}
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
	struct dal_trial *trial = own;

	(void)event;
	effect_add(trial, DAL_EFFECT_MATCH, rule->name)->passed = passed;
	if (trial->coverage) {
		dal_coverage_match(trial->coverage, rule, passed);
	}
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

static void on_fold(void *own, const struct dal_event *event,
		    const struct dal_projection *projection, struct dal_slice key)
{
	struct dal_trial *trial = own;

	(void)event;
	(void)key;
	if (trial->coverage) {
		dal_coverage_fold(trial->coverage, projection);
	}
}

static const struct dal_evaluator_sink sink = {
	.match = on_match, .call = on_call, .emit = on_emit, .fail = on_fail, .fold = on_fold};

/* --- life --- */

int dal_trial_init(struct dal_trial *trial, const struct dal_app *app)
{
	return dal_trial_init_covered(trial, app, NULL);
}

int dal_trial_init_covered(struct dal_trial *trial, const struct dal_app *app,
			   struct dal_coverage *coverage)
{
	*trial = (struct dal_trial){.app = app, .entries = dal_map_new(), .coverage = coverage};
	return dal_evaluator_new(&(struct dal_evaluator_options){.rules = app->rules,
								 .targets = app->targets,
								 .target_count = app->target_count,
								 .load = on_load,
								 .sink = &sink,
								 .own = trial,
								 .cache_entries = CACHE_ENTRIES,
								 .lines = coverage ? coverage->lines
										   : NULL},
				 &trial->evaluator);
}

static void empty(struct dal_trial *trial)
{
	size_t cursor = 0;
	struct dal_slice key;
	void *value;

	while (dal_map_next(trial->entries, &cursor, &key, &value)) {
		dal_buffer_deinit(&((struct entry *)value)->json);
		free(value);
	}
	dal_map_free(trial->entries);
	for (size_t i = 0; i < trial->count; i++) {
		free(trial->effects[i].name);
		free(trial->effects[i].json);
	}
	for (size_t i = 0; i < trial->touched_count; i++) {
		free(trial->touched[i].key);
		free(trial->touched[i].json);
	}
	trial->count = trial->touched_count = 0;
}

void dal_trial_clear(struct dal_trial *trial)
{
	empty(trial);
	trial->entries = dal_map_new();
	dal_evaluator_forget(trial->evaluator);
}

void dal_trial_deinit(struct dal_trial *trial)
{
	dal_evaluator_free(trial->evaluator);
	empty(trial);
	free(trial->effects);
	free(trial->touched);
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

static int trial_run(struct dal_trial *trial, const struct dal_log_batch *batch, bool rules)
{
	const struct dal_event *event;
	struct dal_error why;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->count; i++) {
		trial->index = i;
		r = dal_evaluator_parse(trial->evaluator, batch, i, &event, &why);
		if (r == 0 && trial->coverage) {
			dal_coverage_event(trial->coverage, event);
		}
		if (r == 0) {
			r = dal_evaluator_run(trial->evaluator, rules);
		}
	}
	dal_evaluator_changes(trial->evaluator, on_change, trial);
	dal_evaluator_clean(trial->evaluator);
	return r;
}

int dal_trial_run(struct dal_trial *trial, const struct dal_log_batch *batch)
{
	return trial_run(trial, batch, true);
}

int dal_trial_fold(struct dal_trial *trial, const struct dal_log_batch *batch)
{
	return trial_run(trial, batch, false);
}

void dal_trial_note(struct dal_trial *trial)
{
	dal_evaluator_forget(trial->evaluator);
	trial->noting = true;
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
