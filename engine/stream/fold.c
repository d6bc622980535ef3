/* The evaluator's second half: keys and folds, and what happens when a fold fails. */
#include <errno.h>

#include "engine/base/memory.h"
#include "engine/stream/evaluator_private.h"

/* Folds the batch's earlier events of this entry into `value`, on any machine. */
static int fold_earlier(struct dal_evaluator *e, struct dal_vm *vm, struct dal_cache_entry *entry,
			struct dal_vm_entry *value)
{
	struct dal_event event;
	int r = 0;

	for (uint32_t i = 0; i < entry->fold_count && r <= DAL_VM_NO && r >= 0; i++) {
		if (dal_evaluator_read(&e->batch->records[entry->folds[i]], e->earlier, &event,
				       NULL) != 0) {
			return -EBADMSG;
		}
		dal_vm_event(vm, &event);
		r = dal_vm_fold(vm, entry->projection, value);
	}
	dal_vm_event(vm, &e->event);
	return r == DAL_VM_NO ? 0 : r;
}

/* What is stored, as a value on any machine; a new entry if nothing is. */
static int stored_value(struct dal_evaluator *e, struct dal_vm *vm, struct dal_cache_entry *entry,
			struct dal_vm_entry **value)
{
	struct dal_view_entry stored = {0};
	int r;

	dal_buffer_clear(&e->memory);
	r = e->load(e->own, entry->projection, dal_cache_key(entry), &stored, &e->memory);
	if (r < 0) {
		return r;
	}
	if (r != 0 || stored.json.size == 0) {
		*value = dal_vm_entry_new(vm, entry->projection);
		return 0;
	}
	return dal_vm_entry_decode(vm, entry->projection, stored.json, value);
}

/* The value as it was before this event, on any machine. */
static int value_before(struct dal_evaluator *e, struct dal_vm *vm, struct dal_cache_entry *entry,
			struct dal_vm_entry **value)
{
	int r = stored_value(e, vm, entry, value);

	if (r != 0) {
		return r;
	}
	r = fold_earlier(e, vm, entry, *value);
	if (r != 0) {
		dal_vm_entry_free(*value);
		*value = NULL;
	}
	return r;
}

/* Gives the entry a value of the second machine. */
static int value_adopt(struct dal_evaluator *e, struct dal_cache_entry *entry,
		       const struct dal_vm_entry *value)
{
	if (!dal_vm_entry_exists(value)) {
		entry->value = dal_vm_entry_new(e->vm, entry->projection);
		return 0;
	}
	dal_buffer_clear(&e->text);
	dal_vm_entry_encode(value, &e->text);
	return dal_vm_entry_decode(e->vm, entry->projection, dal_buffer_slice(&e->text),
				   &entry->value);
}

/* After an error: the entry is made again as it was before this event. */
static int entry_restore(struct dal_evaluator *e, struct dal_cache_entry *entry)
{
	struct dal_vm_entry *value;
	struct dal_vm *vm;
	int r;

	if (entry->value) {
		dal_vm_entry_free(entry->value);
		entry->value = NULL;
	}
	r = value_before(e, e->vm, entry, &entry->value);
	if (r != DAL_VM_LIMIT) {
		return r == DAL_VM_ERROR ? -EILSEQ : r;
	}
	r = dal_evaluator_second(e, &vm);
	if (r == 0) {
		r = value_before(e, vm, entry, &value);
	}
	if (r != 0) {
		return r < 0 ? r : -EILSEQ;
	}
	r = value_adopt(e, entry, value);
	dal_vm_entry_free(value);
	return r;
}

/* The verdict of a fresh machine on a fold that hit a limit: the entry is as that machine says. */
static int second_fold(struct dal_evaluator *e, struct dal_cache_entry *entry,
		       const struct dal_vm **asked)
{
	struct dal_vm_entry *value;
	struct dal_vm *vm;
	int adopted, r;

	r = dal_evaluator_second(e, &vm);
	if (r == 0) {
		r = value_before(e, vm, entry, &value);
	}
	if (r != 0) {
		return r < 0 ? r : -EILSEQ;
	}
	*asked = vm;
	r = dal_vm_fold(vm, entry->projection, value);
	if (r == 0 || r == DAL_VM_NO) {
		dal_vm_entry_free(entry->value);
		entry->value = NULL;
		adopted = value_adopt(e, entry, value);
		r = adopted < 0 ? adopted : r;
	}
	dal_vm_entry_free(value);
	return r;
}

static void folded(struct dal_evaluator *e, struct dal_cache_entry *entry)
{
	DAL_GROW(entry->folds, entry->fold_count, entry->fold_capacity);
	entry->folds[entry->fold_count++] = (uint32_t)e->index;
	entry->position = dal_evaluator_place(e, &e->event.place);
	dal_cache_dirty(e->cache, entry);
}

static const char *const effects[] = {"skipped", "parked", "halted"};

static void failed(struct dal_evaluator *e, const struct dal_projection *projection,
		   const char *part, struct dal_slice key, struct dal_vm_failure failure,
		   enum dal_on_error on_error)
{
	dal_evaluator_fail(e, &(struct dal_evaluator_failure){
				      .declaration = projection->name,
				      .projection = true,
				      .key = key,
				      .part = part,
				      .message = failure.message,
				      .trace = failure.trace,
				      .effect = effects[on_error],
				      .line = projection->line,
			      });
}

static int fold_failed(struct dal_evaluator *e, const struct dal_projection *projection,
		       struct dal_cache_entry *entry, struct dal_vm_failure failure)
{
	struct dal_slice message = failure.message;
	int r;

	failed(e, projection, "fold", dal_cache_key(entry), failure, projection->on_error);
	if (projection->on_error == DAL_ON_ERROR_HALT) {
		dal_vm_entry_free(entry->value); /* half folded, and not dirty perhaps */
		entry->value = NULL;
		return DAL_EVALUATOR_HALT;
	}
	if (projection->on_error == DAL_ON_ERROR_PARK) {
		free(entry->message);
		entry->message = dal_slice_dup(message); /* before the machine runs again */
	}
	r = entry_restore(e, entry);
	if (r == 0 && projection->on_error == DAL_ON_ERROR_PARK) {
		entry->parked = true;
		entry->parked_at = dal_evaluator_place(e, &e->event.place);
		dal_cache_dirty(e->cache, entry);
	}
	return r;
}

static int fold_key(struct dal_evaluator *e, uint32_t index,
		    const struct dal_projection *projection, struct dal_slice key)
{
	const struct dal_vm *asked = e->vm;
	struct dal_cache_entry *entry;
	int r = dal_evaluator_entry(e, index, key, &entry);

	if (r != 0 || entry->parked) {
		return r;
	}
	r = dal_vm_fold(e->vm, index, entry->value);
	if (r == DAL_VM_LIMIT) {
		r = second_fold(e, entry, &asked);
	}
	if (r < 0) {
		return r;
	}
	if (r == DAL_VM_ERROR || r == DAL_VM_LIMIT) {
		return fold_failed(e, projection, entry, dal_vm_failure(asked));
	}
	folded(e, entry);
	if (e->sink->fold) {
		e->sink->fold(e->own, &e->event, projection, dal_cache_key(entry));
	}
	return 0;
}

/* The keys outlive further calls of the machine only as copies. */
static void keys_copy(struct dal_buffer *copy, const struct dal_slice *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		dal_buffer_sized(copy, keys[i]);
	}
}

static int fold_keys(struct dal_evaluator *e, uint32_t index,
		     const struct dal_projection *projection, const struct dal_slice *keys,
		     size_t count)
{
	struct dal_buffer copy = {0};
	struct dal_slice rest, key;
	int r = 0;

	keys_copy(&copy, keys, count);
	rest = dal_buffer_slice(&copy);
	while (r == 0 && dal_slice_take_sized(&rest, &key)) {
		r = fold_key(e, index, projection, key);
	}
	dal_buffer_deinit(&copy);
	return r;
}

int dal_evaluator_projection(struct dal_evaluator *e, uint32_t index)
{
	const struct dal_projection *projection = dal_rules_projection(e->rules, index);
	const struct dal_slice *keys;
	struct dal_vm *vm = e->vm;
	size_t count = 0;
	int r;

	if (!dal_evaluator_feeds(e, projection->topics, projection->system)) {
		return 0;
	}
	r = dal_vm_keys(vm, index, &keys, &count);
	if (r == DAL_VM_LIMIT && (r = dal_evaluator_second(e, &vm)) == 0) {
		r = dal_vm_keys(vm, index, &keys, &count);
	}
	if (r == DAL_VM_NO || r < 0) {
		return r < 0 ? r : 0;
	}
	if (r != 0) { /* there is no key to park */
		bool halt = projection->on_error == DAL_ON_ERROR_HALT;
		failed(e, projection, "key", (struct dal_slice){0}, dal_vm_failure(vm),
		       halt ? DAL_ON_ERROR_HALT : DAL_ON_ERROR_SKIP);
		return halt ? DAL_EVALUATOR_HALT : 0;
	}
	return count == 1 ? fold_key(e, index, projection, keys[0])
			  : fold_keys(e, index, projection, keys, count);
}
