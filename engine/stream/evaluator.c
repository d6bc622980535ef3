#include "engine/stream/evaluator_private.h"

#include <errno.h>

#include "engine/base/error.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

/* --- views: what guards see --- */

static int view_lookup(struct dal_evaluator *e, uint32_t projection, struct dal_slice key,
		       struct dal_cache_entry **found, struct dal_buffer *message)
{
	struct dal_cache_entry *entry;
	int r;

	if (e->rights &&
	    !e->rights->may_read(e->rights->own, &e->event, e->rule, projection, key, message)) {
		return DAL_VM_VIEW_REFUSED;
	}
	r = dal_evaluator_entry(e, projection, key, &entry);
	if (r < 0) {
		return r;
	}
	if (entry->parked) {
		dal_buffer_printf(message, "this key is parked since %.*s/%d/%llu: %s",
				  (int)entry->parked_at.topic.size, entry->parked_at.topic.data,
				  entry->parked_at.partition,
				  (unsigned long long)entry->parked_at.offset,
				  entry->message ? entry->message : "");
		return DAL_VM_VIEW_PARKED;
	}
	*found = entry;
	return 0;
}

static int on_view(void *own, uint32_t projection, struct dal_slice key,
		   const struct dal_vm_entry **value, struct dal_buffer *message)
{
	struct dal_cache_entry *entry;
	int r = view_lookup(own, projection, key, &entry, message);

	if (r == 0) {
		*value = dal_vm_entry_exists(entry->value) ? entry->value : NULL;
	}
	return r;
}

/* The second machine can't read the first one's values: it is lent copies. */
static int on_view_second(void *own, uint32_t projection, struct dal_slice key,
			  const struct dal_vm_entry **value, struct dal_buffer *message)
{
	struct dal_evaluator *e = own;
	struct dal_cache_entry *entry;
	struct dal_vm_entry *copy;
	int r = view_lookup(e, projection, key, &entry, message);

	if (r != 0) {
		return r;
	}
	*value = NULL;
	if (!dal_vm_entry_exists(entry->value)) {
		return 0;
	}
	dal_buffer_clear(&e->text);
	dal_vm_entry_encode(entry->value, &e->text);
	r = dal_vm_entry_decode(e->second, projection, dal_buffer_slice(&e->text), &copy);
	if (r < 0) {
		return r;
	}
	DAL_GROW(e->lent, e->lent_count, e->lent_capacity);
	e->lent[e->lent_count++] = copy;
	*value = copy;
	return 0;
}

void dal_evaluator_second_end(struct dal_evaluator *e)
{
	for (size_t i = 0; i < e->lent_count; i++) {
		dal_vm_entry_free(e->lent[i]);
	}
	e->lent_count = 0;
	dal_vm_free(e->second);
	e->second = NULL;
}

int dal_evaluator_second(struct dal_evaluator *e, struct dal_vm **vm)
{
	int r;

	dal_evaluator_second_end(e);
	r = dal_vm_new(&(struct dal_vm_options){.rules = e->rules,
						.view = on_view_second,
						.own = e,
						.unlimited_time = e->unlimited_time,
						.lines = e->lines},
		       &e->second);
	if (r < 0) {
		return r;
	}
	dal_vm_event(e->second, &e->event);
	*vm = e->second;
	return 0;
}

/* --- entries --- */

struct dal_place dal_evaluator_place(struct dal_evaluator *e, const struct dal_place *place)
{
	struct dal_place out = *place;

	for (size_t i = 0; i < e->topic_count; i++) {
		if (dal_slice_is(place->topic, e->topics[i])) {
			out.topic = dal_slice_text(e->topics[i]);
			return out;
		}
	}
	e->topics = dal_reallocarray(e->topics, e->topic_count + 1, sizeof(*e->topics));
	e->topics[e->topic_count] = dal_slice_dup(place->topic);
	out.topic = dal_slice_text(e->topics[e->topic_count++]);
	return out;
}

int dal_evaluator_reload(struct dal_evaluator *e, struct dal_cache_entry *entry)
{
	struct dal_view_entry stored = {0};
	int r;

	if (entry->value) {
		dal_vm_entry_free(entry->value);
		entry->value = NULL;
	}
	dal_buffer_clear(&e->memory);
	r = e->load(e->own, entry->projection, dal_cache_key(entry), &stored, &e->memory);
	if (r < 0) {
		return r;
	}
	if (r == 0) {
		entry->position = dal_evaluator_place(e, &stored.position);
		entry->parked = stored.parked;
		if (stored.parked) {
			entry->parked_at = dal_evaluator_place(e, &stored.parked_at);
			free(entry->message);
			entry->message = dal_slice_dup(stored.message);
		}
	}
	dal_cache_sized(e->cache, entry, stored.json.size);
	if (r != 0 || stored.json.size == 0) {
		entry->value = dal_vm_entry_new(e->vm, entry->projection);
		return 0;
	}
	return dal_vm_entry_decode(e->vm, entry->projection, stored.json, &entry->value);
}

int dal_evaluator_entry(struct dal_evaluator *e, uint32_t projection, struct dal_slice key,
			struct dal_cache_entry **entry)
{
	bool fresh;

	*entry = dal_cache_get(e->cache, projection, key, &fresh);
	if (!fresh && (*entry)->value) {
		return 0;
	}
	return dal_evaluator_reload(e, *entry);
}

/* --- the event --- */

static const struct dal_target *target_find(const struct dal_evaluator *e, struct dal_slice name)
{
	for (size_t i = 0; i < e->target_count; i++) {
		if (dal_slice_is(name, e->targets[i].name)) {
			return &e->targets[i];
		}
	}
	return NULL;
}

const struct dal_target *dal_evaluator_target(const struct dal_evaluator *e, struct dal_slice name)
{
	return target_find(e, name);
}

int dal_evaluator_read(const struct dal_log_record *record, struct dal_json *json,
		       struct dal_event *event, struct dal_json_error *mistake)
{
	int flags = DAL_JSON_PADDED | (record->untrusted ? DAL_JSON_LAST_WINS : DAL_JSON_TRUSTED);

	if (dal_json_parse(json, record->event, flags, mistake) != 0) {
		return record->untrusted ? DAL_EVALUATOR_BROKEN : -EBADMSG;
	}
	dal_event_view(event, json);
	if (record->foreign) {
		event->hops = 0;
		event->cause = (struct dal_slice){0};
	}
	event->place = record->place;
	event->appended_us = record->appended_us;
	return 0;
}

int dal_evaluator_parse(struct dal_evaluator *e, const struct dal_log_batch *batch, size_t index,
			const struct dal_event **event, struct dal_error *why)
{
	struct dal_json_error mistake;
	int r = dal_evaluator_read(&batch->records[index], e->json, &e->event, &mistake);

	e->batch = batch;
	e->index = index;
	if (r == DAL_EVALUATOR_BROKEN) {
		dal_error_set(why, "its JSON is broken at byte %zu: %s", mistake.position,
			      mistake.reason);
	}
	if (r != 0) {
		return r;
	}
	dal_vm_event(e->vm, &e->event);
	*event = &e->event;
	return 0;
}

bool dal_evaluator_feeds(const struct dal_evaluator *e, const char *const *topics, bool system)
{
	if (dal_event_is_system(&e->event) && !system) {
		return false;
	}
	if (!topics || !topics[0]) {
		return true;
	}
	for (; *topics; topics++) {
		if (dal_slice_is(e->event.place.topic, *topics)) {
			return true;
		}
	}
	return false;
}

void dal_evaluator_fail(struct dal_evaluator *e, const struct dal_evaluator_failure *failure)
{
	if (e->sink->fail) {
		e->sink->fail(e->own, &e->event, failure);
	}
}

int dal_evaluator_run(struct dal_evaluator *e, bool rules)
{
	size_t rule_count = dal_rules_rule_count(e->rules);
	const uint32_t *ids;
	size_t count, i = 0;

	if (e->event.hops > DAL_LIMIT_HOPS) {
		return 0;
	}
	count = dal_matcher_match(dal_rules_matcher(e->rules), e->scratch, e->json, DAL_JSON_ROOT,
				  &ids);
	for (; i < count && ids[i] < rule_count; i++) {
		int r = rules ? dal_evaluator_rule(e, ids[i]) : 0;
		if (r != 0) {
			return r;
		}
	}
	for (; i < count; i++) {
		int r = dal_evaluator_projection(e, (uint32_t)(ids[i] - rule_count));
		if (r != 0) {
			return r;
		}
	}
	if (e->second) {
		dal_evaluator_second_end(e);
	}
	return 0;
}

int dal_evaluator_fold_only(struct dal_evaluator *e, uint32_t projection)
{
	const struct dal_projection *p = dal_rules_projection(e->rules, projection);
	int r = 0;

	if (e->event.hops <= DAL_LIMIT_HOPS &&
	    dal_pattern_test(dal_rules_pattern(e->rules, p->pattern), e->json, DAL_JSON_ROOT)) {
		r = dal_evaluator_projection(e, projection);
	}
	return r;
}

/* --- commit --- */

void dal_evaluator_changes(struct dal_evaluator *e,
			   void (*each)(void *own, const struct dal_cache_entry *entry,
					struct dal_slice json),
			   void *own)
{
	struct dal_cache_entry *entry;

	for (entry = dal_cache_dirty_sorted(e->cache); entry; entry = entry->next_dirty) {
		dal_buffer_clear(&e->text);
		if (dal_vm_entry_exists(entry->value)) {
			dal_vm_entry_encode(entry->value, &e->text);
		}
		dal_cache_sized(e->cache, entry, e->text.size);
		each(own, entry, dal_buffer_slice(&e->text));
	}
}

void dal_evaluator_clean(struct dal_evaluator *e)
{
	dal_cache_clean(e->cache);
}

void dal_evaluator_discard(struct dal_evaluator *e)
{
	dal_cache_discard(e->cache);
}

void dal_evaluator_forget(struct dal_evaluator *e)
{
	dal_cache_forget(e->cache);
}

/* --- life --- */

static void targets_resolve(struct dal_evaluator *e)
{
	size_t count = dal_rules_rule_count(e->rules), most = 1;

	e->rule_targets = dal_calloc(count ? count : 1, sizeof(*e->rule_targets));
	for (size_t i = 0; i < count; i++) {
		const struct dal_rule *rule = dal_rules_rule(e->rules, i);
		size_t calls = 0;

		while (rule->calls && rule->calls[calls]) {
			calls++;
		}
		e->rule_targets[i] = dal_calloc(calls + 1, sizeof(**e->rule_targets));
		for (size_t k = 0; k < calls; k++) {
			e->rule_targets[i][k] = target_find(e, dal_slice_text(rule->calls[k]));
			DAL_ASSERT(e->rule_targets[i][k]); /* the loader checked the names */
		}
		most = calls > most ? calls : most;
	}
	e->payload_ends = dal_calloc(most, sizeof(*e->payload_ends));
}

int dal_evaluator_new(const struct dal_evaluator_options *options, struct dal_evaluator **out)
{
	struct dal_evaluator *e = dal_calloc(1, sizeof(*e));
	int r;

	e->rules = dal_rules_ref(options->rules);
	e->targets = options->targets;
	e->target_count = options->target_count;
	e->load = options->load;
	e->sink = options->sink;
	e->own = options->own;
	e->unlimited_time = options->unlimited_time;
	e->rights = options->rights;
	e->lines = options->lines;
	e->json = dal_json_new();
	e->earlier = dal_json_new();
	e->cache = dal_cache_new(options->cache_entries);
	e->scratch = dal_matcher_scratch_new(dal_rules_matcher(e->rules));
	targets_resolve(e);
	r = dal_vm_new(&(struct dal_vm_options){.rules = e->rules,
						.view = on_view,
						.own = e,
						.unlimited_time = e->unlimited_time,
						.lines = e->lines},
		       &e->vm);
	if (r < 0) {
		dal_evaluator_free(e);
		return r;
	}
	*out = e;
	return 0;
}

void dal_evaluator_free(struct dal_evaluator *e)
{
	if (!e) {
		return;
	}
	dal_evaluator_second_end(e);
	dal_cache_free(e->cache);
	dal_vm_free(e->vm);
	dal_matcher_scratch_free(e->scratch);
	dal_json_free(e->json);
	dal_json_free(e->earlier);
	for (size_t i = 0; i < dal_rules_rule_count(e->rules); i++) {
		free(e->rule_targets[i]);
	}
	free(e->rule_targets);
	for (size_t i = 0; i < e->topic_count; i++) {
		free(e->topics[i]);
	}
	free(e->topics);
	free(e->lent);
	dal_buffer_deinit(&e->memory);
	dal_buffer_deinit(&e->text);
	dal_buffer_deinit(&e->payloads);
	free(e->payload_ends);
	dal_rules_unref(e->rules);
	free(e);
}
