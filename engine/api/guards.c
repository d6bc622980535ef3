#include "engine/api/guards.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "engine/stream/cache.h"

#define VIEWS_MAX 16    /* reads of one guard that are told */
#define VIEW_BYTES 2048 /* of an entry; a larger one's size is told instead */
/* What one guard may read: keys and entries as JSON. As Lua values they are up to 25 times that. */
#define READ_BYTES (4 * DAL_MIB)
#define READ_BYTES_EACH 256 /* what a key costs beside its bytes */

struct dal_guards {
	pthread_mutex_t lock;
	struct dal_rules *rules; /* that the machine was made of */
	struct dal_vm *vm;       /* or NULL: nobody asked yet */
	struct dal_cache *cache; /* what the question read: views don't change meanwhile */
	int64_t rest_until_us;

	/* while a question is answered */
	const struct dal_guard_question *question;
	struct dal_guard_answer *answer;
	size_t views, read_bytes;
	int fatal; /* of a read; the guard may have caught it, and yet its answer is none */
	struct dal_buffer memory;
};

/* --- who has it --- */

bool dal_guards_take(struct dal_guards *guards)
{
	if (pthread_mutex_trylock(&guards->lock) != 0) {
		return false;
	}
	if (dal_clock_monotonic_us() < guards->rest_until_us) {
		pthread_mutex_unlock(&guards->lock);
		return false;
	}
	return true;
}

void dal_guards_release(struct dal_guards *guards, int64_t rest_us)
{
	guards->rest_until_us = dal_clock_monotonic_us() + rest_us;
	pthread_mutex_unlock(&guards->lock);
}

/* --- the machine --- */

struct dal_guards *dal_guards_new(void)
{
	struct dal_guards *guards = dal_calloc(1, sizeof(*guards));

	pthread_mutex_init(&guards->lock, NULL);
	guards->cache = dal_cache_new(0);
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
		dal_cache_free(guards->cache);
		machine_drop(guards);
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

/* Into `cached`, which is as fresh from the cache: without a value, not parked. */
static int load(struct dal_guards *guards, struct dal_cache_entry *cached)
{
	const struct dal_guard_question *q = guards->question;
	struct dal_slice key = dal_cache_key(cached);
	struct dal_view_entry stored = {0};
	int r = DAL_STATE_ABSENT;

	if (q->load) {
		dal_buffer_clear(&guards->memory);
		r = q->load(q->own, cached->projection, key, &stored, &guards->memory);
	}
	if (r < 0) {
		return r;
	}
	guards->read_bytes += READ_BYTES_EACH + key.size + stored.json.size;
	if (guards->read_bytes > READ_BYTES) {
		return -E2BIG;
	}
	if (r == 0 && stored.parked) {
		cached->parked = true;
		cached->parked_at = stored.parked_at;
		cached->message = dal_slice_dup(stored.message);
		return 0;
	}
	note_view(guards, dal_rules_projection(q->rules, cached->projection), key, stored.json);
	return stored.json.size > 0 ? dal_vm_entry_decode(guards->vm, cached->projection,
							  stored.json, &cached->value)
				    : 0;
}

static int on_view(void *own, uint32_t projection, struct dal_slice key,
		   const struct dal_vm_entry **entry, struct dal_buffer *message)
{
	struct dal_guards *guards = own;
	const struct dal_guard_question *q = guards->question;
	struct dal_cache_entry *cached = NULL;
	bool fresh;

	*entry = NULL;
	if (q->rights &&
	    !q->rights->may_read(q->rights->own, q->event, q->rule, projection, key, message)) {
		return DAL_VM_VIEW_REFUSED;
	}
	if (guards->fatal == 0) {
		cached = dal_cache_get(guards->cache, projection, key, &fresh);
		guards->fatal = fresh ? load(guards, cached) : 0;
	}
	if (guards->fatal < 0) {
		return guards->fatal;
	}
	if (cached->parked) {
		dal_buffer_text(message, "this key is parked since ");
		dal_place_format(&cached->parked_at, message);
		dal_buffer_printf(message, ": %s", cached->message);
		return DAL_VM_VIEW_PARKED;
	}
	*entry = cached->value;
	return 0;
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

	guards->fatal = 0;
	if (r == 0) {
		answer_clear(guards->answer);
		guards->views = guards->read_bytes = 0;
		dal_vm_event(guards->vm, q->event);
		r = dal_vm_when_explained(guards->vm, q->rule, &guards->answer->returned);
		dal_cache_forget(guards->cache);
	}
	return guards->fatal < 0 ? guards->fatal : r;
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

static void say_no_answer(struct dal_guard_answer *answer, int r)
{
	dal_buffer_clear(&answer->returned);
	if (r == -E2BIG) {
		answer->kind = DAL_GUARD_NOT_ASKED;
		dal_buffer_printf(&answer->message,
				  "it reads more than %llu MiB of entries, which only its lane "
				  "does; GET /v1/rules counts what it said there",
				  READ_BYTES / DAL_MIB);
	} else {
		answer->kind = DAL_GUARD_FAILED;
		dal_buffer_printf(&answer->message, "the engine failed, not the guard: %s",
				  strerror(-r));
	}
}

static void say(struct dal_guards *guards, int r)
{
	struct dal_guard_answer *answer = guards->answer;
	struct dal_vm_failure failure;

	if (r < 0) {
		say_no_answer(answer, r);
		return;
	}
	answer->kind = r == 0           ? DAL_GUARD_PASSED
		       : r == DAL_VM_NO ? DAL_GUARD_REFUSED
					: DAL_GUARD_FAILED;
	if (answer->kind == DAL_GUARD_FAILED) {
		failure = dal_vm_failure(guards->vm);
		dal_buffer_slice_append(&answer->message, failure.message);
		dal_buffer_slice_append(&answer->trace, trace_of(&failure));
	}
}

void dal_guards_ask(struct dal_guards *guards, const struct dal_guard_question *question,
		    struct dal_guard_answer *answer)
{
	int r;

	guards->question = question;
	guards->answer = answer;
	answer_clear(answer);
	r = run(guards);
	answer->asked_again = r == DAL_VM_LIMIT && question->again;
	if (answer->asked_again) {
		machine_drop(guards);
		r = run(guards);
	}
	say(guards, r);
}
