#include "functions/container.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "functions/environment.h"
#include "functions/limits.h"
#include "functions/network.h"
#include "functions/proc.h"
#include "functions/spawner.h"

#define LAST_WORDS_MS 1000 /* its output may come a little later than its end */
#define STATE_EVERY_MS 10  /* until the engine knows, too */
#define STATE_TRIES 1000
#define ATTACH_AGAIN_MIN_MS 100
#define ATTACH_AGAIN_MAX_MS 10000
/* All containers have one user, so the pids limit is what bounds each. This is the kernel's
 * pid_max by default, to which Podman lowers its own limit at start. */
#define USER_PROCESSES 32768

/* Why it does not run: whose fault, and the words. */
struct failure {
	bool program; /* the image's own: no other try on this machine will be better */
	struct dal_error error;
};

/* --- coming up, step by step --- */

static void nap(int64_t ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};
	(void)nanosleep(&time, NULL);
}

/* As Podman's runtimes say that there is no such program in the image, or none for this machine. */
static bool blames_program(const char *text)
{
	static const char *const words[] = {"exec: ", "executable file", "exec format error",
					    "no command"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(text, words[i])) {
			return true;
		}
	}
	return false;
}

/* 0, or what `result` of a request means for this container. */
static int judge(struct dal_container *container, int result, struct failure *failure)
{
	if (result == DAL_CONTAINER_AWAY) {
		dal_container_lose(container->driver, &failure->error);
	} else if (result != 0) {
		failure->program = blames_program(failure->error.text);
	}
	return result;
}

static int make_network(struct dal_container *container, struct failure *failure)
{
	struct dal_container_event *event;
	const char *step;
	int listener;
	int result = dal_network_new(container->namespace_path, &listener, &step);
	if (result != 0) {
		free(container->namespace_path);
		container->namespace_path = NULL;
		dal_error_set(&failure->error, "%s: %s", step, strerror(-result));
		return result;
	}
	event = dal_container_event_new(DAL_CONTAINER_LISTENING, container->id);
	event->descriptor = listener;
	dal_container_tell_take(container->driver, event);
	return 0;
}

/* The engine may not be able to raise a limit of its own: ours is the best guess of that. */
static uint64_t at_most(int which, uint64_t value)
{
	struct rlimit own;
	(void)getrlimit((__rlimit_resource_t)which, &own);
	return own.rlim_max < value ? own.rlim_max : value;
}

/* A host name takes letters, digits and hyphens. */
static void write_host_name(const char *name, char out[64])
{
	size_t size = 0;
	for (; *name && size < 62; name++) {
		out[size++] = isalnum((unsigned char)*name) ? *name : '-';
	}
	out[size] = '\0';
}

static int create(struct dal_container *container, struct failure *failure)
{
	const struct dal_function *function = container->function;
	char host_name[64], api[64];
	uint32_t random;
	struct dal_buffer body = {0};
	(void)snprintf(api, sizeof(api), "127.0.0.1:%d", DAL_SPAWN_PORT);
	char **environment = dal_environment_new(function, api, container->id);
	write_host_name(function->name, host_name);
	dal_container_write_spec(
		&(struct dal_container_spec){
			.function = function,
			.environment = environment,
			.data_id = container->driver->id,
			.namespace_path = container->namespace_path,
			.filter_path = container->driver->filter,
			.host_name = host_name,
			.files = at_most(RLIMIT_NOFILE, DAL_LIMIT_FUNCTION_FILES),
			.user_processes = at_most(RLIMIT_NPROC, USER_PROCESSES),
		},
		&body);
	dal_random(&random, sizeof(random));
	char *name = dal_asprintf("dalamb-%s-%08x", host_name, random);
	int result = dal_container_api_create(container->driver->api, name, dal_buffer_slice(&body),
					      container->engine_id, &failure->error);
	if (body.size > 0) {
		explicit_bzero(body.data, body.size); /* secrets */
	}
	dal_buffer_deinit(&body);
	dal_environment_free(environment);
	free(name);
	if (result == DAL_CONTAINER_MISSING) {
		dal_error_set(&failure->error,
			      "the image %s that was there when it was loaded (%s) is gone: build "
			      "or pull it again, and start dalamb again",
			      function->image.name, function->image.id);
	}
	return judge(container, result, failure);
}

/*
 * The first process of a pid namespace is spared signals that it does not catch: where SIGTERM
 * would change nothing, nobody has to wait for SIGKILL.
 */
void dal_container_signal(struct dal_container *container)
{
	int signal = container->asked;
	if (container->process < 0 || signal == 0) {
		return;
	}
	if (signal == SIGTERM && !dal_proc_catches(container->pid, SIGTERM)) {
		signal = SIGKILL;
	}
	(void)syscall(SYS_pidfd_send_signal, container->process, signal, NULL, 0);
}

static void kill_process(struct dal_container *container)
{
	(void)pthread_mutex_lock(&container->driver->lock);
	container->asked = SIGKILL;
	dal_container_signal(container);
	(void)pthread_mutex_unlock(&container->driver->lock);
}

/* From now on signals reach it, and its figures are known. */
static void watch(struct dal_container *container, pid_t pid)
{
	char membership[4096];
	struct dal_cgroup cgroup = DAL_CGROUP_NONE;
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0) {
		return;
	}
	/* A number that has passed to another process by now has another group. */
	dal_proc_cgroup(pid, membership, sizeof(membership));
	if (!strstr(membership, container->engine_id)) {
		(void)close(process);
		return;
	}
	(void)dal_spawner_guard(container->driver->spawner, process);
	dal_cgroup_open(DAL_CGROUP_ROOT, membership, &cgroup);
	(void)pthread_mutex_lock(&container->driver->lock);
	container->process = process;
	container->pid = pid;
	container->cgroup = cgroup;
	dal_container_signal(container);
	(void)pthread_mutex_unlock(&container->driver->lock);
}

/* Podman has made the process by now, and holds it before its exec until `start`. */
static int find_process(struct dal_container *container, struct failure *failure)
{
	struct dal_container_state state;
	int result = dal_container_api_state(container->driver->api, container->engine_id, &state,
					     &failure->error);
	if (result == 0 && state.pid > 0) {
		watch(container, state.pid);
	}
	if (result == 0 && container->process < 0) {
		dal_error_set(&failure->error,
			      "process %d of the container can't be seen: dalamb and the container "
			      "engine must share their pid namespace and /proc",
			      state.pid);
		return -ESRCH;
	}
	return judge(container, result, failure);
}

static int attach(struct dal_container *container, struct failure *failure)
{
	return judge(container,
		     dal_container_api_attach(container->driver->api, container->engine_id,
					      &container->stream, &failure->error),
		     failure);
}

static int start(struct dal_container *container, struct failure *failure)
{
	dal_container_tell_take(container->driver,
				dal_container_event_new(DAL_CONTAINER_RUNNING, container->id));
	int result = judge(container,
			   dal_container_api_start(container->driver->api, container->engine_id,
						   &failure->error),
			   failure);
	dal_cgroup_forget_peak(&container->cgroup); /* of what the engine did in it */
	/* An engine that went away before it answered may have started it: its init is watched. */
	return result == DAL_CONTAINER_AWAY ? 0 : result;
}

static bool was_asked(struct dal_container *container)
{
	(void)pthread_mutex_lock(&container->driver->lock);
	bool asked = container->asked != 0;
	(void)pthread_mutex_unlock(&container->driver->lock);
	return asked;
}

static int come_up(struct dal_container *container, struct failure *failure)
{
	static int (*const steps[DAL_PHASE_COUNT])(struct dal_container *, struct failure *) = {
		[DAL_PHASE_NETWORK] = make_network, [DAL_PHASE_CREATE] = create,
		[DAL_PHASE_ATTACH] = attach,        [DAL_PHASE_FIND] = find_process,
		[DAL_PHASE_START] = start,
	};
	for (size_t i = 0; i < DAL_PHASE_COUNT; i++) {
		int64_t begun_us = dal_clock_monotonic_us();
		if (was_asked(container)) {
			dal_error_set(&failure->error, "it was stopped before it ran");
			return -ECANCELED;
		}
		int result = steps[i](container, failure);
		if (result != 0) {
			return result;
		}
		dal_metric_observe_us(container->driver->phases[i],
				      dal_clock_monotonic_us() - begun_us);
	}
	return 0;
}

/* --- running --- */

/* False when there is no more to come on this stream. */
static bool pass_on(struct dal_container *container)
{
	char bytes[16384];
	struct dal_slice from, piece;
	ssize_t size = recv(container->stream, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
		return true;
	}
	from = dal_slice(bytes, size < 0 ? 0 : (size_t)size);
	while (dal_frames_next(&container->frames, &from, &piece)) {
		while (piece.size > 0) {
			ssize_t sent = send(container->output, piece.data, piece.size,
					    MSG_NOSIGNAL);
			if (sent < 0 && errno != EINTR) {
				return size > 0; /* nobody reads any more */
			}
			piece = dal_slice(piece.data + (sent < 0 ? 0 : sent),
					  piece.size - (size_t)(sent < 0 ? 0 : sent));
		}
	}
	return size > 0;
}

static void close_stream(struct dal_container *container)
{
	if (container->stream >= 0) {
		(void)close(container->stream);
	}
	container->stream = -1;
	container->frames = (struct dal_frames){0};
}

static bool is_quitting(struct dal_container_driver *driver)
{
	(void)pthread_mutex_lock(&driver->lock);
	bool quit = driver->quit;
	(void)pthread_mutex_unlock(&driver->lock);
	return quit;
}

/*
 * Until its first process has ended, and all others of its pid namespace with it. An engine that
 * restarts leaves containers running and ends our streams; a program may close its outputs. So the
 * stream is opened again, at ever longer intervals as long as nothing comes.
 */
static void follow(struct dal_container *container)
{
	int wait_ms = ATTACH_AGAIN_MIN_MS;
	struct dal_error error;
	for (;;) {
		struct pollfd polls[2] = {{.fd = container->process, .events = POLLIN},
					  {.fd = container->stream, .events = POLLIN}};
		int ready = poll(polls, 2, container->stream < 0 ? wait_ms : -1);
		if (polls[0].revents != 0) {
			return;
		}
		if (polls[1].revents != 0 && pass_on(container)) {
			wait_ms = ATTACH_AGAIN_MIN_MS;
		} else if (polls[1].revents != 0) {
			close_stream(container);
		} else if (ready == 0) {
			(void)dal_container_api_attach(container->driver->api, container->engine_id,
						       &container->stream, &error);
			wait_ms = wait_ms < ATTACH_AGAIN_MAX_MS ? 2 * wait_ms : wait_ms;
		}
	}
}

static void hear_last_words(struct dal_container *container)
{
	struct pollfd poll_of = {.fd = container->stream, .events = POLLIN};
	while (container->stream >= 0 && poll(&poll_of, 1, LAST_WORDS_MS) == 1) {
		if (!pass_on(container)) {
			break;
		}
	}
	close_stream(container);
}

/* --- the end --- */

/* Its figures stay what they were: the group is gone soon. */
static void take_figures(struct dal_container *container, struct dal_driver_end *end)
{
	int64_t kills;
	(void)pthread_mutex_lock(&container->driver->lock);
	struct dal_cgroup cgroup = container->cgroup;
	int process = container->process;
	container->cgroup = DAL_CGROUP_NONE;
	container->process = -1;
	(void)pthread_mutex_unlock(&container->driver->lock);
	end->cpu_us = dal_cgroup_cpu_us(&cgroup);
	end->memory_mb = dal_cgroup_peak_memory_mb(&cgroup);
	kills = dal_cgroup_kills(&cgroup);
	end->out_of_memory = kills > 0;
	dal_cgroup_close(&cgroup);
	if (process >= 0) {
		(void)close(process);
	}
}

/* -1: the engine doesn't know. */
static int find_exit_code(struct dal_container *container)
{
	struct dal_container_state state = {.running = true};
	struct dal_error error;
	for (int i = 0; state.running && i < STATE_TRIES; i++) {
		nap(i == 0 ? 0 : STATE_EVERY_MS);
		if (dal_container_api_state(container->driver->api, container->engine_id, &state,
					    &error) != 0) {
			return -1;
		}
	}
	return state.running ? -1 : state.exit_code;
}

static void tell_ended(struct dal_container *container, const struct dal_driver_end *end,
		       const char *text)
{
	struct dal_container_event *event = dal_container_event_new(DAL_CONTAINER_ENDED,
								    container->id);
	event->end = *end;
	event->end.text = event->text;
	(void)snprintf(event->text, sizeof(event->text), "%s", text);
	dal_container_tell_take(container->driver, event);
}

/* As a shell counts: 128 and a signal's number mean that signal. */
static void tell_exit(struct dal_container *container, struct dal_driver_end *end)
{
	char text[128];
	bool asked = was_asked(container);
	int code = asked ? 128 + SIGKILL : find_exit_code(container);
	const char *name = code > 128 && code < 128 + NSIG ? sigabbrev_np(code - 128) : NULL;
	end->out_of_memory = end->out_of_memory && !asked && (code == 128 + SIGKILL || code < 0);
	if (code < 0) {
		(void)snprintf(text, sizeof(text), "ended (the container engine can't say how)");
	} else if (name) {
		(void)snprintf(text, sizeof(text), "was killed by SIG%s", name);
	} else {
		(void)snprintf(text, sizeof(text), "ended with status %d", code);
	}
	tell_ended(container, end, text);
}

static void tell_failure(struct dal_container *container, const struct failure *failure)
{
	char text[512];
	struct dal_driver_end end = {
		.unavailable = !failure->program, .cpu_us = -1, .memory_mb = -1};
	(void)snprintf(text, sizeof(text), "could not be started: %.480s", failure->error.text);
	tell_ended(container, &end, text);
}

/* While the engine is away it is tried again, until dalamb itself ends: the next one finds it. */
static void clean_up(struct dal_container *container)
{
	struct dal_error error;
	if (container->namespace_path) {
		dal_network_remove(container->namespace_path);
		free(container->namespace_path);
	}
	while (container->engine_id[0] != '\0' &&
	       dal_container_api_remove(container->driver->api, container->engine_id, &error) !=
		       0 &&
	       !is_quitting(container->driver)) {
		nap(DAL_LIMIT_CONTAINER_RETRY_MS);
	}
}

static void leave(struct dal_container *container)
{
	struct dal_container_driver *driver = container->driver;
	(void)pthread_mutex_lock(&driver->lock);
	struct dal_container **at = &driver->containers;
	while (*at != container) {
		at = &(*at)->next;
	}
	*at = container->next;
	driver->threads--;
	(void)pthread_cond_broadcast(&driver->changed);
	(void)pthread_mutex_unlock(&driver->lock);
	free(container);
}

void *dal_container_run(void *data)
{
	struct dal_container *container = data;
	struct failure failure = {0};
	struct dal_driver_end end = {0};
	(void)pthread_setname_np(pthread_self(), "container");
	int result = come_up(container, &failure);
	if (result == 0) {
		follow(container);
		take_figures(container, &end);
		hear_last_words(container);
	}
	(void)close(container->output);
	if (result == 0) {
		tell_exit(container, &end);
	} else {
		kill_process(container);
		take_figures(container, &end);
		close_stream(container);
		tell_failure(container, &failure);
	}
	clean_up(container);
	leave(container);
	return NULL;
}
