#include "functions/spawner_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "functions/proc.h"
#include "functions/spawn_message.h"

struct child {
	uint64_t id;
	pid_t pid;
	pid_t inner;  /* of a sandbox: init of its pid namespace, leader of the program's group; 0:
			 unknown */
	int inner_fd; /* the same as a descriptor, which never means another process; -1: unknown */
	int info;     /* bubblewrap says `inner` here; -1: nothing to come */
	bool sandbox;
};

struct process {
	int control, signals;
	struct child *children;
	size_t count, capacity;
	int *guards; /* pidfds of what others started for the engine */
	size_t guard_count, guard_capacity;
	struct pollfd *polls; /* control, signals, each child's info, each guard */
	struct dal_buffer message;
};

static void tell(struct process *process, const struct dal_spawn_notice *notice)
{
	dal_buffer_clear(&process->message);
	dal_spawn_write_notice(notice, &process->message);
	/* An engine that is gone is noticed by the next receive. */
	(void)dal_spawn_send(process->control, dal_buffer_slice(&process->message), -1);
}

static struct child *find(struct process *process, uint64_t id, pid_t pid)
{
	for (size_t i = 0; i < process->count; i++) {
		struct child *child = &process->children[i];
		if (pid != 0 ? child->pid == pid : child->id == id) {
			return child;
		}
	}
	return NULL;
}

static void tell_failed(struct process *process, uint64_t id, int error)
{
	struct dal_spawn_notice notice = {.kind = DAL_SPAWN_FAILED, .id = id};
	(void)snprintf(notice.text, sizeof(notice.text), "fork: %s", strerror(error));
	tell(process, &notice);
	tell(process, &(struct dal_spawn_notice){
			      .kind = DAL_SPAWN_ENDED, .id = id, .code = DAL_SPAWN_EXIT_MACHINE});
}

static void start(struct process *process, const struct dal_spawn *spawn, int output)
{
	int info[2] = {-1, -1};
	if (spawn->sandbox && pipe2(info, O_CLOEXEC | O_NONBLOCK) != 0) {
		tell_failed(process, spawn->id, errno);
		return;
	}
	pid_t pid = fork();
	if (pid == 0) {
		dal_spawn_child_run(spawn, process->control, output, info[1]);
	}
	int error = errno;
	if (info[1] >= 0) {
		(void)close(info[1]);
	}
	if (pid < 0) {
		if (info[0] >= 0) {
			(void)close(info[0]);
		}
		tell_failed(process, spawn->id, error);
		return;
	}
	DAL_GROW(process->children, process->count, process->capacity);
	process->children[process->count++] = (struct child){.id = spawn->id,
							     .pid = pid,
							     .inner_fd = -1,
							     .info = info[0],
							     .sandbox = spawn->sandbox};
	if (!spawn->sandbox) {
		tell(process, &(struct dal_spawn_notice){
				      .kind = DAL_SPAWN_RUNNING, .id = spawn->id, .pid = pid});
	}
}

static void close_info(struct child *child)
{
	if (child->info >= 0) {
		(void)close(child->info);
	}
	child->info = -1;
}

/* bubblewrap writes {"child-pid": 123, and then more that is not for us. */
static void read_info(struct process *process, struct child *child)
{
	char text[512];
	ssize_t size;
	while (child->info >= 0 && (size = read(child->info, text, sizeof(text) - 1)) >= 0) {
		text[size] = '\0';
		const char *found = strstr(text, "\"child-pid\":");
		if (found && child->inner == 0) {
			child->inner = (pid_t)strtol(found + strlen("\"child-pid\":"), NULL, 10);
			child->inner_fd = (int)syscall(SYS_pidfd_open, child->inner, 0);
			tell(process, &(struct dal_spawn_notice){.kind = DAL_SPAWN_RUNNING,
								 .id = child->id,
								 .pid = child->inner});
		}
		if (size == 0) {
			close_info(child);
		}
	}
}

/*
 * SIGKILL takes bubblewrap with its group, and with it (die-with-parent) the pid namespace; init of
 * the namespace is killed too, for there is a moment in which it has left the group and not asked
 * for that yet. SIGTERM would kill bubblewrap alone, so it goes to the program's own group inside;
 * where there is none yet, nothing runs that would mind SIGKILL.
 */
static void send_signal(struct process *process, struct child *child, int signal)
{
	read_info(process, child);
	if (child->sandbox && signal != SIGKILL) {
		if (child->inner != 0 && kill(-child->inner, signal) == 0) {
			return;
		}
		signal = SIGKILL;
	}
	(void)kill(-child->pid, signal);
	(void)kill(child->pid, signal); /* it may not have got as far as setsid */
	if (child->inner_fd >= 0) {
		(void)syscall(SYS_pidfd_send_signal, child->inner_fd, signal, NULL, 0);
	}
}

/* False when the engine's end is closed. */
static bool serve_request(struct process *process)
{
	int descriptor;
	int result = dal_spawn_receive(process->control, true, &process->message, &descriptor);
	if (result < 0) {
		return false;
	}
	struct dal_spawn_request request;
	DAL_ASSERT(dal_spawn_read_request(dal_buffer_slice(&process->message), &request) == 0);
	if (request.kind == DAL_SPAWN_MESSAGE_START) {
		start(process, &request.spawn, descriptor);
	} else if (request.kind == DAL_SPAWN_MESSAGE_GUARD) {
		DAL_GROW(process->guards, process->guard_count, process->guard_capacity);
		process->guards[process->guard_count++] = descriptor;
		descriptor = -1;
	} else {
		struct child *child = find(process, request.spawn.id, 0);
		if (child) {
			send_signal(process, child, request.signal);
		}
	}
	dal_spawn_deinit(&request.spawn);
	if (descriptor >= 0) {
		(void)close(descriptor);
	}
	return true;
}

static void forget(struct process *process, struct child *child)
{
	close_info(child);
	if (child->inner_fd >= 0) {
		(void)close(child->inner_fd);
	}
	*child = process->children[--process->count];
}

static void tell_ended(struct process *process, struct child *child, int status,
		       const struct rusage *usage)
{
	struct dal_spawn_notice notice = {.kind = DAL_SPAWN_ENDED, .id = child->id};
	if (WIFSIGNALED(status)) {
		notice.signal = WTERMSIG(status);
	} else if (child->sandbox && WEXITSTATUS(status) > 128) {
		notice.signal = WEXITSTATUS(status) - 128; /* as bubblewrap passes it on */
	} else {
		notice.code = WEXITSTATUS(status);
	}
	notice.cpu_us = (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
			usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
	notice.memory_mb = (usage->ru_maxrss + 1023) / 1024;
	tell(process, &notice);
}

/* The group is killed before its leader is reaped: until then nobody else can have its number. */
static void reap(struct process *process)
{
	siginfo_t info = {0};
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
		struct child *child = find(process, 0, info.si_pid);
		struct rusage usage;
		int status;
		if (child) {
			(void)kill(-child->pid, SIGKILL);
		}
		if (wait4(info.si_pid, &status, 0, &usage) == info.si_pid && child) {
			read_info(process, child);
			tell_ended(process, child, status, &usage);
			forget(process, child);
		}
		info.si_pid = 0;
	}
}

/* Kills what was handed to us as a subreaper: grandchildren that left their group. */
static void kill_adopted(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	while (proc && (entry = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid > 0 && dal_proc_parent(pid) == getpid()) {
			(void)kill(pid, SIGKILL);
		}
	}
	if (proc) {
		(void)closedir(proc);
	}
}

/* Those that have ended, as the last poll says. From the end on, for each leaves a gap. */
static void forget_guards(struct process *process)
{
	const struct pollfd *polls = process->polls + 2 + process->count;
	for (size_t i = process->guard_count; i-- > 0;) {
		if (polls[i].revents != 0) {
			(void)close(process->guards[i]);
			process->guards[i] = process->guards[--process->guard_count];
		}
	}
}

static _Noreturn void end(struct process *process)
{
	for (size_t i = 0; i < process->guard_count; i++) {
		(void)syscall(SYS_pidfd_send_signal, process->guards[i], SIGKILL, NULL, 0);
	}
	for (size_t i = 0; i < process->count; i++) {
		send_signal(process, &process->children[i], SIGKILL);
	}
	do {
		kill_adopted();
	} while (waitpid(-1, NULL, 0) > 0 || errno == EINTR);
	_exit(0);
}

static void become_spawner(struct process *process)
{
	sigset_t child;
	(void)setsid(); /* Ctrl-C is for the engine, which then drains */
	(void)prctl(PR_SET_NAME, "dalamb-spawner");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	(void)sigprocmask(SIG_SETMASK, &child, NULL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	/* The engine's own descriptors end here; ours moves to 3 so that all above can go. */
	DAL_ASSERT(process->control == 3 || dup3(process->control, 3, O_CLOEXEC) == 3);
	process->control = 3;
	(void)close_range(4, ~0U, 0);
	(void)chdir("/");
	process->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	DAL_ASSERT(process->signals >= 0);
}

static void wait_events(struct process *process)
{
	size_t count = 2 + process->count + process->guard_count;
	process->polls = dal_reallocarray(process->polls, count, sizeof(*process->polls));
	process->polls[0] = (struct pollfd){.fd = process->control, .events = POLLIN};
	process->polls[1] = (struct pollfd){.fd = process->signals, .events = POLLIN};
	for (size_t i = 0; i < process->count; i++) {
		process->polls[2 + i] = (struct pollfd){.fd = process->children[i].info,
							.events = POLLIN};
	}
	for (size_t i = 0; i < process->guard_count; i++) {
		process->polls[2 + process->count + i] = (struct pollfd){.fd = process->guards[i],
									 .events = POLLIN};
	}
	while (poll(process->polls, count, -1) < 0 && errno == EINTR) {
	}
}

_Noreturn void dal_spawner_process_run(int control)
{
	struct process process = {.control = control};
	become_spawner(&process);
	for (;;) {
		wait_events(&process);
		forget_guards(&process);
		for (size_t i = 0; i < process.count; i++) {
			if (process.polls[2 + i].revents != 0) {
				read_info(&process, &process.children[i]);
			}
		}
		if (process.polls[1].revents != 0) {
			struct signalfd_siginfo info;
			while (read(process.signals, &info, sizeof(info)) > 0) {
			}
			reap(&process);
		}
		if (process.polls[0].revents != 0 && !serve_request(&process)) {
			end(&process);
		}
	}
}
