/* The pool as a whole: its life, its thread, and what callers ask of it. */
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/function.h"
#include "functions/pool.h"

/* What epoll says of others than instances, whose numbers begin at 1 and never get here. */
#define EVENT_WAKE UINT64_MAX
#define EVENT_DRIVER (UINT64_MAX - DAL_DRIVER_COUNT) /* and one for each driver above it */

void dal_answer_deinit(struct dal_answer *answer)
{
	dal_buffer_deinit(&answer->result);
	dal_buffer_deinit(&answer->type);
	dal_buffer_deinit(&answer->message);
	dal_buffer_deinit(&answer->trace);
	*answer = (struct dal_answer){0};
}

void dal_pool_signal(struct dal_functions *pool)
{
	DAL_ASSERT(eventfd_write(pool->event, 1) == 0);
}

/* The thread sleeps until `wake_us`: only an earlier time needs a signal. */
void dal_pool_arm(struct dal_functions *pool, int64_t when_us)
{
	if (when_us < pool->wake_us) {
		pool->wake_us = when_us;
		dal_pool_signal(pool);
	}
}

struct dal_driver *dal_pool_driver(struct dal_functions *pool, const struct dal_function *function)
{
	return pool->drivers[function->driver];
}

void dal_pool_finish_take(struct dal_functions *pool, struct dal_invocation *invocation,
			  struct dal_answer *answer)
{
	struct dal_completion *completion = dal_calloc(1, sizeof(*completion));
	completion->invocation = invocation;
	completion->answer = *answer;
	*answer = (struct dal_answer){0};
	*pool->done_last = completion;
	pool->done_last = &completion->next;
	dal_pool_signal(pool);
}

/* --- the pool's thread --- */

static void deliver_line(struct dal_functions *pool, struct dal_line *line)
{
	if (pool->options.on_line) {
		pool->options.on_line(pool->options.own, line->function, line->request,
				      dal_slice(line->text, line->size));
	}
	free(line);
}

static void deliver_completion(struct dal_completion *completion)
{
	struct dal_invocation *invocation = completion->invocation;
	struct dal_answer *answer = &completion->answer;
	invocation->outcome = answer->outcome;
	invocation->result = dal_buffer_slice(&answer->result);
	invocation->error_type = dal_buffer_slice(&answer->type);
	invocation->error_message = dal_buffer_slice(&answer->message);
	invocation->error_trace = dal_buffer_slice(&answer->trace);
	invocation->done(invocation); /* it may be gone after that */
	dal_answer_deinit(answer);
	free(completion);
}

/* Lines first: an invocation's own come before its end. Lock held on entry and exit, not in
 * between. */
static void deliver(struct dal_functions *pool)
{
	struct dal_line *line = pool->written;
	struct dal_completion *completion = pool->done;
	pool->written = NULL;
	pool->written_last = &pool->written;
	pool->done = NULL;
	pool->done_last = &pool->done;
	(void)pthread_mutex_unlock(&pool->lock);
	while (line) {
		struct dal_line *next = line->next;
		deliver_line(pool, line);
		line = next;
	}
	while (completion) {
		struct dal_completion *next = completion->next;
		deliver_completion(completion);
		completion = next;
	}
	(void)pthread_mutex_lock(&pool->lock);
}

/* Looks at all deadlines when the earliest has come, and finds the next. */
static void expire(struct dal_functions *pool)
{
	int64_t now_us = dal_clock_monotonic_us();
	if (now_us < pool->wake_us) {
		return;
	}
	pool->wake_us = DAL_POOL_NEVER;
	for (struct dal_instance *i = pool->instances; i; i = i->next) {
		if (i->deadline_us <= now_us) {
			dal_instance_expire(pool, i);
		}
		dal_pool_arm(pool, i->deadline_us);
	}
	dal_service_schedule_all(pool); /* arms what waits for `rate` or a back-off */
}

static void take_driver_events(struct dal_functions *pool, size_t which)
{
	struct dal_driver *driver = pool->drivers[which];
	driver->operations->dispatch(driver);
	if (driver->operations->descriptor(driver) < 0 && pool->watched[which] >= 0) {
		(void)epoll_ctl(pool->epoll, EPOLL_CTL_DEL, pool->watched[which], NULL);
		pool->watched[which] = -1;
	}
}

static void take_event(struct dal_functions *pool, uint64_t what)
{
	eventfd_t count;
	if (what == EVENT_WAKE) {
		(void)eventfd_read(pool->event, &count);
	} else if (what >= EVENT_DRIVER) {
		take_driver_events(pool, what - EVENT_DRIVER);
	} else {
		struct dal_instance *instance = dal_instance_find(pool, what);
		if (instance) {
			dal_instance_read_lines(pool, instance);
		}
	}
}

static int timeout_ms(const struct dal_functions *pool)
{
	if (pool->wake_us == DAL_POOL_NEVER) {
		return -1;
	}
	int64_t wait_us = pool->wake_us - dal_clock_monotonic_us();
	return wait_us <= 0 ? 0 : wait_us > 3600000000 ? 3600000 : (int)(wait_us / 1000) + 1;
}

static void *run(void *data)
{
	struct dal_functions *pool = data;
	struct epoll_event events[32];
	(void)pthread_setname_np(pthread_self(), "functions");
	(void)pthread_mutex_lock(&pool->lock);
	while (!pool->quit || pool->done || pool->written) {
		int wait_ms = pool->done || pool->written ? 0 : timeout_ms(pool);
		(void)pthread_mutex_unlock(&pool->lock);
		int count = epoll_wait(pool->epoll, events, 32, wait_ms);
		(void)pthread_mutex_lock(&pool->lock);
		for (int i = 0; i < count; i++) {
			take_event(pool, events[i].data.u64);
		}
		expire(pool);
		deliver(pool);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* --- life --- */

static int watch(struct dal_functions *pool, int descriptor, uint64_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = what};
	return epoll_ctl(pool->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0 ? -errno : 0;
}

static void init_locks(struct dal_functions *pool)
{
	pthread_condattr_t monotonic;
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&pool->changed, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

static int start(struct dal_functions *pool, struct dal_error *error)
{
	pool->epoll = epoll_create1(EPOLL_CLOEXEC);
	pool->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int result = pool->epoll < 0 || pool->event < 0 ? -errno : 0;
	if (result == 0) {
		result = watch(pool, pool->event, EVENT_WAKE);
	}
	for (size_t i = 0; i < DAL_DRIVER_COUNT && result == 0; i++) {
		pool->watched[i] = pool->drivers[i]->operations->descriptor(pool->drivers[i]);
		result = watch(pool, pool->watched[i], EVENT_DRIVER + i);
	}
	if (result == 0) {
		result = -pthread_create(&pool->thread, NULL, run, pool);
		pool->running = result == 0;
	}
	if (result != 0) {
		dal_error_set(error, "can't start the pool of functions: %s", strerror(-result));
		return result;
	}
	return dal_runtime_api_start(pool, error);
}

int dal_functions_new(const struct dal_functions_options *options, struct dal_functions **functions,
		      struct dal_error *error)
{
	struct dal_functions *pool = dal_calloc(1, sizeof(*pool));
	pool->options = *options;
	pool->options.instances = options->instances ? options->instances : DAL_LIMIT_INSTANCES;
	pool->epoll = pool->event = -1;
	pool->wake_us = DAL_POOL_NEVER;
	pool->done_last = &pool->done;
	pool->written_last = &pool->written;
	pool->by_name = dal_map_new();
	pool->drivers[DAL_DRIVER_PROCESS] = dal_process_driver_new(options->spawner,
								   &dal_instance_events, pool);
	pool->drivers[DAL_DRIVER_CONTAINER] = dal_container_driver_new(options->spawner,
								       options->containers_host,
								       options->data_folder,
								       &dal_instance_events, pool);
	init_locks(pool);
	int result = start(pool, error);
	if (result != 0) {
		dal_functions_free(pool);
		return result;
	}
	*functions = pool;
	return 0;
}

/* False when the time is over. */
static bool wait_for_change(struct dal_functions *pool, int64_t until_us)
{
	struct timespec until = {until_us / 1000000, until_us % 1000000 * 1000};
	return pthread_cond_timedwait(&pool->changed, &pool->lock, &until) != ETIMEDOUT;
}

static void stop_idle(struct dal_functions *pool)
{
	for (struct dal_instance *i = pool->instances; i; i = i->next) {
		if (i->state != DAL_INSTANCE_BUSY && i->state != DAL_INSTANCE_STOPPING) {
			dal_instance_retire(pool, i, false);
		}
	}
}

static void kill_all(struct dal_functions *pool)
{
	for (struct dal_instance *i = pool->instances; i; i = i->next) {
		if (!i->killed) {
			i->fate = DAL_INVOKE_CANCELLED;
			dal_instance_retire(pool, i, true);
		}
	}
}

static void drain(struct dal_functions *pool)
{
	int64_t until_us = dal_clock_monotonic_us() + pool->options.grace_us;
	pool->stopping = true;
	for (size_t i = 0; i < pool->service_count; i++) {
		dal_service_fail_waiting(pool, pool->services[i], DAL_INVOKE_CANCELLED,
					 "dalamb stops");
	}
	stop_idle(pool);
	while (pool->instance_count > 0 && wait_for_change(pool, until_us)) {
	}
	kill_all(pool);
	until_us = dal_clock_monotonic_us() + (DAL_LIMIT_KILLED_MS + 1000) * 1000;
	while (pool->instance_count > 0 && wait_for_change(pool, until_us)) {
	}
}

void dal_functions_stop(struct dal_functions *functions)
{
	struct dal_functions *pool = functions;
	if (!pool->running) {
		return;
	}
	(void)pthread_mutex_lock(&pool->lock);
	drain(pool);
	pool->quit = true;
	dal_pool_signal(pool);
	(void)pthread_mutex_unlock(&pool->lock);
	(void)pthread_join(pool->thread, NULL);
	pool->running = false;
}

void dal_functions_free(struct dal_functions *functions)
{
	struct dal_functions *pool = functions;
	if (!pool) {
		return;
	}
	dal_functions_stop(pool);
	dal_http_server_free(pool->server); /* its threads come in here until then */
	for (size_t i = 0; i < pool->service_count; i++) {
		dal_service_free(pool->services[i]);
	}
	free(pool->services);
	dal_map_free(pool->by_name);
	for (size_t i = 0; i < DAL_DRIVER_COUNT; i++) {
		pool->drivers[i]->operations->free(pool->drivers[i]);
	}
	if (pool->epoll >= 0) {
		(void)close(pool->epoll);
	}
	if (pool->event >= 0) {
		(void)close(pool->event);
	}
	(void)pthread_cond_destroy(&pool->changed);
	(void)pthread_mutex_destroy(&pool->lock);
	free(pool);
}

/* --- what callers ask --- */

static bool listed(const struct dal_function *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i]->name, name) == 0) {
			return true;
		}
	}
	return false;
}

int dal_functions_configure(struct dal_functions *functions, const struct dal_function *const *list,
			    size_t count)
{
	struct dal_functions *pool = functions;
	(void)pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < pool->service_count; i++) {
		if (!listed(list, count, pool->services[i]->name)) {
			dal_service_retire(pool, pool->services[i]);
		}
	}
	for (size_t i = 0; i < count; i++) {
		dal_service_configure(pool, dal_service_make(pool, list[i]->name), list[i]);
	}
	(void)pthread_mutex_unlock(&pool->lock);
	return 0;
}

void dal_functions_invoke(struct dal_functions *functions, struct dal_invocation *invocation)
{
	struct dal_functions *pool = functions;
	invocation->result = invocation->error_type = invocation->error_message =
		invocation->error_trace = dal_slice(NULL, 0);
	invocation->version[0] = '\0';
	invocation->cold = false;
	invocation->started_us = invocation->duration_us = invocation->init_us = 0;
	invocation->memory_mb = invocation->cpu_us = -1;
	(void)pthread_mutex_lock(&pool->lock);
	struct dal_service *service = dal_service_get(pool, invocation->function);
	struct dal_answer answer = {0};
	if (pool->stopping) {
		answer.outcome = DAL_INVOKE_CANCELLED;
		dal_buffer_text(&answer.message, "dalamb stops");
		dal_pool_finish_take(pool, invocation, &answer);
	} else if (!service || !service->current) {
		answer.outcome = DAL_INVOKE_GONE;
		dal_buffer_text(&answer.message, "there is no such function");
		dal_pool_finish_take(pool, invocation, &answer);
	} else {
		dal_service_push(pool, service, invocation);
		dal_service_schedule(pool, service);
	}
	(void)pthread_mutex_unlock(&pool->lock);
}

uint32_t dal_functions_capacity(struct dal_functions *functions, struct dal_slice function)
{
	(void)pthread_mutex_lock(&functions->lock);
	const struct dal_service *service = dal_service_get(functions, function);
	uint32_t capacity = 0;
	if (service && service->current) {
		capacity = service->current->function->max *
			   service->current->function->per_instance;
	}
	(void)pthread_mutex_unlock(&functions->lock);
	return capacity;
}

/* Waits for the trial of the walls, or of an engine, if that is under way: some milliseconds, once.
 */
bool dal_functions_obstacle(struct dal_functions *functions, struct dal_slice function,
			    struct dal_error *why)
{
	struct dal_functions *pool = functions;
	int64_t until_us = dal_clock_monotonic_us() + DAL_LIMIT_INIT_MS * 1000;
	int ready = 0;
	(void)pthread_mutex_lock(&pool->lock);
	do {
		const struct dal_service *service = dal_service_get(pool, function);
		const struct dal_revision *revision = service ? service->current : NULL;
		struct dal_driver *driver = revision ? dal_pool_driver(pool, revision->function)
						     : NULL;
		ready = driver && revision->instances == 0
				? driver->operations->ready(driver, revision->function, why)
				: 0;
	} while (ready == DAL_DRIVER_TRYING && wait_for_change(pool, until_us));
	(void)pthread_mutex_unlock(&pool->lock);
	if (ready == DAL_DRIVER_TRYING) {
		dal_error_set(why, "what would run it gave no answer within %d ms",
			      DAL_LIMIT_INIT_MS);
	}
	return ready != 0;
}

void dal_functions_status(struct dal_functions *functions,
			  void (*each)(const struct dal_function_status *status, void *own),
			  void *own)
{
	(void)pthread_mutex_lock(&functions->lock);
	for (size_t i = 0; i < functions->service_count; i++) {
		const struct dal_service *service = functions->services[i];
		struct dal_function_status status = {
			.name = service->name,
			.waiting = service->waiting,
			.invocations = service->invocations,
			.failures = service->failures,
			.cold_starts = service->cold_starts,
		};
		if (!service->current) {
			continue;
		}
		status.version = service->current->function->version;
		status.obstacle = service->obstacle;
		for (const struct dal_instance *in = functions->instances; in; in = in->next) {
			status.instances += in->revision->service == service;
			status.busy += in->revision->service == service &&
				       in->state == DAL_INSTANCE_BUSY;
		}
		each(&status, own);
	}
	(void)pthread_mutex_unlock(&functions->lock);
}
