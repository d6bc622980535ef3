#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "functions/sandbox.h"
#include "functions/spawn_message.h"
#include "functions/spawner_process.h"

static const char *const bubblewraps[] = {
	"/usr/bin/bwrap",
	"/usr/local/bin/bwrap",
	"/bin/bwrap",
	NULL,
};

/* Allocated before RLIMIT_DATA is set: after that nothing may be, and exec may still fail. */
static struct dal_buffer message;

static void tell(int control, const struct dal_spawn_notice *notice)
{
	dal_buffer_clear(&message);
	dal_spawn_write_notice(notice, &message);
	(void)dal_spawn_send(control, dal_buffer_slice(&message), notice->descriptor);
}

static _Noreturn void fail(const struct dal_spawn *spawn, int control, int code, const char *step,
			   int error)
{
	struct dal_spawn_notice notice = {
		.kind = DAL_SPAWN_FAILED, .id = spawn->id, .descriptor = -1};
	(void)snprintf(notice.text, sizeof(notice.text), "%s: %s", step, strerror(-error));
	tell(control, &notice);
	_exit(code);
}

/* No terminal, no inherited descriptors, default signals, a session and a process group of its own.
 */
static void detach(int output)
{
	sigset_t none;
	(void)sigemptyset(&none);
	for (int signal = 1; signal < NSIG; signal++) {
		(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	}
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(output, STDOUT_FILENO);
	(void)dup2(output, STDERR_FILENO);
	(void)close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* Changing the user forgets the parent-death signal: this comes last. */
static void die_with_parent(pid_t parent)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(DAL_SPAWN_EXIT_MACHINE);
	}
}

static void limit(const struct dal_spawn *spawn, int control)
{
	int result = dal_sandbox_limit(spawn);
	if (result != 0) {
		fail(spawn, control, DAL_SPAWN_EXIT_MACHINE, "resource limits", result);
	}
}

static _Noreturn void run_sandboxed(const struct dal_spawn *spawn, int control, int info,
				    pid_t parent)
{
	struct dal_sandbox sandbox;
	const char *step;
	int result = dal_sandbox_enter(spawn, &sandbox, &step);
	if (result != 0) {
		fail(spawn, control, DAL_SPAWN_EXIT_MACHINE, step, result);
	}
	tell(control, &(struct dal_spawn_notice){.kind = DAL_SPAWN_LISTENING,
						 .id = spawn->id,
						 .descriptor = sandbox.listener});
	char **arguments = dal_sandbox_arguments(spawn, &sandbox, info);
	(void)fcntl(info, F_SETFD, 0);
	die_with_parent(parent);
	limit(spawn, control);
	for (const char *const *path = bubblewraps; *path; path++) {
		(void)execve(*path, arguments, spawn->environment);
	}
	fail(spawn, control, DAL_SPAWN_EXIT_MACHINE, "bubblewrap (apt-get install bubblewrap)",
	     -errno);
}

static _Noreturn void run_trusted(const struct dal_spawn *spawn, int control, pid_t parent)
{
	if (chdir(spawn->folder) != 0) {
		fail(spawn, control, DAL_SPAWN_EXIT_PROGRAM, spawn->folder, -errno);
	}
	environ = spawn->environment; /* execvp looks for the program along this PATH */
	die_with_parent(parent);
	limit(spawn, control);
	(void)execvp(spawn->command[0], spawn->command);
	fail(spawn, control, DAL_SPAWN_EXIT_PROGRAM, spawn->command[0], -errno);
}

_Noreturn void dal_spawn_child_run(const struct dal_spawn *spawn, int control, int output, int info)
{
	pid_t parent = getppid();
	(void)dal_buffer_reserve(&message, 1024);
	detach(output);
	if (spawn->sandbox) {
		run_sandboxed(spawn, control, info, parent);
	}
	run_trusted(spawn, control, parent);
}
