/* A function by its name: what waits for it, which version serves it, when more instances start. */
#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/function.h"
#include "functions/pool.h"

struct dal_service *dal_service_get(struct dal_functions *pool, struct dal_slice name)
{
	return dal_map_get(pool->by_name, name);
}

static void register_metrics(struct dal_service *service)
{
	struct dal_buffer label = {0};
	dal_buffer_text(&label, "function=\"");
	dal_metric_escape(dal_slice_text(service->name), &label);
	dal_buffer_text(&label, "\"");
	const char *labels = dal_buffer_cstr(&label);
	service->invoked = dal_metric_counter("dalamb_function_invocations_total",
					      "Invocations that a program got.", labels);
	service->failed = dal_metric_counter("dalamb_function_failures_total",
					     "Invocations that did not succeed.", labels);
	service->duration = dal_metric_histogram("dalamb_function_duration_seconds",
						 "From handing over to the answer.", labels);
	service->alive = dal_metric_gauge("dalamb_function_instances", "Instances alive.", labels);
	dal_buffer_deinit(&label);
}

struct dal_service *dal_service_make(struct dal_functions *pool, const char *name)
{
	struct dal_service *service = dal_service_get(pool, dal_slice_text(name));
	if (service) {
		return service;
	}
	service = dal_calloc(1, sizeof(*service));
	service->name = dal_strdup(name);
	service->last = &service->first;
	register_metrics(service);
	(void)dal_map_set(pool->by_name, dal_slice_text(name), service);
	DAL_GROW(pool->services, pool->service_count, pool->service_capacity);
	pool->services[pool->service_count++] = service;
	return service;
}

/* --- what waits --- */

void dal_service_push(struct dal_functions *pool, struct dal_service *service,
		      struct dal_invocation *invocation)
{
	(void)pool;
	invocation->next = NULL;
	*service->last = invocation;
	service->last = &invocation->next;
	if (service->waiting++ == 0) {
		service->since_us = dal_clock_monotonic_us();
	}
}

static struct dal_invocation *pop(struct dal_service *service)
{
	struct dal_invocation *invocation = service->first;
	service->first = invocation->next;
	if (!service->first) {
		service->last = &service->first;
	}
	service->waiting--;
	service->since_us = dal_clock_monotonic_us();
	return invocation;
}

void dal_service_fail_waiting(struct dal_functions *pool, struct dal_service *service,
			      enum dal_invoke_outcome outcome, const char *message)
{
	while (service->waiting > 0) {
		struct dal_answer answer = {.outcome = outcome};
		dal_buffer_text(&answer.message, message);
		dal_pool_finish_take(pool, pop(service), &answer);
	}
}

/* --- room on this machine --- */

static bool fits(const struct dal_functions *pool, uint64_t memory_bytes)
{
	return pool->instance_count < pool->options.instances &&
	       (pool->options.memory_bytes == 0 ||
		pool->memory_bytes + memory_bytes <= pool->options.memory_bytes);
}

/* The least recently used idle instance; those that `min` keeps warm only when there is no other.
 */
static struct dal_instance *find_victim(struct dal_functions *pool, bool warm_too)
{
	struct dal_instance *victim = NULL;
	for (struct dal_instance *i = pool->instances; i; i = i->next) {
		bool warm = i->revision->instances <= i->revision->function->min;
		if (i->state == DAL_INSTANCE_IDLE && (!warm || warm_too) &&
		    (!victim || i->idle_us < victim->idle_us)) {
			victim = i;
		}
	}
	return victim;
}

static bool some_are_stopping(const struct dal_functions *pool)
{
	for (const struct dal_instance *i = pool->instances; i; i = i->next) {
		if (i->state == DAL_INSTANCE_STOPPING) {
			return true;
		}
	}
	return false;
}

/* Is there room for one more? If not, some may be on its way: the end of an instance schedules all.
 */
static bool make_room(struct dal_functions *pool, const struct dal_function *function)
{
	if (fits(pool, function->memory_bytes)) {
		return true;
	}
	if (!some_are_stopping(pool)) {
		struct dal_instance *victim = find_victim(pool, false);
		victim = victim ? victim : find_victim(pool, true);
		if (victim) {
			dal_instance_retire(pool, victim, false);
		}
	}
	return false;
}

static bool lacks_room(const struct dal_functions *pool, const struct dal_revision *revision)
{
	return revision && revision->instances == 0 &&
	       !fits(pool, revision->function->memory_bytes);
}

/*
 * The machine is full, and a new version of this function, or another function for longer than this
 * one has, waits for room without any instance. Then one that is never idle must give its room up,
 * or they would wait for ever.
 */
bool dal_service_yields(struct dal_functions *pool, const struct dal_service *service)
{
	if (lacks_room(pool, service->incoming)) {
		return true;
	}
	for (size_t i = 0; i < pool->service_count && service->waiting > 0; i++) {
		const struct dal_service *other = pool->services[i];
		if (other->waiting > 0 && other->since_us < service->since_us &&
		    lacks_room(pool, other->current)) {
			return true;
		}
	}
	return false;
}

/* --- giving and starting --- */

static struct dal_instance *find_idle(struct dal_functions *pool,
				      const struct dal_revision *revision)
{
	/* The one that was busy last: so the others can drain. */
	struct dal_instance *found = NULL;
	for (struct dal_instance *i = pool->instances; i; i = i->next) {
		if (i->revision == revision && dal_instance_takes_work(i) &&
		    (!found || i->idle_us > found->idle_us)) {
			found = i;
		}
	}
	return found;
}

static uint32_t count_settling(const struct dal_functions *pool,
			       const struct dal_revision *revision)
{
	uint32_t count = 0;
	for (const struct dal_instance *i = pool->instances; i; i = i->next) {
		count += i->revision == revision && i->state == DAL_INSTANCE_SETTLING;
	}
	return count;
}

/* False if `rate` says not now. */
static bool may_give(struct dal_functions *pool, struct dal_service *service)
{
	double rate = service->current->function->rate;
	int64_t now_us = dal_clock_monotonic_us();
	if (rate <= 0) {
		return true;
	}
	if (now_us < service->give_after_us) {
		dal_pool_arm(pool, service->give_after_us);
		return false;
	}
	return true;
}

static void count_given(struct dal_service *service)
{
	double rate = service->current->function->rate;
	if (rate > 0) {
		service->give_after_us = dal_clock_monotonic_us() + (int64_t)(1e6 / rate);
	}
}

/* True if all that could be given was given, and more instances would help. */
static bool give(struct dal_functions *pool, struct dal_service *service)
{
	while (service->waiting > 0) {
		if (!may_give(pool, service)) {
			return false;
		}
		struct dal_instance *instance = find_idle(pool, service->current);
		if (!instance) {
			return true;
		}
		count_given(service);
		dal_instance_give(pool, instance, pop(service));
	}
	return false;
}

static bool wants_more(struct dal_functions *pool, struct dal_service *service, bool pressed)
{
	const struct dal_revision *revision = service->current;
	if (revision->instances < revision->function->min) {
		return true;
	}
	return pressed && revision->instances < revision->function->max &&
	       revision->starting + count_settling(pool, revision) < service->waiting;
}

static bool may_start(struct dal_functions *pool, struct dal_service *service)
{
	if (dal_clock_monotonic_us() < service->start_after_us) {
		dal_pool_arm(pool, service->start_after_us);
		return false;
	}
	return true;
}

static void start_one(struct dal_functions *pool, struct dal_revision *revision)
{
	int result = dal_instance_start(pool, revision);
	if (result != 0) {
		struct dal_answer answer = {.outcome = DAL_INVOKE_UNAVAILABLE};
		dal_buffer_printf(&answer.message, "it could not be started: %s",
				  strerror(-result));
		dal_service_failed(pool, revision, &answer);
	}
}

/* The new version's first instance starts beyond `max`: the old one still has the traffic. */
static void start_incoming(struct dal_functions *pool, struct dal_service *service)
{
	struct dal_revision *incoming = service->incoming;
	if (incoming && incoming->instances == 0 && make_room(pool, incoming->function)) {
		start_one(pool, incoming);
	}
}

void dal_service_schedule(struct dal_functions *pool, struct dal_service *service)
{
	struct dal_error why;
	if (!service->current || pool->stopping ||
	    (service->waiting == 0 && service->current->function->min == 0 && !service->incoming)) {
		return;
	}
	struct dal_driver *driver = dal_pool_driver(pool, service->current->function);
	int ready = driver->operations->ready(driver, service->current->function, &why);
	if (ready != 0) { /* none can be started, but those that run can go on */
		(void)give(pool, service);
	}
	if (ready == DAL_DRIVER_OBSTACLE && service->current->instances == 0) {
		dal_service_fail_waiting(pool, service, DAL_INVOKE_UNAVAILABLE, why.text);
	}
	if (ready != 0) {
		return;
	}
	start_incoming(pool, service);
	bool pressed = give(pool, service);
	while (wants_more(pool, service, pressed) && may_start(pool, service) &&
	       make_room(pool, service->current->function)) {
		start_one(pool, service->current);
	}
}

static struct dal_service *longest_without_any(struct dal_functions *pool)
{
	struct dal_service *found = NULL;
	for (size_t i = 0; i < pool->service_count; i++) {
		struct dal_service *service = pool->services[i];
		if (service->waiting > 0 && service->current && service->current->instances == 0 &&
		    (!found || service->since_us < found->since_us)) {
			found = service;
		}
	}
	return found;
}

/* Room that has become free goes first to the one that waits longest without any instance. */
void dal_service_schedule_all(struct dal_functions *pool)
{
	struct dal_service *first = longest_without_any(pool);
	if (first) {
		dal_service_schedule(pool, first);
	}
	for (size_t i = 0; i < pool->service_count; i++) {
		dal_service_schedule(pool, pool->services[i]);
	}
}

/* --- versions --- */

static struct dal_revision *revision_new(struct dal_service *service,
					 const struct dal_function *function)
{
	struct dal_revision *revision = dal_calloc(1, sizeof(*revision));
	revision->service = service;
	revision->function = dal_function_copy(function);
	return revision;
}

void dal_revision_unuse(struct dal_revision *revision)
{
	const struct dal_service *service = revision->service;
	if (revision->instances == 0 && service->current != revision &&
	    service->incoming != revision) {
		dal_function_free(revision->function);
		free(revision);
	}
}

/* It gets no new work. What is busy finishes, and ends when it asks for more. */
static void retire_revision(struct dal_functions *pool, struct dal_revision *revision)
{
	for (struct dal_instance *i = pool->instances; i; i = i->next) {
		if (i->revision == revision &&
		    (i->state == DAL_INSTANCE_IDLE || i->state == DAL_INSTANCE_STARTING)) {
			dal_instance_retire(pool, i, false);
		}
	}
	dal_revision_unuse(revision);
}

static void set_incoming(struct dal_functions *pool, struct dal_service *service,
			 struct dal_revision *revision)
{
	struct dal_revision *old = service->incoming;
	service->incoming = revision;
	if (old) {
		retire_revision(pool, old);
	}
}

static void set_current(struct dal_functions *pool, struct dal_service *service,
			struct dal_revision *revision)
{
	struct dal_revision *old = service->current;
	service->current = revision;
	service->init_failures = 0;
	service->start_after_us = 0;
	if (old) {
		retire_revision(pool, old);
	}
}

static bool is_version(const struct dal_revision *revision, const struct dal_function *function)
{
	return revision && strcmp(revision->function->version, function->version) == 0 &&
	       revision->function->secrets == function->secrets;
}

void dal_service_configure(struct dal_functions *pool, struct dal_service *service,
			   const struct dal_function *function)
{
	struct dal_error why;
	struct dal_driver *driver = dal_pool_driver(pool, function);
	/* Asked in any case: what has to be tried is tried now, and not by the first invocation. */
	int ready = driver->operations->ready(driver, function, &why);
	if (is_version(service->current, function)) {
		set_incoming(pool, service, NULL);
	} else if (is_version(service->incoming, function)) {
		return;
	} else if (!service->current || ready != 0) {
		set_incoming(pool, service, NULL);
		set_current(pool, service, revision_new(service, function));
	} else {
		set_incoming(pool, service, revision_new(service, function));
	}
	dal_service_review(pool, service);
	dal_service_schedule(pool, service);
}

void dal_service_obstruct(struct dal_functions *pool, struct dal_service *service, const char *why)
{
	struct dal_buffer text = {0};
	if (strcmp(service->obstacle, why ? why : "") == 0) {
		return;
	}
	(void)snprintf(service->obstacle, sizeof(service->obstacle), "%s", why ? why : "");
	dal_buffer_printf(&text,
			  why ? "dalamb: it can't run now, what is to be done waits: %s"
			      : "dalamb: it can run again",
			  why);
	dal_lines_say(dal_buffer_slice(&text), service->name, &pool->written_last);
	dal_buffer_deinit(&text);
	dal_pool_signal(pool);
}

void dal_service_review(struct dal_functions *pool, struct dal_service *service)
{
	struct dal_error why;
	if (!service->current) {
		return;
	}
	struct dal_driver *driver = dal_pool_driver(pool, service->current->function);
	int ready = driver->operations->ready(driver, service->current->function, &why);
	if (ready == DAL_DRIVER_OBSTACLE) {
		dal_service_obstruct(pool, service, why.text);
	} else if (ready == 0) {
		dal_service_obstruct(pool, service, NULL);
	}
}

void dal_service_pin(struct dal_service *service, const struct dal_image *image)
{
	struct dal_revision *revisions[] = {service->current, service->incoming};
	for (size_t i = 0; i < 2; i++) {
		struct dal_function *function = revisions[i] ? revisions[i]->function : NULL;
		if (function && function->driver == DAL_DRIVER_CONTAINER && !function->image.id &&
		    strcmp(function->image.name, image->name) == 0) {
			dal_function_pin(function, image);
		}
	}
}

void dal_service_retire(struct dal_functions *pool, struct dal_service *service)
{
	if (!service->current) {
		return;
	}
	dal_service_fail_waiting(pool, service, DAL_INVOKE_GONE, "it is not declared any more");
	set_incoming(pool, service, NULL);
	set_current(pool, service, NULL);
}

void dal_service_passed(struct dal_functions *pool, struct dal_revision *revision)
{
	struct dal_service *service = revision->service;
	service->init_failures = 0;
	service->start_after_us = 0;
	dal_service_obstruct(pool, service, NULL);
	if (revision == service->incoming) {
		service->incoming = NULL;
		set_current(pool, service, revision);
	}
}

static void back_off(struct dal_functions *pool, struct dal_service *service)
{
	int64_t wait_ms = DAL_LIMIT_START_BACKOFF_MIN_MS;
	for (uint32_t i = 0; i < service->init_failures && wait_ms < DAL_LIMIT_START_BACKOFF_MAX_MS;
	     i++) {
		wait_ms *= 2;
	}
	service->init_failures++;
	service->start_after_us = dal_clock_monotonic_us() + wait_ms * 1000;
	dal_pool_arm(pool, service->start_after_us);
}

/* The old version stays when a new one does not come up; the line is all that is heard of it here.
 */
static void refuse_incoming(struct dal_functions *pool, struct dal_service *service,
			    const struct dal_answer *answer)
{
	struct dal_revision *incoming = service->incoming;
	struct dal_buffer text = {0};
	dal_buffer_printf(&text, "dalamb: version %s did not come up, %s stays: ",
			  incoming->function->version, service->current->function->version);
	dal_buffer_slice_append(&text, dal_buffer_slice(&answer->message));
	dal_lines_say(dal_buffer_slice(&text), service->name, &pool->written_last);
	dal_buffer_deinit(&text);
	dal_pool_signal(pool);
	set_incoming(pool, service, NULL);
}

void dal_service_failed(struct dal_functions *pool, struct dal_revision *revision,
			struct dal_answer *answer)
{
	struct dal_service *service = revision->service;
	if (revision == service->incoming) {
		refuse_incoming(pool, service, answer);
	} else if (revision == service->current) {
		back_off(pool, service);
		if (answer->outcome == DAL_INVOKE_UNAVAILABLE) {
			dal_service_obstruct(pool, service, dal_buffer_cstr(&answer->message));
		}
		if (service->waiting > 0) {
			struct dal_invocation *invocation = pop(service);
			(void)snprintf(invocation->version, sizeof(invocation->version), "%s",
				       revision->function->version);
			service->failures += answer->outcome == DAL_INVOKE_INIT;
			dal_metric_add(service->failed, answer->outcome == DAL_INVOKE_INIT);
			dal_pool_finish_take(pool, invocation, answer);
		}
	}
	dal_answer_deinit(answer);
}

void dal_service_free(struct dal_service *service)
{
	struct dal_revision *revisions[] = {service->current, service->incoming};
	service->current = service->incoming = NULL;
	for (size_t i = 0; i < 2; i++) {
		if (revisions[i]) {
			dal_revision_unuse(revisions[i]);
		}
	}
	free(service->name);
	free(service);
}
