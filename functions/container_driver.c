/* The container driver: an instance is a container of an engine on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "functions/container.h"
#include "functions/function.h"
#include "functions/limits.h"

#define STACK_BYTES (256 * 1024)

static struct dal_container_driver *self(struct dal_driver *driver)
{
	return DAL_CONTAINER(driver, struct dal_container_driver, driver);
}

/* --- events --- */

struct dal_container_event *dal_container_event_new(enum dal_container_event_kind kind, uint64_t id)
{
	struct dal_container_event *event = dal_calloc(1, sizeof(*event));
	event->kind = kind;
	event->id = id;
	event->descriptor = -1;
	return event;
}

void dal_container_tell_take(struct dal_container_driver *containers,
			     struct dal_container_event *event)
{
	(void)pthread_mutex_lock(&containers->lock);
	*containers->last = event;
	containers->last = &event->next;
	(void)pthread_mutex_unlock(&containers->lock);
	DAL_ASSERT(eventfd_write(containers->event, 1) == 0);
}

static struct dal_container_event *take_events(struct dal_container_driver *containers)
{
	(void)pthread_mutex_lock(&containers->lock);
	struct dal_container_event *first = containers->first;
	containers->first = NULL;
	containers->last = &containers->first;
	(void)pthread_mutex_unlock(&containers->lock);
	return first;
}

static void hand_on(struct dal_driver *driver, const struct dal_container_event *event)
{
	switch (event->kind) {
	case DAL_CONTAINER_LISTENING:
		driver->events->listening(driver->own, event->id, event->descriptor);
		break;
	case DAL_CONTAINER_RUNNING:
		driver->events->running(driver->own, event->id);
		break;
	case DAL_CONTAINER_ENDED:
		driver->events->ended(driver->own, event->id, &event->end);
		break;
	case DAL_CONTAINER_FOUND:
		driver->events->found(driver->own, &event->image);
		driver->events->changed(driver->own);
		break;
	case DAL_CONTAINER_CHANGED:
		driver->events->changed(driver->own);
		break;
	}
}

static struct dal_container_event *event_free(struct dal_container_event *event)
{
	struct dal_container_event *next = event->next;
	dal_image_deinit(&event->image);
	free(event);
	return next;
}

static int containers_descriptor(const struct dal_driver *driver)
{
	return DAL_CONTAINER(driver, const struct dal_container_driver, driver)->event;
}

static void containers_dispatch(struct dal_driver *driver)
{
	eventfd_t count;
	(void)eventfd_read(self(driver)->event, &count);
	struct dal_container_event *event = take_events(self(driver));
	while (event) {
		hand_on(driver, event);
		event = event_free(event);
	}
}

/* --- can it run here? --- */

static void start_keeper(struct dal_container_driver *containers)
{
	if (!containers->keeping) {
		containers->keeping = true;
		DAL_ASSERT(pthread_create(&containers->keeper, NULL, dal_container_keep,
					  containers) == 0);
	}
}

static struct dal_container_lookup *find_lookup(struct dal_container_driver *containers,
						const char *name)
{
	struct dal_container_lookup *lookup = containers->lookups;
	while (lookup && strcmp(lookup->name, name) != 0) {
		lookup = lookup->next;
	}
	return lookup;
}

/* An image that was not found at load: the keeper looks for it now and then. */
static int look_up(struct dal_container_driver *containers, const char *name, struct dal_error *why)
{
	struct dal_container_lookup *lookup = find_lookup(containers, name);
	if (!lookup) {
		lookup = dal_calloc(1, sizeof(*lookup));
		lookup->name = dal_strdup(name);
		lookup->next = containers->lookups;
		containers->lookups = lookup;
		(void)pthread_cond_broadcast(&containers->changed);
	}
	lookup->asked_us = dal_clock_monotonic_us();
	if (lookup->problem[0] == '\0') {
		return DAL_DRIVER_TRYING;
	}
	dal_error_set(why, "%s", lookup->problem);
	return DAL_DRIVER_OBSTACLE;
}

static int containers_ready(struct dal_driver *driver, const struct dal_function *function,
			    struct dal_error *why)
{
	struct dal_container_driver *containers = self(driver);
	int result = 0;
	(void)pthread_mutex_lock(&containers->lock);
	if (containers->api) {
		start_keeper(containers);
	}
	if (containers->obstacle[0] != '\0') {
		dal_error_set(why, "%s", containers->obstacle);
		result = DAL_DRIVER_OBSTACLE;
	} else if (!containers->connected) {
		result = DAL_DRIVER_TRYING;
	} else if (!function->image.id) {
		result = look_up(containers, function->image.name, why);
	}
	(void)pthread_mutex_unlock(&containers->lock);
	return result;
}

/* --- start and stop --- */

static struct dal_container *find(struct dal_container_driver *containers, uint64_t id)
{
	struct dal_container *container = containers->containers;
	while (container && container->id != id) {
		container = container->next;
	}
	return container;
}

static int start_thread(struct dal_container *container)
{
	pthread_attr_t attributes;
	pthread_t thread;
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	int result = -pthread_create(&thread, &attributes, dal_container_run, container);
	(void)pthread_attr_destroy(&attributes);
	return result;
}

/* The pool's end of the output is read without waiting, ours is written with. */
static int make_output(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		return -errno;
	}
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static int containers_start(struct dal_driver *driver, uint64_t id,
			    const struct dal_function *function, int *output)
{
	struct dal_container_driver *containers = self(driver);
	int ends[2], result = make_output(ends);
	if (result != 0) {
		return result;
	}
	struct dal_container *container = dal_calloc(1, sizeof(*container));
	*container = (struct dal_container){
		.driver = containers,
		.process = -1,
		.cgroup = DAL_CGROUP_NONE,
		.id = id,
		.function = function,
		.namespace_path = dal_asprintf("%s/%llu", containers->folder,
					       (unsigned long long)id),
		.output = ends[1],
		.stream = -1,
	};
	(void)pthread_mutex_lock(&containers->lock);
	result = start_thread(container);
	if (result == 0) {
		container->next = containers->containers;
		containers->containers = container;
		containers->threads++;
	}
	(void)pthread_mutex_unlock(&containers->lock);
	if (result != 0) {
		(void)close(ends[0]);
		(void)close(ends[1]);
		free(container->namespace_path);
		free(container);
		return result;
	}
	*output = ends[0];
	return 0;
}

static void containers_stop(struct dal_driver *driver, uint64_t id, bool kill)
{
	struct dal_container_driver *containers = self(driver);
	(void)pthread_mutex_lock(&containers->lock);
	struct dal_container *container = find(containers, id);
	if (container) {
		container->asked = kill ? SIGKILL : SIGTERM;
		dal_container_signal(container);
	}
	(void)pthread_mutex_unlock(&containers->lock);
}

static void containers_stats(struct dal_driver *driver, uint64_t id, bool memory,
			     struct dal_driver_usage *usage)
{
	struct dal_container_driver *containers = self(driver);
	*usage = (struct dal_driver_usage){-1, -1};
	(void)pthread_mutex_lock(&containers->lock);
	const struct dal_container *container = find(containers, id);
	if (container) {
		usage->cpu_us = dal_cgroup_cpu_us(&container->cgroup);
		usage->memory_mb = memory ? dal_cgroup_peak_memory_mb(&container->cgroup) : -1;
	}
	(void)pthread_mutex_unlock(&containers->lock);
}

/* --- life --- */

static void lookups_free(struct dal_container_lookup *lookup)
{
	while (lookup) {
		struct dal_container_lookup *next = lookup->next;
		free(lookup->name);
		free(lookup);
		lookup = next;
	}
}

static void events_free(struct dal_container_driver *containers)
{
	struct dal_container_event *event = take_events(containers);
	while (event) {
		if (event->descriptor >= 0) {
			(void)close(event->descriptor);
		}
		event = event_free(event);
	}
}

/* Containers that have ended may still be on their way out of the engine: it is waited for. */
static void containers_free(struct dal_driver *driver)
{
	struct dal_container_driver *containers = self(driver);
	(void)pthread_mutex_lock(&containers->lock);
	containers->quit = true;
	(void)pthread_cond_broadcast(&containers->changed);
	while (containers->threads > 0) {
		(void)pthread_cond_wait(&containers->changed, &containers->lock);
	}
	(void)pthread_mutex_unlock(&containers->lock);
	if (containers->keeping) {
		(void)pthread_join(containers->keeper, NULL);
	}
	events_free(containers);
	lookups_free(containers->lookups);
	if (containers->folder) {
		(void)unlink(containers->filter);
		(void)rmdir(containers->folder);
	}
	dal_container_api_free(containers->lookup);
	dal_container_api_free(containers->api);
	(void)close(containers->event);
	(void)pthread_cond_destroy(&containers->changed);
	(void)pthread_mutex_destroy(&containers->lock);
	free(containers->filter);
	free(containers->folder);
	free(containers->host);
	free(containers);
}

static const struct dal_driver_operations operations = {
	.ready = containers_ready,
	.start_ms = DAL_LIMIT_CONTAINER_START_MS,
	.start = containers_start,
	.stop = containers_stop,
	.stats = containers_stats,
	.descriptor = containers_descriptor,
	.dispatch = containers_dispatch,
	.free = containers_free,
};

static void register_metrics(struct dal_container_driver *containers)
{
	static const char *const names[DAL_PHASE_COUNT] = {
		[DAL_PHASE_NETWORK] = "phase=\"network\"", [DAL_PHASE_CREATE] = "phase=\"create\"",
		[DAL_PHASE_ATTACH] = "phase=\"attach\"",   [DAL_PHASE_FIND] = "phase=\"find\"",
		[DAL_PHASE_START] = "phase=\"start\"",
	};
	for (size_t i = 0; i < DAL_PHASE_COUNT; i++) {
		containers->phases[i] = dal_metric_histogram(
			"dalamb_container_start_seconds",
			"How long the phases of a container's start take.", names[i]);
	}
}

static void init_locks(struct dal_container_driver *containers)
{
	pthread_condattr_t monotonic;
	(void)pthread_mutex_init(&containers->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&containers->changed, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

/* What can be known before anything is tried. */
static void prepare(struct dal_container_driver *containers, const char *data_folder)
{
	struct dal_error error;
	char *obstacle = containers->obstacle;
	size_t size = sizeof(containers->obstacle);
	int result = dal_data_id(data_folder, containers->id);
	if (result != 0) {
		(void)snprintf(obstacle, size,
			       "the id of the data folder can't be read or made (%s/id): %s",
			       data_folder, strerror(-result));
	} else if (geteuid() != 0) {
		(void)snprintf(obstacle, size,
			       "containers need root: dalamb makes the network namespace of each; "
			       "start dalamb as root, or declare a process with `command`");
	} else if (dal_container_api_new(containers->host, DAL_LIMIT_CONTAINER_REQUEST_MS,
					 &containers->api, &error) != 0) {
		(void)snprintf(obstacle, size, "%s", error.text);
	} else {
		(void)dal_container_api_new(containers->host, DAL_LIMIT_CONTAINER_LOOKUP_MS,
					    &containers->lookup, NULL);
		containers->folder = dal_asprintf(DAL_CONTAINERS_FOLDER "/%s", containers->id);
		containers->filter = dal_asprintf("%s/.seccomp.json", containers->folder);
	}
}

struct dal_driver *dal_container_driver_new(struct dal_spawner *spawner, const char *host,
					    const char *data_folder,
					    const struct dal_driver_events *events, void *own)
{
	struct dal_container_driver *containers = dal_calloc(1, sizeof(*containers));
	struct dal_errors errors = {0};
	containers->driver = (struct dal_driver){&operations, events, own};
	containers->spawner = spawner;
	containers->host = host ? dal_strdup(host) : dal_containers_host(NULL, environ, &errors);
	containers->last = &containers->first;
	containers->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	DAL_ASSERT(containers->event >= 0);
	init_locks(containers);
	register_metrics(containers);
	dal_errors_deinit(&errors); /* the address itself is looked at below */
	prepare(containers, data_folder);
	/* A killed engine left something, and perhaps no function has an image any more. */
	if (containers->folder && access(containers->folder, F_OK) == 0) {
		start_keeper(containers);
	}
	return &containers->driver;
}
