/* Children made by the spawner: what they see, how they end, that none is left. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/spawner.h"

#define WAIT_MS 10000

/* One program and all that was heard of it. */
struct run {
	struct dal_spawner *spawner;
	uint64_t id;
	int output; /* our end */
	int listener, pid;
	bool ended, lost;
	int code, signal;
	int64_t cpu_us, memory_mb;
	char failure[256];
	struct dal_buffer text;
};

static struct run *run_start(struct dal_spawner *spawner, bool sandbox, const char *folder,
			     const char *script)
{
	static uint64_t ids;
	int ends[2];
	struct run *run = dal_calloc(1, sizeof(*run));
	*run = (struct run){.spawner = spawner, .id = ++ids, .listener = -1};
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const char *command[] = {"/bin/sh", "-c", script, NULL};
	const char *environment[] = {"PATH=/usr/bin:/bin", "SECRET=s3cret", NULL};
	struct dal_spawn spawn = {
		.id = run->id,
		.sandbox = sandbox,
		.memory_bytes = 64 << 20,
		.tmp_bytes = 1 << 20,
		.name = "a-function",
		.folder = folder,
		.command = (char **)command,
		.environment = (char **)environment,
	};
	assert_int_equal(dal_spawner_start_program(spawner, &spawn, ends[1]), 0);
	(void)close(ends[1]);
	run->output = ends[0];
	assert_int_equal(fcntl(run->output, F_SETFL, O_NONBLOCK), 0);
	return run;
}

static void run_free(struct run *run)
{
	(void)close(run->output);
	if (run->listener >= 0) {
		(void)close(run->listener);
	}
	dal_buffer_deinit(&run->text);
	free(run);
}

static void take_output(struct run *run)
{
	ssize_t size;
	while ((size = read(run->output, dal_buffer_reserve(&run->text, 4096), 4096)) > 0) {
		run->text.size += (size_t)size;
	}
}

static void take_notice(struct run *run, const struct dal_spawn_notice *notice)
{
	switch (notice->kind) {
	case DAL_SPAWN_LISTENING:
		run->listener = notice->descriptor;
		break;
	case DAL_SPAWN_RUNNING:
		run->pid = notice->pid;
		break;
	case DAL_SPAWN_FAILED:
		(void)snprintf(run->failure, sizeof(run->failure), "%s", notice->text);
		break;
	case DAL_SPAWN_ENDED:
		run->ended = true;
		run->code = notice->code;
		run->signal = notice->signal;
		run->cpu_us = notice->cpu_us;
		run->memory_mb = notice->memory_mb;
		break;
	case DAL_SPAWN_LOST:
		run->lost = true;
		break;
	}
}

/* Until `wanted` stands in the output, or (NULL) the program has ended. */
static void run_wait(struct run *run, const char *wanted)
{
	int64_t until = dal_clock_monotonic_us() + WAIT_MS * 1000;
	while (dal_clock_monotonic_us() < until) {
		struct dal_spawn_notice notice;
		while (dal_spawner_receive(run->spawner, &notice) == 0) {
			take_notice(run, &notice);
			if (run->lost) {
				return;
			}
		}
		bool ended = run->ended;
		take_output(run);
		if (ended || (wanted && strstr(dal_buffer_cstr(&run->text), wanted))) {
			return;
		}
		struct pollfd polls[] = {
			{.fd = dal_spawner_descriptor(run->spawner), .events = POLLIN},
			{.fd = run->output, .events = POLLIN},
		};
		(void)poll(polls, 2, 50);
	}
	fail_msg("nothing after %d ms; output: %s", WAIT_MS, dal_buffer_cstr(&run->text));
}

static struct dal_spawner *spawner;
static bool walls; /* can this machine make them? */

static int set_up(void **state)
{
	(void)state;
	struct dal_error error;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(dal_spawner_start(&spawner, &error), 0);
	struct run *run = run_start(spawner, true, "/usr", "true");
	run_wait(run, NULL);
	walls = run->code == 0 && run->signal == 0;
	if (!walls) {
		print_message("no sandbox here: %s %s\n", run->failure,
			      dal_buffer_cstr(&run->text));
	}
	run_free(run);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dal_spawner_stop(spawner);
	return 0;
}

#define NEEDS_WALLS()                                                                              \
	do {                                                                                       \
		if (!walls) {                                                                      \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

/* What a shell script prints inside. */
static char *inside(const char *folder, const char *script)
{
	struct run *run = run_start(spawner, true, folder, script);
	run_wait(run, NULL);
	assert_string_equal(run->failure, "");
	char *text = dal_strdup(dal_buffer_cstr(&run->text));
	run_free(run);
	return text;
}

static void assert_inside(const char *script, const char *expected)
{
	char *text = inside("/usr", script);
	assert_string_equal(text, expected);
	free(text);
}

static void trusted_program(void **state)
{
	(void)state;
	struct run *run = run_start(spawner, false, "/usr", "pwd; echo $SECRET; exit 3");
	run_wait(run, NULL);
	assert_string_equal(dal_buffer_cstr(&run->text), "/usr\ns3cret\n");
	assert_int_equal(run->code, 3);
	assert_int_equal(run->signal, 0);
	assert_true(run->pid > 0);
	assert_true(run->memory_mb > 0);
	run_free(run);
}

static void program_that_is_not_there(void **state)
{
	(void)state;
	struct run *run = run_start(spawner, false, "/nonexistent", "true");
	run_wait(run, NULL);
	assert_string_equal(run->failure, "/nonexistent: No such file or directory");
	assert_int_equal(run->code, DAL_SPAWN_EXIT_PROGRAM);
	run_free(run);
}

static void signals_reach_the_program(void **state)
{
	(void)state;
	for (int sandbox = 0; sandbox <= (walls ? 1 : 0); sandbox++) {
		struct run *run = run_start(spawner, sandbox, "/usr",
					    "trap 'echo bye; exit 7' TERM; echo up; "
					    "while :; do sleep 0.05; done");
		run_wait(run, "up\n");
		assert_int_equal(dal_spawner_signal(spawner, run->id, SIGTERM), 0);
		run_wait(run, NULL);
		assert_non_null(strstr(dal_buffer_cstr(&run->text), "bye\n"));
		assert_int_equal(run->code, 7);
		run_free(run);
	}
}

static void kill_takes_the_whole_group(void **state)
{
	(void)state;
	for (int sandbox = 0; sandbox <= (walls ? 1 : 0); sandbox++) {
		struct run *run = run_start(spawner, sandbox, "/usr",
					    "trap '' TERM; (sleep 1000 & sleep 1000) & echo up; "
					    "while :; do sleep 1000; done");
		run_wait(run, "up\n");
		assert_int_equal(dal_spawner_signal(spawner, run->id, SIGTERM), 0);
		assert_int_equal(dal_spawner_signal(spawner, run->id, SIGKILL), 0);
		run_wait(run, NULL);
		assert_int_equal(run->signal, SIGKILL);
		/* Nobody holds the other end any more. */
		char byte;
		struct pollfd poll_end = {.fd = run->output, .events = POLLIN};
		(void)poll(&poll_end, 1, WAIT_MS);
		assert_int_equal(read(run->output, &byte, 1), 0);
		run_free(run);
	}
}

static void killed_while_it_starts(void **state)
{
	(void)state;
	NEEDS_WALLS();
	for (int i = 0; i < 40; i++) {
		struct run *run = run_start(spawner, true, "/usr", "exec sleep 1000");
		(void)usleep((useconds_t)i * 250);
		assert_int_equal(dal_spawner_signal(spawner, run->id, SIGKILL), 0);
		run_wait(run, NULL);
		assert_int_equal(run->signal, SIGKILL);
		char byte;
		struct pollfd poll_end = {.fd = run->output, .events = POLLIN};
		assert_int_equal(poll(&poll_end, 1, WAIT_MS), 1);
		assert_int_equal(read(run->output, &byte, 1), 0);
		run_free(run);
	}
}

static void sandbox_listens_inside(void **state)
{
	(void)state;
	NEEDS_WALLS();
	struct run *run = run_start(
		spawner, true, "/usr",
		"exec /usr/bin/python3 -c 'import socket; "
		"s = socket.create_connection((\"127.0.0.1\", 9001)); print(s.recv(9).decode())'");
	int64_t until = dal_clock_monotonic_us() + WAIT_MS * 1000;
	while (run->listener < 0 && dal_clock_monotonic_us() < until) {
		struct dal_spawn_notice notice;
		if (dal_spawner_receive(spawner, &notice) == 0) {
			take_notice(run, &notice);
		}
	}
	assert_true(run->listener >= 0);
	struct pollfd ready = {.fd = run->listener, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
	int connection = accept(run->listener, NULL, NULL);
	assert_true(connection >= 0);
	assert_int_equal(write(connection, "from out\n", 9), 9);
	(void)close(connection);
	run_wait(run, NULL);
	assert_string_equal(dal_buffer_cstr(&run->text), "from out\n\n");
	run_free(run);
}

static void sandbox_shows_little(void **state)
{
	(void)state;
	NEEDS_WALLS();
	assert_inside("ls /root /home /var /work /opt /srv /boot 2>&1 | grep -v 'No such file'",
		      "");
	assert_inside("ls /proc | grep -c '^[0-9]'", "4\n"); /* init, sh, ls, grep */
	assert_inside("cat /etc/shadow 2>&1", "cat: /etc/shadow: No such file or directory\n");
	assert_inside("ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ");
	assert_inside("env | sort | grep -v '^PWD=' | tr '\\n' ' '",
		      "PATH=/usr/bin:/bin SECRET=s3cret ");
	assert_inside("cat /proc/1/cmdline | grep -c 's3cre[t]'", "0\n");
	assert_inside("id -u; hostname", "65534\na-function\n");
}

static void sandbox_has_no_powers(void **state)
{
	(void)state;
	NEEDS_WALLS();
	assert_inside("grep -h ^Cap /proc/self/status | grep -vc 0000000000000000", "0\n");
	assert_inside("grep ^NoNewPrivs /proc/self/status | cut -f2", "1\n");
	assert_inside("unshare -U true 2>/dev/null || echo refused", "refused\n");
	assert_inside("for f in /x /usr/x /dev/x /etc/x /proc/sys/kernel/core_pattern; do "
		      "(echo x >$f) 2>/dev/null && echo wrote $f; done; echo done",
		      "done\n");
	assert_inside("cat /proc/net/dev | grep -vc -e lo: -e '|'", "0\n");
	assert_inside("cat /proc/net/route | wc -l", "1\n");
}

static void sandbox_tmp_is_small_and_private(void **state)
{
	(void)state;
	NEEDS_WALLS();
	assert_inside("head -c 500000 /dev/zero >/tmp/a && stat -c %s /tmp/a", "500000\n");
	assert_inside("ls -A /tmp | wc -l", "0\n");
	assert_inside("(head -c 600000 /dev/zero >/tmp/a && head -c 600000 /dev/zero >/tmp/b) "
		      "2>/dev/null || echo full",
		      "full\n");
	assert_inside("touch /dev/shm/a && rm /dev/shm/a && echo ok", "ok\n");
}

static void sandbox_bounds_memory_and_processes(void **state)
{
	(void)state;
	NEEDS_WALLS();
	/* 64 MB and the allowance of 128. */
	assert_inside("/usr/bin/python3 -c 'b = bytearray(100 << 20); print(len(b) >> 20)'",
		      "100\n");
	assert_inside("/usr/bin/python3 -c 'b = bytearray(300 << 20)' 2>&1 | tail -n1",
		      "MemoryError\n");
	assert_inside("bash -c \"ulimit -u; ulimit -n; ulimit -c\"", "1024\n1024\n0\n");
}

/* The app below a folder that is closed to all but its owner, and below /tmp. */
static void sandbox_shows_the_folder(void **state)
{
	(void)state;
	NEEDS_WALLS();
	char closed[] = "/tmp/dalamb-closed-XXXXXX", folder[64], file[80];
	assert_non_null(mkdtemp(closed)); /* mode 700 */
	(void)snprintf(folder, sizeof(folder), "%s/fn", closed);
	(void)snprintf(file, sizeof(file), "%s/data.txt", folder);
	assert_int_equal(mkdir(folder, 0755), 0);
	int fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	(void)close(fd);
	char *text = inside(folder, "pwd; cat data.txt; (echo x >data.txt) 2>/dev/null || echo ro");
	struct dal_buffer expected = {0};
	dal_buffer_printf(&expected, "%s\nhello\nro\n", folder);
	assert_string_equal(text, dal_buffer_cstr(&expected));
	dal_buffer_deinit(&expected);
	free(text);
	(void)unlink(file);
	(void)rmdir(folder);
	(void)rmdir(closed);
}

static bool closed_within(int fd, int timeout_ms)
{
	char bytes[256];
	int64_t until = dal_clock_monotonic_us() + timeout_ms * 1000LL;
	while (dal_clock_monotonic_us() < until) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		(void)poll(&ready, 1, 50);
		if (read(fd, bytes, sizeof(bytes)) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * An engine that is killed: a child of ours starts a spawner and programs and is killed with -9.
 * They all hold the writing end of one pipe; it closes when the last of them is gone.
 */
static void nothing_is_left_after_kill(void **state, bool kill_spawner)
{
	(void)state;
	int ends[2], pids[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(pipe(pids), 0);
	pid_t engine = fork();
	if (engine == 0) {
		struct dal_spawner *own;
		struct dal_error error;
		(void)close(ends[0]);
		if (dal_spawner_start(&own, &error) != 0) {
			_exit(1);
		}
		for (int i = 0; i < 6; i++) {
			bool sandbox = walls && i % 2 == 0;
			const char *script =
				sandbox || !kill_spawner
					? "trap '' TERM; setsid sleep 1000 & sleep 1000"
					: "exec sleep 1000";
			const char *command[] = {"/bin/sh", "-c", script, NULL};
			const char *environment[] = {"PATH=/usr/bin:/bin", NULL};
			struct dal_spawn spawn = {
				.id = (uint64_t)i + 1,
				.sandbox = sandbox,
				.tmp_bytes = 1 << 20,
				.name = "x",
				.folder = "/usr",
				.command = (char **)command,
				.environment = (char **)environment,
			};
			(void)dal_spawner_start_program(own, &spawn, ends[1]);
		}
		(void)close(ends[1]);
		(void)usleep(300000);
		int pid = dal_spawner_pid(own);
		(void)write(pids[1], &pid, sizeof(pid));
		(void)pause();
	}
	(void)close(ends[1]);
	int pid;
	assert_int_equal(read(pids[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	assert_false(closed_within(ends[0], 100));
	assert_int_equal(kill(kill_spawner ? pid : engine, SIGKILL), 0);
	assert_true(closed_within(ends[0], WAIT_MS));
	(void)kill(engine, SIGKILL);
	(void)waitpid(engine, NULL, 0);
	(void)close(ends[0]);
	(void)close(pids[0]);
	(void)close(pids[1]);
}

static void kill_of_the_engine(void **state)
{
	nothing_is_left_after_kill(state, false);
}

static void kill_of_the_spawner(void **state)
{
	nothing_is_left_after_kill(state, true);
}

/* Two of ours that it did not start: one has ended before, one is killed with the rest. */
static void guards_what_others_start(void **state)
{
	struct dal_spawner *own;
	struct dal_error error;
	int status, pidfds[2];
	pid_t pids[2];
	(void)state;
	assert_int_equal(dal_spawner_start(&own, &error), 0);
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			(void)execlp("sleep", "sleep", "1000", (char *)NULL);
			_exit(127);
		}
		pidfds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
		assert_true(pidfds[i] >= 0);
		assert_int_equal(dal_spawner_guard(own, pidfds[i]), 0);
	}
	assert_int_equal(kill(pids[0], SIGTERM), 0);
	assert_int_equal(waitpid(pids[0], &status, 0), pids[0]);
	assert_int_equal(waitpid(pids[1], &status, WNOHANG), 0);
	dal_spawner_stop(own);
	assert_int_equal(waitpid(pids[1], &status, 0), pids[1]);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	(void)close(pidfds[0]);
	(void)close(pidfds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trusted_program),
		cmocka_unit_test(program_that_is_not_there),
		cmocka_unit_test(signals_reach_the_program),
		cmocka_unit_test(kill_takes_the_whole_group),
		cmocka_unit_test(killed_while_it_starts),
		cmocka_unit_test(sandbox_listens_inside),
		cmocka_unit_test(sandbox_shows_little),
		cmocka_unit_test(sandbox_has_no_powers),
		cmocka_unit_test(sandbox_tmp_is_small_and_private),
		cmocka_unit_test(sandbox_bounds_memory_and_processes),
		cmocka_unit_test(sandbox_shows_the_folder),
		cmocka_unit_test(kill_of_the_engine),
		cmocka_unit_test(kill_of_the_spawner),
		cmocka_unit_test(guards_what_others_start),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
