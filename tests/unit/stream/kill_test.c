/*
 * Killed at any moment, again and again, a lane comes to the bytes of one that ran through.
 *
 * The test runs itself as a child ("child FOLDER BATCH MICROSECONDS") that opens log and state in
 * FOLDER and folds, until a thread of it ends the process in the middle of whatever it does.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/unit/stream/fixture.h"

#define RULES                                                                                      \
	"projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"              \
	" init = { sum = 0, seen = 0 }, fold = function(state, event)"                             \
	" if event.data.bad then error('bad amount') end"                                          \
	" state.sum = state.sum + event.data.n; state.seen = state.seen + 1; return state end }\n" \
	"rule 'big' { on = { type = 'add', data = { n = numeric('>=', 50) } },"                    \
	" when = function(event) local t = view('totals', event.data.key)"                         \
	" return not t or t.seen % 3 ~= 0 end, call = 'check' }\n"                                 \
	"rule 'flag' { on = { type = 'dalamb.function.succeeded' },"                               \
	" emit = function(event) return { type = 'flagged', data = event.data.result } end }\n"    \
	"projection 'answers' { version = 1, on = { type = 'dalamb.function.succeeded' },"         \
	" key = 'data.name', init = { n = 0 },"                                                    \
	" fold = function(s, e) s.n = s.n + 1; return s end }\n"

enum { EVENTS = 1500, KILLS = 25, ENDED = 7 };

static const char *self;

/* --- the child --- */

static void *kill_later(void *own)
{
	(void)usleep(*(useconds_t *)own);
	_exit(ENDED);
}

static int child(const char *folder, const char *batch, const char *us)
{
	struct dal_error error = {0};
	struct fixture f = {.folder = (char *)folder, .cache_entries = 20};
	char *path = dal_asprintf("%s/log", folder);
	useconds_t pause = (useconds_t)strtoul(us, NULL, 10);
	pthread_t thread;
	int r;

	f.target = (struct dal_target){.name = "check", .age_us = 3600000000};
	f.batch_events = strtoul(batch, NULL, 10);
	r = dal_log_open(&(struct dal_log_options){.path = path, .read_only = true}, &f.log,
			 &error);
	if (r != 0 || fixture_open(&f, RULES) != 0) {
		(void)fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	if (pause > 0 && pthread_create(&thread, NULL, kill_later, &pause) != 0) {
		return 1;
	}
	r = fixture_run(&f);
	if (r == 0 && pause == 0) {
		fixture_close(&f);
		dal_log_close(f.log);
	}
	_exit(r == 0 ? 0 : 1);
}

static int child_run(struct fixture *f, unsigned batch, unsigned us)
{
	char batch_text[16], us_text[16];
	int status;
	pid_t pid;

	(void)snprintf(batch_text, sizeof(batch_text), "%u", batch);
	(void)snprintf(us_text, sizeof(us_text), "%u", us);
	pid = fork();
	if (pid == 0) {
		execl(self, self, "child", f->folder, batch_text, us_text, (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* --- a log with all that can happen to rows --- */

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

static void say(struct fixture *f, const char *what, const char *row)
{
	char *event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"s\",\"source\":\"/dalamb/"
				   "test\",\"type\":\"%s\",\"data\":{\"row\":\"%s\"}}",
				   what, row);

	fixture_append_to(f, "system", event);
	free(event);
}

/* What became of the row that this cause may have: also of rows that there are not. */
static void row_ends(struct fixture *f, uint64_t cause, unsigned how)
{
	struct dal_slice log = dal_log_id(f->log);
	char *row = dal_asprintf("%.*s/events/0/%llu/big/check/0", (int)log.size, log.data,
				 (unsigned long long)cause);

	fixture_complete(f, row, how % 4 == 0);
	if (how % 4 == 0 && how % 3 == 0) {
		say(f, "dalamb.dead.retried", row);
		fixture_complete(f, row, how % 5 == 0);
	} else if (how % 4 == 0 && how % 5 == 0) {
		say(f, "dalamb.dead.dropped", row);
	} else if (how % 7 == 0) {
		fixture_complete(f, row, false); /* once more */
	}
	free(row);
}

static void fill(struct fixture *f)
{
	uint64_t causes[EVENTS];
	unsigned seed = 1;

	for (unsigned i = 0; i < EVENTS; i++) {
		unsigned r = next_random(&seed);
		char data[96];
		(void)snprintf(data, sizeof(data), "{\"key\":\"k%u\",\"n\":%u%s}", r % 37, r % 100,
			       r % 211 == 0 ? ",\"bad\":true" : "");
		causes[i] = fixture_append(f, "add", data);
		if (i > 20 && r % 3 == 0) {
			row_ends(f, causes[i - r % 20], next_random(&seed));
		}
	}
}

static void digest_of(struct fixture *f, char hex[65])
{
	fixture_load(f, RULES);
	fixture_digest(f, hex);
	fixture_close(f);
}

static void the_same_bytes(void **own)
{
	struct fixture *f = *own;
	struct dal_error error = {0};
	char through[65], killed[65], *log = dal_asprintf("%s/log", f->folder);
	unsigned seed = (unsigned)getpid(), kills = 0, longest = 4000;
	int r;

	(void)fprintf(stderr, "seed %u\n", seed);
	fill(f);
	dal_log_close(f->log); /* children read it */
	assert_int_equal(child_run(f, 4096, 0), 0);
	assert_int_equal(dal_log_open(&(struct dal_log_options){.path = log, .read_only = true},
				      &f->log, &error),
			 0);
	digest_of(f, through);
	fixture_forget(f);
	dal_log_close(f->log);
	for (unsigned i = 0; i < KILLS; i++) {
		unsigned batch = 1 + next_random(&seed) % 40;
		r = child_run(f, batch, 1 + next_random(&seed) % longest);
		assert_true(r == ENDED || r == 0);
		kills += r == ENDED;
	}
	assert_true(kills > KILLS / 4);
	assert_int_equal(child_run(f, 3, 0), 0);
	assert_int_equal(dal_log_open(&(struct dal_log_options){.path = log, .disk_free_bytes = 1},
				      &f->log, &error),
			 0);
	digest_of(f, killed);
	assert_string_equal(through, killed);
	free(log);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_bytes, fixture_setup, fixture_teardown),
	};

	if (argc == 5) {
		return child(argv[2], argv[3], argv[4]);
	}
	self = argv[0];
	return cmocka_run_group_tests_name("stream kill", tests, NULL, NULL);
}
