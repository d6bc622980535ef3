/* The process driver: an instance is a child of the spawner, inside bubblewrap or not. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "functions/driver.h"
#include "functions/environment.h"
#include "functions/proc.h"
#include "functions/spawner.h"

/* The number of the program that tries whether the walls can be made; instances have others. */
#define TRIAL UINT64_MAX

struct child {
	uint64_t id;
	bool sandbox;
	pid_t pid;       /* 0: not known yet */
	pid_t program;   /* whose figures count: below a sandbox's init; 0: not looked for yet */
	clockid_t clock; /* its CPU time */
	char failure[256];
};

struct process_driver {
	struct dal_driver driver;
	struct dal_spawner *spawner;
	struct child *children;
	size_t count, capacity;
	bool lost;         /* the spawner has ended */
	bool tried, known; /* the trial: begun, ended */
	bool walls;        /* it went well */
	int trial_output;
	char trial_text[512];
};

static struct process_driver *self(struct dal_driver *driver)
{
	return DAL_CONTAINER(driver, struct process_driver, driver);
}

static struct child *find(struct process_driver *process, uint64_t id)
{
	for (size_t i = 0; i < process->count; i++) {
		if (process->children[i].id == id) {
			return &process->children[i];
		}
	}
	return NULL;
}

static int spawn(struct process_driver *process, const struct dal_spawn *spawn, int *output)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		return -errno;
	}
	int result = dal_spawner_start_program(process->spawner, spawn, ends[1]);
	(void)close(ends[1]);
	if (result != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) {
		(void)close(ends[0]);
		return result != 0 ? result : -errno;
	}
	DAL_GROW(process->children, process->count, process->capacity);
	process->children[process->count++] = (struct child){.id = spawn->id,
							     .sandbox = spawn->sandbox};
	*output = ends[0];
	return 0;
}

/* --- can this machine make the walls? --- */

static void begin_trial(struct process_driver *process)
{
	const char *command[] = {"true", NULL}, *environment[] = {"PATH=/usr/bin:/bin", NULL};
	struct dal_spawn trial = {
		.id = TRIAL,
		.sandbox = true,
		.tmp_bytes = 1 << 20,
		.name = "trial",
		.folder = "/usr",
		.command = (char **)command,
		.environment = (char **)environment,
	};
	process->tried = true;
	int result = spawn(process, &trial, &process->trial_output);
	if (result != 0) {
		process->known = true;
		(void)snprintf(process->trial_text, sizeof(process->trial_text), "%s",
			       strerror(-result));
	}
}

static void end_trial(struct process_driver *process, const struct dal_spawn_notice *notice,
		      const char *failure)
{
	char *text = process->trial_text;
	ssize_t size = read(process->trial_output, text, sizeof(process->trial_text) - 1);
	text[size < 0 ? 0 : size] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (failure[0] != '\0' || text[0] == '\0') {
		(void)snprintf(text, sizeof(process->trial_text), "%s",
			       failure[0] ? failure : "no reason given");
	}
	(void)close(process->trial_output);
	process->trial_output = -1;
	process->known = true;
	process->walls = notice->code == 0 && notice->signal == 0;
	process->driver.events->changed(process->driver.own);
}

static int process_ready(struct dal_driver *driver, const struct dal_function *function,
			 struct dal_error *why)
{
	struct process_driver *process = self(driver);
	if (process->lost) {
		dal_error_set(why, "the process that starts programs has ended: restart dalamb");
		return DAL_DRIVER_OBSTACLE;
	}
	if (!function->sandbox) {
		return 0;
	}
	if (!process->tried) {
		begin_trial(process);
	}
	if (!process->known) {
		return DAL_DRIVER_TRYING;
	}
	if (!process->walls) {
		dal_error_set(
			why,
			"bubblewrap can't make a sandbox here (%s): allow user namespaces (sysctl "
			"user.max_user_namespaces, kernel.unprivileged_userns_clone; inside a "
			"container, its own limits), or set `sandbox = false` for a function that "
			"you trust",
			process->trial_text);
		return DAL_DRIVER_OBSTACLE;
	}
	return 0;
}

/* --- start and stop --- */

/* Without walls the Runtime API listens on the host's loopback, on a port of its own. */
static int listen_outside(char *api, size_t api_size)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
		int result = -errno;
		(void)close(fd);
		return result;
	}
	(void)snprintf(api, api_size, "127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

static int process_start(struct dal_driver *driver, uint64_t id,
			 const struct dal_function *function, int *output)
{
	struct process_driver *process = self(driver);
	char api[64];
	int listener = -1;
	if (function->sandbox) {
		(void)snprintf(api, sizeof(api), "127.0.0.1:%d", DAL_SPAWN_PORT);
	} else {
		listener = listen_outside(api, sizeof(api));
		if (listener < 0) {
			return listener;
		}
	}
	struct dal_spawn wanted = {
		.id = id,
		.sandbox = function->sandbox,
		.memory_bytes = function->memory_bytes,
		.tmp_bytes = function->tmp_bytes,
		.name = function->name,
		.folder = function->folder,
		.paths = function->paths,
		.command = function->command,
		.environment = dal_environment_new(function, api, id),
	};
	int result = spawn(process, &wanted, output);
	dal_environment_free(wanted.environment);
	if (listener >= 0 && result == 0) {
		driver->events->listening(driver->own, id, listener);
	} else if (listener >= 0) {
		(void)close(listener);
	}
	return result;
}

static void process_stop(struct dal_driver *driver, uint64_t id, bool kill)
{
	/* A spawner that is gone has taken its children with it: LOST says so. */
	(void)dal_spawner_signal(self(driver)->spawner, id, kill ? SIGKILL : SIGTERM);
}

/* --- figures --- */

/* The program is a sandbox init's first child: made right after it, so its number is near. */
static pid_t first_child(pid_t init)
{
	for (pid_t pid = init + 1; pid < init + 64; pid++) {
		if (dal_proc_parent(pid) == init) {
			return pid;
		}
	}
	return -1;
}

static void find_program(struct child *child)
{
	child->program = child->sandbox ? first_child(child->pid) : child->pid;
	if (child->program > 0 && clock_getcpuclockid(child->program, &child->clock) != 0) {
		child->program = -1;
	}
}

/* Of the program itself: what it starts beside it is not counted while it runs. */
static void process_stats(struct dal_driver *driver, uint64_t id, bool memory,
			  struct dal_driver_usage *usage)
{
	struct child *child = find(self(driver), id);
	struct timespec time;
	*usage = (struct dal_driver_usage){-1, -1};
	if (!child || child->pid == 0) {
		return;
	}
	if (child->program == 0) {
		find_program(child);
	}
	if (child->program < 0) {
		return;
	}
	if (clock_gettime(child->clock, &time) == 0) {
		usage->cpu_us = time.tv_sec * 1000000 + time.tv_nsec / 1000;
	}
	if (memory) {
		usage->memory_mb = dal_proc_peak_memory_mb(child->program);
	}
}

/* --- what the spawner says --- */

static void tell_ended(struct process_driver *process, struct child *child,
		       const struct dal_spawn_notice *notice)
{
	char text[320];
	struct dal_driver_end end = {
		.text = text, .cpu_us = notice->cpu_us, .memory_mb = notice->memory_mb};
	struct child ended = *child;
	*child = process->children[--process->count];
	if (ended.id == TRIAL) {
		end_trial(process, notice, ended.failure);
		return;
	}
	if (process->lost) {
		(void)snprintf(text, sizeof(text), "ended with the process that had started it");
	} else if (ended.failure[0] != '\0') {
		(void)snprintf(text, sizeof(text), "could not be started: %s", ended.failure);
		end.unavailable = notice->code == DAL_SPAWN_EXIT_MACHINE;
	} else if (notice->signal != 0) {
		const char *name = sigabbrev_np(notice->signal);
		(void)snprintf(text, sizeof(text), "was killed by SIG%s", name ? name : "?");
	} else {
		(void)snprintf(text, sizeof(text), "ended with status %d", notice->code);
	}
	process->driver.events->ended(process->driver.own, ended.id, &end);
}

/* All children have gone with the spawner. */
static void lose(struct process_driver *process)
{
	const struct dal_spawn_notice end = {
		.kind = DAL_SPAWN_ENDED, .code = 1, .cpu_us = -1, .memory_mb = -1};
	process->lost = true;
	while (process->count > 0) {
		tell_ended(process, &process->children[process->count - 1], &end);
	}
	process->driver.events->changed(process->driver.own);
}

static void take_notice(struct process_driver *process, const struct dal_spawn_notice *notice)
{
	struct child *child = find(process, notice->id);
	switch (notice->kind) {
	case DAL_SPAWN_LISTENING:
		if (child && child->id != TRIAL) {
			process->driver.events->listening(process->driver.own, notice->id,
							  notice->descriptor);
		} else {
			(void)close(notice->descriptor);
		}
		break;
	case DAL_SPAWN_RUNNING:
		if (child) {
			child->pid = notice->pid;
		}
		break;
	case DAL_SPAWN_FAILED:
		if (child) {
			(void)snprintf(child->failure, sizeof(child->failure), "%s", notice->text);
		}
		break;
	case DAL_SPAWN_ENDED:
		if (child) {
			tell_ended(process, child, notice);
		}
		break;
	case DAL_SPAWN_LOST:
		lose(process);
		break;
	}
}

static int process_descriptor(const struct dal_driver *driver)
{
	const struct process_driver *process = DAL_CONTAINER(driver, const struct process_driver,
							     driver);
	return process->lost ? -1 : dal_spawner_descriptor(process->spawner);
}

static void process_dispatch(struct dal_driver *driver)
{
	struct process_driver *process = self(driver);
	struct dal_spawn_notice notice;
	while (!process->lost && dal_spawner_receive(process->spawner, &notice) == 0) {
		take_notice(process, &notice);
	}
}

static void process_free(struct dal_driver *driver)
{
	struct process_driver *process = self(driver);
	if (process->trial_output >= 0) {
		(void)close(process->trial_output);
	}
	free(process->children);
	free(process);
}

static const struct dal_driver_operations operations = {
	.ready = process_ready,
	.start = process_start,
	.stop = process_stop,
	.stats = process_stats,
	.descriptor = process_descriptor,
	.dispatch = process_dispatch,
	.free = process_free,
};

struct dal_driver *dal_process_driver_new(struct dal_spawner *spawner,
					  const struct dal_driver_events *events, void *own)
{
	struct process_driver *process = dal_calloc(1, sizeof(*process));
	process->driver = (struct dal_driver){&operations, events, own};
	process->spawner = spawner;
	process->trial_output = -1;
	return &process->driver;
}
