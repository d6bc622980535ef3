/*
 * Killed at any moment while two workers share a state and a producer writes, each lane comes to
 * the bytes of one fold.
 *
 * The log lives in memory, but it is the same in each run: the test runs itself as a child ("child
 * FOLDER FROM TO MICROSECONDS") that makes its first FROM events, lets workers fold them into the
 * state in FOLDER while it appends the others up to TO, until it kills itself.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "tests/unit/stream/lanes_run.h"

#define FOLDS                                                                                      \
	"projection 'totals' { version = 1, on = { type = 'add' }, key = 'data.key',"              \
	" init = { sum = 0, seen = 0 }, fold = function(state, event)"                             \
	" if event.data.bad then error('bad amount') end"                                          \
	" state.sum = state.sum + event.data.n; state.seen = state.seen + 1; return state end }\n" \
	"rule 'r' { on = { type = 'add', data = { n = numeric('>=', 50) } },"                      \
	" when = function(event) local t = view('totals', event.data.key)"                         \
	" return not t or t.seen % 3 ~= 0 end, call = 'check' }\n"                                 \
	"rule 'flag' { on = { type = 'dalamb.function.succeeded' },"                               \
	" emit = function(event) return { type = 'flagged', data = event.data.result } end }\n"
#define RULES FOLDS LANES_ANSWERS

enum { EVENTS = 1500, KILLS = 20 };

static const char *const topics[] = {"clicks", NULL};
static const char *self;

/* --- a log that is the same each time --- */

struct log {
	struct fixture *f;
	unsigned seed;
	uint64_t offsets[EVENTS];
};

static unsigned next_random(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 16;
}

/* What dispatch writes about rows of its lane, also of rows that there are not. */
static void row_ends(struct log *log, unsigned event, unsigned how)
{
	char *row;

	log->f->number = event % LANES;
	row = lanes_row(log->f, event % 3 == 0 ? "clicks" : "events", log->offsets[event]);
	lanes_complete(log->f, row, how % 4 == 0);
	if (how % 7 == 0) {
		lanes_complete(log->f, row, false); /* once more */
	}
	free(row);
}

/* Each has a key; some are appended twice. */
static uint64_t append(struct log *log, unsigned number, const char *data, unsigned times)
{
	char *event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/k\","
				   "\"type\":\"add\",\"data\":%s}",
				   number, data);
	char *dedup = dal_asprintf("/k %u", number);
	struct dal_log_item item = {.topic = dal_slice_text(number % 3 == 0 ? "clicks" : "events"),
				    .event = dal_slice_text(event),
				    .dedup = dal_slice_text(dedup),
				    .placed = true,
				    .lane = number % LANES};
	uint64_t offset = 0;

	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(
			dal_log_append_wait(log->f->log,
					    &(struct dal_log_append){.items = &item, .count = 1}),
			0);
		offset = i == 0 ? item.place.offset : offset;
	}
	free(event);
	free(dedup);
	return offset;
}

static void log_go_on(struct log *log, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		unsigned r = next_random(&log->seed);
		char data[96];
		(void)snprintf(data, sizeof(data), "{\"key\":\"k%u\",\"n\":%u%s}", r % 37, r % 100,
			       r % 211 == 0 ? ",\"bad\":true" : "");
		log->offsets[i] = append(log, i, data, 1 + (r % 13 == 0));
		if (i > 20 && r % 3 == 0) {
			row_ends(log, i - r % 20, next_random(&log->seed));
		}
		if (r % 97 == 0) {
			lanes_log_write(log->f->log, "clicks", i % LANES, "{\"broken\":", NULL);
		}
	}
}

/* --- the child --- */

static void *kill_later(void *own)
{
	(void)usleep(*(useconds_t *)own);
	(void)kill(getpid(), SIGKILL);
	return NULL;
}

static int child(char **arguments)
{
	struct fixture f = {.folder = arguments[0], .cache_entries = 20};
	struct log log = {.f = &f, .seed = 1};
	struct run run = {.f = &f};
	unsigned from = (unsigned)strtoul(arguments[1], NULL, 10);
	unsigned to = (unsigned)strtoul(arguments[2], NULL, 10);
	useconds_t pause = (useconds_t)strtoul(arguments[3], NULL, 10);
	pthread_t thread;

	f.target = (struct dal_target){.name = "check", .age_us = 3600000000};
	lanes_log_open(&(struct lanes_log_options){.lanes = LANES,
						   .topics = topics,
						   .gap = LANES_GAP,
						   .clock_us = LANES_CLOCK_US},
		       &f.log);
	log_go_on(&log, 0, from);
	fixture_load(&f, RULES);
	if (pause > 0 && pthread_create(&thread, NULL, kill_later, &pause) != 0) {
		return 1;
	}
	run_begin(&run, 0);
	run_begin(&run, 1);
	for (unsigned i = from; i < to; i++) {
		log_go_on(&log, i, i + 1);
		run_wake(&run);
	}
	run_wait_at_end(&run, 0);
	run_wait_at_end(&run, 1);
	run_end(&run, 0);
	run_end(&run, 1);
	fixture_close(&f);
	_exit(0);
}

/* Was it killed? */
static bool child_run(struct fixture *f, unsigned from, unsigned to, unsigned us)
{
	char texts[3][16];
	int status;
	pid_t pid;

	(void)snprintf(texts[0], sizeof(texts[0]), "%u", from);
	(void)snprintf(texts[1], sizeof(texts[1]), "%u", to);
	(void)snprintf(texts[2], sizeof(texts[2]), "%u", us);
	pid = fork();
	if (pid == 0) {
		execl(self, self, "child", f->folder, texts[0], texts[1], texts[2], (char *)NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

/* --- the parent --- */

static void digests(struct fixture *f, char hex[LANES][65])
{
	fixture_load(f, RULES);
	for (f->number = 0; f->number < LANES; f->number++) {
		assert_int_equal(dal_state_digest(f->state, f->number, hex[f->number]), 0);
	}
	fixture_close(f);
	f->number = 0;
}

static void each_lane_comes_to_the_same_bytes(void **own)
{
	struct fixture *f = *own;
	char through[LANES][65], killed[LANES][65];
	unsigned seed = (unsigned)getpid(), kills = 0;

	(void)fprintf(stderr, "seed %u\n", seed);
	assert_false(child_run(f, EVENTS, EVENTS, 0));
	digests(f, through);
	assert_string_not_equal(through[0], through[1]);
	fixture_forget(f);
	for (unsigned i = 0; i < KILLS; i++) {
		kills += child_run(f, EVENTS * i / KILLS, EVENTS * (i + 1) / KILLS,
				   1 + next_random(&seed) % 30000);
	}
	assert_true(kills > 0);
	assert_false(child_run(f, EVENTS, EVENTS, 0));
	digests(f, killed);
	for (unsigned lane = 0; lane < LANES; lane++) {
		assert_string_equal(through[lane], killed[lane]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_lane_comes_to_the_same_bytes, lanes_setup,
						fixture_teardown),
	};

	if (argc == 6) {
		return child(argv + 2);
	}
	self = argv[0];
	return cmocka_run_group_tests_name("stream lanes kill", tests, NULL, NULL);
}
