/* One running program: born, given work, asked for the outcome, ended. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/pool.h"

static void set_state(struct dal_functions *pool, struct dal_instance *instance,
		      enum dal_instance_state state, int64_t deadline_us)
{
	instance->state = state;
	instance->deadline_us = deadline_us;
	dal_pool_arm(pool, deadline_us);
}

static int64_t in_ms(int64_t ms)
{
	return dal_clock_monotonic_us() + ms * 1000;
}

struct dal_instance *dal_instance_find(struct dal_functions *pool, uint64_t id)
{
	struct dal_instance *instance = pool->instances;
	while (instance && instance->id != id) {
		instance = instance->next;
	}
	return instance;
}

static struct dal_driver *driver_of(struct dal_functions *pool, const struct dal_instance *instance)
{
	return dal_pool_driver(pool, instance->revision->function);
}

/* On its way to ask for work, or to fail for somebody that waits. */
static bool is_starting(const struct dal_instance *instance)
{
	return instance->init_us < 0 && !instance->unwanted;
}

static void enter(struct dal_functions *pool, struct dal_instance *instance)
{
	struct dal_revision *revision = instance->revision;
	instance->next = pool->instances;
	pool->instances = instance;
	pool->instance_count++;
	pool->memory_bytes += revision->function->memory_bytes;
	revision->instances++;
	revision->starting++;
	dal_metric_add(revision->service->alive, 1);
}

static void leave(struct dal_functions *pool, struct dal_instance *instance)
{
	struct dal_revision *revision = instance->revision;
	struct dal_instance **at = &pool->instances;
	while (*at != instance) {
		at = &(*at)->next;
	}
	*at = instance->next;
	pool->instance_count--;
	pool->memory_bytes -= revision->function->memory_bytes;
	revision->instances--;
	revision->starting -= is_starting(instance);
	dal_metric_add(revision->service->alive, -1);
}

static void dismiss(struct dal_instance *instance)
{
	if (instance->asking) {
		dal_runtime_api_dismiss(instance->asking);
		instance->asking = NULL;
	}
}

static void remove_instance(struct dal_functions *pool, struct dal_instance *instance)
{
	leave(pool, instance);
	dismiss(instance);
	if (instance->listener != 0) {
		dal_http_server_unlisten(pool->server, instance->listener);
	}
	dal_lines_deinit(&instance->lines);
	dal_answer_deinit(&instance->refusal);
	dal_revision_unuse(instance->revision);
	free(instance);
	if (pool->instance_count == 0) {
		(void)pthread_cond_broadcast(&pool->changed);
	}
}

int dal_instance_start(struct dal_functions *pool, struct dal_revision *revision)
{
	struct dal_instance *instance = dal_calloc(1, sizeof(*instance));
	struct dal_driver *driver = dal_pool_driver(pool, revision->function);
	instance->id = ++pool->last_id;
	instance->revision = revision;
	instance->born_us = dal_clock_monotonic_us();
	instance->init_us = -1;
	instance->lines.output = -1;
	enter(pool, instance);
	instance->begun = driver->operations->start_ms == 0;
	set_state(pool, instance, DAL_INSTANCE_STARTING,
		  in_ms(instance->begun ? DAL_LIMIT_INIT_MS : driver->operations->start_ms));
	int result = driver->operations->start(driver, instance->id, revision->function,
					       &instance->lines.output);
	if (result != 0) {
		remove_instance(pool, instance);
		return result;
	}
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = instance->id};
	DAL_ASSERT(epoll_ctl(pool->epoll, EPOLL_CTL_ADD, instance->lines.output, &event) == 0);
	return 0;
}

void dal_instance_give(struct dal_functions *pool, struct dal_instance *instance,
		       struct dal_invocation *invocation)
{
	const struct dal_function *function = instance->revision->function;
	struct dal_driver *driver = driver_of(pool, instance);
	struct dal_driver_usage usage;
	driver->operations->stats(driver, instance->id, false, &usage);
	instance->cpu_us = usage.cpu_us;
	instance->invocation = invocation;
	instance->fate = DAL_INVOKE_CRASHED;
	instance->given_us = dal_clock_monotonic_us();
	invocation->started_us = dal_clock_now_us();
	invocation->cold = instance->served++ == 0;
	invocation->init_us = invocation->cold ? instance->init_us : 0;
	(void)snprintf(instance->request, sizeof(instance->request), "%s", invocation->request);
	dal_uuid_random(instance->nonce);
	set_state(pool, instance, DAL_INSTANCE_BUSY, instance->given_us + function->timeout_us);
	dal_runtime_api_give(instance, invocation);
	instance->asking = NULL;
}

bool dal_instance_takes_work(struct dal_instance *instance)
{
	if (instance->state != DAL_INSTANCE_IDLE || !instance->asking) {
		return false;
	}
	if (dal_http_gone(instance->asking)) {
		dismiss(instance);
	}
	return instance->asking != NULL;
}

static void pass_init(struct dal_functions *pool, struct dal_instance *instance)
{
	instance->init_us = dal_clock_monotonic_us() - instance->born_us;
	instance->revision->starting--;
	instance->state = DAL_INSTANCE_IDLE;
	dal_service_passed(pool, instance->revision);
}

void dal_instance_idle(struct dal_functions *pool, struct dal_instance *instance)
{
	struct dal_revision *revision = instance->revision;
	struct dal_service *service = revision->service;
	if (instance->state == DAL_INSTANCE_STARTING) {
		pass_init(pool, instance);
	}
	instance->idle_us = dal_clock_monotonic_us();
	set_state(pool, instance, DAL_INSTANCE_IDLE,
		  instance->idle_us + revision->function->idle_us);
	if (pool->stopping || revision != service->current || dal_service_yields(pool, service)) {
		dal_instance_retire(pool, instance, false);
		return;
	}
	dal_service_schedule(pool, service);
	if (instance->state == DAL_INSTANCE_IDLE) {
		dal_service_schedule_all(pool); /* somebody may want its room */
	}
}

/* What the pool knows of the invocation that is over. */
static void describe(struct dal_functions *pool, struct dal_instance *instance)
{
	struct dal_invocation *invocation = instance->invocation;
	struct dal_driver *driver = driver_of(pool, instance);
	struct dal_driver_usage usage;
	driver->operations->stats(driver, instance->id, true, &usage);
	invocation->duration_us = dal_clock_monotonic_us() - instance->given_us;
	invocation->memory_mb = usage.memory_mb;
	invocation->cpu_us = usage.cpu_us < 0 || instance->cpu_us < 0
				     ? -1
				     : usage.cpu_us - instance->cpu_us;
	(void)snprintf(invocation->version, sizeof(invocation->version), "%s",
		       instance->revision->function->version);
}

/* The one place where an invocation that was given to an instance gets its outcome. */
static void settle(struct dal_functions *pool, struct dal_instance *instance,
		   struct dal_answer *answer)
{
	struct dal_invocation *invocation = instance->invocation;
	struct dal_service *service = instance->revision->service;
	instance->invocation = NULL;
	service->invocations++;
	service->cold_starts += invocation->cold;
	service->failures += answer->outcome != DAL_INVOKE_SUCCEEDED;
	dal_metric_add(service->invoked, 1);
	dal_metric_add(service->failed, answer->outcome != DAL_INVOKE_SUCCEEDED);
	dal_metric_observe_us(service->duration, invocation->duration_us);
	dal_pool_finish_take(pool, invocation, answer);
}

void dal_instance_answer_take(struct dal_functions *pool, struct dal_instance *instance,
			      struct dal_answer *answer)
{
	describe(pool, instance);
	dal_instance_read_lines(pool, instance);
	settle(pool, instance, answer);
	set_state(pool, instance, DAL_INSTANCE_SETTLING,
		  dal_clock_monotonic_us() + instance->revision->function->timeout_us);
	if (pool->stopping) {
		dal_instance_retire(pool, instance, false);
	}
}

void dal_instance_stop(struct dal_functions *pool, struct dal_instance *instance, bool kill)
{
	struct dal_driver *driver = driver_of(pool, instance);
	instance->killed = kill;
	set_state(pool, instance, DAL_INSTANCE_STOPPING,
		  in_ms(kill ? DAL_LIMIT_KILLED_MS : DAL_LIMIT_STOP_MS));
	dismiss(instance);
	driver->operations->stop(driver, instance->id, kill);
}

void dal_instance_retire(struct dal_functions *pool, struct dal_instance *instance, bool kill)
{
	instance->revision->starting -= is_starting(instance);
	instance->unwanted = true;
	dal_instance_stop(pool, instance, kill);
}

void dal_instance_read_lines(struct dal_functions *pool, struct dal_instance *instance)
{
	dal_lines_read(&instance->lines, instance->revision->service->name,
		       instance->invocation ? instance->request : "", &pool->written_last);
}

/* What a person is told who gave it too little. */
static void describe_memory(const struct dal_instance *instance, struct dal_answer *answer)
{
	dal_buffer_text(&answer->type, "dalamb.OutOfMemory");
	dal_buffer_printf(&answer->message,
			  "the program was killed: it used more than its `memory` of %llu bytes",
			  (unsigned long long)instance->revision->function->memory_bytes);
}

/* An outcome of the pool's own making. */
static void end_invocation(struct dal_functions *pool, struct dal_instance *instance,
			   const struct dal_driver_end *end)
{
	struct dal_answer answer = {.outcome = instance->fate};
	if (instance->fate == DAL_INVOKE_TIMEOUT) {
		dal_buffer_text(&answer.type, "Sandbox.Timedout");
		dal_buffer_printf(&answer.message, "no answer within %lld ms, so it was killed",
				  (long long)instance->revision->function->timeout_us / 1000);
	} else if (instance->fate == DAL_INVOKE_CANCELLED) {
		dal_buffer_text(&answer.message, "dalamb stops");
	} else if (end->out_of_memory) {
		describe_memory(instance, &answer);
	} else {
		dal_buffer_text(&answer.type, "Runtime.ExitError");
		dal_buffer_printf(&answer.message, "the program %s before it answered", end->text);
	}
	if (instance->fate == DAL_INVOKE_CRASHED && instance->lines.last[0] != '\0') {
		dal_buffer_printf(&answer.message, "; its last line: %s", instance->lines.last);
	}
	instance->invocation->duration_us = dal_clock_monotonic_us() - instance->given_us;
	(void)snprintf(instance->invocation->version, sizeof(instance->invocation->version), "%s",
		       instance->revision->function->version);
	settle(pool, instance, &answer);
}

static void describe_lateness(struct dal_functions *pool, struct dal_instance *instance)
{
	struct dal_answer *answer = &instance->refusal;
	dal_buffer_text(&answer->type, "Runtime.InitTimeout");
	if (instance->begun) {
		dal_buffer_printf(&answer->message,
				  "it did not ask for work within %d ms of its start",
				  DAL_LIMIT_INIT_MS);
	} else {
		dal_buffer_printf(&answer->message, "it could not be started within %lld ms",
				  (long long)driver_of(pool, instance)->operations->start_ms);
	}
}

void dal_instance_expire(struct dal_functions *pool, struct dal_instance *instance)
{
	struct dal_revision *revision = instance->revision;
	switch (instance->state) {
	case DAL_INSTANCE_STARTING:
		describe_lateness(pool, instance);
		dal_instance_stop(pool, instance, true);
		break;
	case DAL_INSTANCE_IDLE:
		if (revision->instances > revision->function->min) {
			dal_instance_retire(pool, instance, false);
		} else {
			set_state(pool, instance, DAL_INSTANCE_IDLE,
				  dal_clock_monotonic_us() + revision->function->idle_us);
		}
		break;
	case DAL_INSTANCE_BUSY:
		instance->fate = DAL_INVOKE_TIMEOUT;
		dal_instance_stop(pool, instance, true);
		break;
	case DAL_INSTANCE_SETTLING:
		dal_instance_stop(pool, instance, true);
		break;
	case DAL_INSTANCE_STOPPING:
		if (!instance->killed) {
			dal_instance_stop(pool, instance, true);
			break;
		}
		/* A process that even SIGKILL does not end (stuck in the kernel): nobody waits for
		 * it. */
		instance->deadline_us = DAL_POOL_NEVER;
		if (instance->invocation) {
			end_invocation(pool, instance,
				       &(struct dal_driver_end){.text = "could not be killed"});
		}
		break;
	}
}

/* --- what the driver says --- */

static void on_listening(void *own, uint64_t id, int descriptor)
{
	struct dal_functions *pool = own;
	struct dal_instance *instance = dal_instance_find(pool, id);
	/* The number and not the instance, which may end while a request on this socket runs. */
	uint64_t *tag = dal_malloc(sizeof(*tag));
	DAL_ASSERT(instance != NULL);
	*tag = id;
	int result = dal_http_server_listen_release(pool->server, descriptor, tag, free,
						    &instance->listener);
	if (result != 0) {
		dal_buffer_printf(&instance->refusal.message, "no Runtime API for it: %s",
				  strerror(-result));
		dal_instance_stop(pool, instance, true);
	}
}

/* It ended in its init: what it said itself goes before what the pool saw. */
static void fail_init(struct dal_functions *pool, struct dal_instance *instance,
		      const struct dal_driver_end *end)
{
	struct dal_answer answer = instance->refusal;
	instance->refusal = (struct dal_answer){0};
	answer.outcome = end->unavailable ? DAL_INVOKE_UNAVAILABLE : DAL_INVOKE_INIT;
	if (end->out_of_memory && answer.type.size == 0) {
		describe_memory(instance, &answer);
	}
	if (answer.type.size == 0) {
		dal_buffer_text(&answer.type, "Runtime.ExitError");
	}
	if (answer.message.size == 0) {
		dal_buffer_printf(&answer.message, "the program %s%s", end->text,
				  end->unavailable ? "" : " before it asked for work");
		if (instance->lines.last[0] != '\0') {
			dal_buffer_printf(&answer.message, "; its last line: %s",
					  instance->lines.last);
		}
	}
	dal_service_failed(pool, instance->revision, &answer);
}

static void on_running(void *own, uint64_t id)
{
	struct dal_functions *pool = own;
	struct dal_instance *instance = dal_instance_find(pool, id);
	instance->begun = true;
	if (instance->state == DAL_INSTANCE_STARTING) {
		set_state(pool, instance, DAL_INSTANCE_STARTING, in_ms(DAL_LIMIT_INIT_MS));
	}
}

static void on_ended(void *own, uint64_t id, const struct dal_driver_end *end)
{
	struct dal_functions *pool = own;
	struct dal_instance *instance = dal_instance_find(pool, id);
	DAL_ASSERT(instance != NULL);
	dal_lines_finish(&instance->lines, instance->revision->service->name,
			 instance->invocation ? instance->request : "", &pool->written_last);
	if (instance->invocation) {
		instance->invocation->memory_mb = end->memory_mb;
		instance->invocation->cpu_us = instance->cpu_us < 0 || end->cpu_us < 0
						       ? -1
						       : end->cpu_us - instance->cpu_us;
		end_invocation(pool, instance, end);
	} else if (instance->init_us < 0 && !instance->unwanted) {
		fail_init(pool, instance, end);
	}
	remove_instance(pool, instance);
	dal_service_schedule_all(pool);
}

static void on_found(void *own, const struct dal_image *image)
{
	struct dal_functions *pool = own;
	for (size_t i = 0; i < pool->service_count; i++) {
		dal_service_pin(pool->services[i], image);
	}
}

static void on_changed(void *own)
{
	struct dal_functions *pool = own;
	(void)pthread_cond_broadcast(&pool->changed);
	for (size_t i = 0; i < pool->service_count; i++) {
		dal_service_review(pool, pool->services[i]);
	}
	dal_service_schedule_all(pool);
}

const struct dal_driver_events dal_instance_events = {
	.listening = on_listening,
	.running = on_running,
	.ended = on_ended,
	.found = on_found,
	.changed = on_changed,
};
