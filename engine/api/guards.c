#include "engine/api/guards.h"

#include <pthread.h>
#include <stdlib.h>

#include "engine/base/memory.h"
#include "engine/event/json_write.h"

#define VIEWS_MAX 16    /* reads of one guard that are told */
#define VIEW_BYTES 2048 /* of an entry; a larger one's size is told instead */

struct dal_guards {
	pthread_mutex_t lock;
	struct dal_rules *rules; /* that the machine was made of */
	struct dal_vm *vm;       /* or NULL: nobody asked yet */

	/* while a question is answered */
	const struct dal_guard_question *question;
	struct dal_guard_answer *answer;
	struct dal_vm_entry **lent;
	size_t lent_count, lent_capacity, views;
	struct dal_buffer memory;
};

/* --- the machine --- */

struct dal_guards *dal_guards_new(void)
{
	struct dal_guards *guards = dal_calloc(1, sizeof(*guards));

	pthread_mutex_init(&guards->lock, NULL);
	return guards;
}

static void machine_drop(struct dal_guards *guards)
{
	dal_vm_free(guards->vm);
	dal_rules_unref(guards->rules);
	guards->vm = NULL;
	guards->rules = NULL;
}

void dal_guards_free(struct dal_guards *guards)
{
	if (guards) {
		machine_drop(guards);
		free(guards->lent);
		dal_buffer_deinit(&guards->memory);
		pthread_mutex_destroy(&guards->lock);
		free(guards);
	}
}

static int on_view(void *own, uint32_t projection, struct dal_slice key,
		   const struct dal_vm_entry **entry, struct dal_buffer *message);

/* It keeps a reference to the set, so that another set can't have its address. */
static int machine_take(struct dal_guards *guards, struct dal_rules *rules)
{
	int r;

	if (guards->vm && guards->rules == rules) {
		return 0;
	}
	machine_drop(guards);
	r = dal_vm_new(&(struct dal_vm_options){.rules = rules, .view = on_view, .own = guards},
		       &guards->vm);
	if (r == 0) {
		guards->rules = dal_rules_ref(rules);
	}
	return r;
}

/* --- what it reads --- */

static void note_view(struct dal_guards *guards, const struct dal_projection *projection,
		      struct dal_slice key, struct dal_slice json)
{
	struct dal_json_writer w = {.out = &guards->answer->views};

	if (guards->views++ >= VIEWS_MAX) {
		return;
	}
	dal_buffer_text(w.out, w.out->size > 0 ? "," : "");
	dal_json_begin_object(&w);
	dal_json_key(&w, "projection");
	dal_json_put_text(&w, projection->name);
	dal_json_key(&w, "key");
	dal_json_put_slice(&w, key);
	if (json.size > VIEW_BYTES) {
		dal_json_key(&w, "bytes");
		dal_json_put_integer(&w, (int64_t)json.size);
	} else {
		dal_json_key(&w, "value");
		dal_json_put_raw(&w, json.size > 0 ? json : dal_slice_text("null"));
	}
	dal_json_end_object(&w);
}

static int lend(struct dal_guards *guards, uint32_t projection, struct dal_slice json,
		const struct dal_vm_entry **out)
{
	struct dal_vm_entry *entry;
	int r = dal_vm_entry_decode(guards->vm, projection, json, &entry);

	if (r == 0) {
		DAL_GROW(guards->lent, guards->lent_count, guards->lent_capacity);
		guards->lent[guards->lent_count++] = entry;
		*out = entry;
	}
	return r;
}

static void lent_free(struct dal_guards *guards)
{
	for (size_t i = 0; i < guards->lent_count; i++) {
		dal_vm_entry_free(guards->lent[i]);
	}
	guards->lent_count = 0;
}

static int on_view(void *own, uint32_t projection, struct dal_slice key,
		   const struct dal_vm_entry **entry, struct dal_buffer *message)
{
	struct dal_guards *guards = own;
	const struct dal_guard_question *q = guards->question;
	struct dal_view_entry stored = {0};
	int r = DAL_STATE_ABSENT;

	*entry = NULL;
	if (q->rights &&
	    !q->rights->may_read(q->rights->own, q->event, q->rule, projection, key, message)) {
		return DAL_VM_VIEW_REFUSED;
	}
	if (q->load) {
		dal_buffer_clear(&guards->memory);
		r = q->load(q->own, projection, key, &stored, &guards->memory);
	}
	if (r < 0) {
		return r;
	}
	if (r == 0 && stored.parked) {
		dal_buffer_text(message, "this key is parked since ");
		dal_place_format(&stored.parked_at, message);
		dal_buffer_text(message, ": ");
		dal_buffer_slice_append(message, stored.message);
		return DAL_VM_VIEW_PARKED;
	}
	note_view(guards, dal_rules_projection(q->rules, projection), key, stored.json);
	return stored.json.size > 0 ? lend(guards, projection, stored.json, entry) : 0;
}

/* --- a question --- */

static void answer_clear(struct dal_guard_answer *answer)
{
	dal_buffer_clear(&answer->returned);
	dal_buffer_clear(&answer->message);
	dal_buffer_clear(&answer->trace);
	dal_buffer_clear(&answer->views);
}

void dal_guard_answer_deinit(struct dal_guard_answer *answer)
{
	dal_buffer_deinit(&answer->returned);
	dal_buffer_deinit(&answer->message);
	dal_buffer_deinit(&answer->trace);
	dal_buffer_deinit(&answer->views);
}

static int run(struct dal_guards *guards)
{
	const struct dal_guard_question *q = guards->question;
	int r = machine_take(guards, q->rules);

	if (r == 0) {
		answer_clear(guards->answer);
		guards->views = 0;
		dal_vm_event(guards->vm, q->event);
		r = dal_vm_when_explained(guards->vm, q->rule, &guards->answer->returned);
		lent_free(guards);
	}
	return r;
}

/* Without the frame of whoever called the guard. */
static struct dal_slice trace_of(const struct dal_vm_failure *failure)
{
	static const char caller[] = "\n\t[C]: in ?";
	struct dal_slice trace = failure->trace;
	size_t size = sizeof(caller) - 1;

	if (trace.size > size && memcmp(trace.data + trace.size - size, caller, size) == 0) {
		trace.size -= size;
	}
	return trace;
}

static void say(struct dal_guards *guards, int r)
{
	struct dal_guard_answer *answer = guards->answer;
	struct dal_vm_failure failure;

	answer->kind = r == 0           ? DAL_GUARD_PASSED
		       : r == DAL_VM_NO ? DAL_GUARD_REFUSED
					: DAL_GUARD_FAILED;
	if (r < 0) {
		dal_buffer_printf(&answer->message, "the engine failed, not the guard: %s",
				  strerror(-r));
	} else if (answer->kind == DAL_GUARD_FAILED) {
		failure = dal_vm_failure(guards->vm);
		dal_buffer_slice_append(&answer->message, failure.message);
		dal_buffer_slice_append(&answer->trace, trace_of(&failure));
	}
}

void dal_guards_ask(struct dal_guards *guards, const struct dal_guard_question *question,
		    struct dal_guard_answer *answer)
{
	int r;

	pthread_mutex_lock(&guards->lock);
	guards->question = question;
	guards->answer = answer;
	answer_clear(answer);
	r = run(guards);
	if (r == DAL_VM_LIMIT) { /* what a fresh machine says counts */
		machine_drop(guards);
		r = run(guards);
	}
	say(guards, r);
	pthread_mutex_unlock(&guards->lock);
}
