/* Rows on their way: tried again, given up, in turn, and in trouble. */
#include "tests/unit/dispatch/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define CALL "rule 'r' { on = { type = 'call' }, call = 'check' }\n"
#define EMIT                                                                                       \
	"rule 'e' { on = { type = 'spark' }, emit = function(event)"                               \
	" return { { type = 'glow', data = 1 }, { type = 'glow', data = 2 } } end }\n"

static void a_row_is_tried_until_it_succeeds(void **state)
{
	struct rig rig;
	char *event;

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"a\",\"fails\":2}");
	rig_wait(&rig, "dalamb.function.succeeded", 1);
	rig_settle(&rig);
	event = rig_event(&rig, "dalamb.function.succeeded", 0);
	assert_contains(event, "\"result\":3");
	assert_contains(event, "\"dalambhops\":1");
	assert_contains(event, "\"type\":\"Odd\"");
	assert_int_equal(rig_tries(&rig, "a"), 3);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_OPEN), 0);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_DELIVERED), 0);
	free(event);
	rig_teardown(&rig);
}

static void rows_are_given_up(void **state)
{
	struct rig rig;
	char *event;

	rig_setup(&rig, state, CALL,
		  FIELDS({"backoff", "10ms"}, {"attempts", "2"}, {"final", "Invalid"}));
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"often\",\"fails\":9}");
	rig_call(&rig, "{\"name\":\"final\",\"fails\":9,\"error\":\"Invalid\"}");
	fixture_append_to(
		rig.f, "events",
		"{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"/t\",\"type\":\"call\""
		",\"dalambhops\":16,\"data\":{\"name\":\"far\"}}");
	rig_wait(&rig, "dalamb.function.failed", 3);
	rig_settle(&rig);
	event = rig_event(&rig, "\"reason\":\"attempts\"", 0);
	assert_int_equal(rig_tries(&rig, "often"), 2);
	free(event);
	event = rig_event(&rig, "\"reason\":\"final\"", 0);
	assert_int_equal(rig_tries(&rig, "final"), 1);
	free(event);
	event = rig_event(&rig, "\"reason\":\"hops\"", 0);
	assert_contains(event, "\"dalambhops\":17");
	assert_int_equal(rig_tries(&rig, "far"), 0);
	free(event);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_DEAD), 3);
	rig_teardown(&rig);
}

static void rows_of_a_function_that_is_gone(void **state)
{
	struct rig rig;
	char *event, *row;

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}));
	rig_call(&rig, "{\"name\":\"a\"}");
	assert_int_equal(fixture_open(rig.f, CALL), 0); /* the row is there before the start */
	assert_int_equal(fixture_run(rig.f), 0);
	fixture_close(rig.f);
	rig_start(&rig, false);
	rig_wait(&rig, "\"reason\":\"gone\"", 1);
	rig_settle(&rig);
	rig_stop(&rig);
	rig_start(&rig, false); /* only a dead letter knows its name now */
	row = fixture_row_id(rig.f, DAL_ROW_DEAD);
	event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"r\",\"source\":\"/dalamb/test\","
			     "\"type\":\"dalamb.dead.retried\",\"data\":{\"row\":\"%s\"}}",
			     row);
	fixture_append_to(rig.f, "system", event);
	rig_wait(&rig, "\"reason\":\"gone\"", 2);
	rig_settle(&rig);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_DEAD), 1);
	assert_int_equal(rig_tries(&rig, "a"), 0);
	free(event);
	free(row);
	rig_teardown(&rig);
}

static void on_waiting(const struct dal_dispatch_status *status, void *own)
{
	*(uint64_t *)own += status->waiting;
}

static void waiting_wait(struct rig *rig)
{
	uint64_t waiting = 0;

	for (int i = 0; waiting == 0 && i < 4000; i++) {
		(void)usleep(5000);
		dal_dispatch_status(rig->dispatch, on_waiting, &waiting);
	}
	assert_int_equal(waiting, 1);
}

/* Its rows come about before dispatch has it: they wait if it is expected. */
static void rows_of_a_function_that_comes_back(void **state)
{
	struct rig rig;
	const struct dal_function *list[1];

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}));
	list[0] = rig.function;
	rig_call(&rig, "{\"name\":\"a\"}");
	assert_int_equal(fixture_open(rig.f, CALL), 0); /* so that dispatch knows its name */
	assert_int_equal(fixture_run(rig.f), 0);
	fixture_close(rig.f);
	rig_start(&rig, false);
	rig_wait(&rig, "\"reason\":\"gone\"", 1);
	rig_settle(&rig);
	dal_dispatch_expect(rig.dispatch, list, 1);
	rig_call(&rig, "{\"name\":\"b\"}");
	waiting_wait(&rig);
	dal_dispatch_expect(rig.dispatch, NULL, 0); /* it does not come after all */
	rig_wait(&rig, "\"reason\":\"gone\"", 2);
	rig_settle(&rig);
	dal_dispatch_expect(rig.dispatch, list, 1);
	rig_call(&rig, "{\"name\":\"c\"}");
	waiting_wait(&rig);
	assert_int_equal(dal_functions_configure(rig.app->functions, list, 1), 0);
	dal_dispatch_configure(rig.dispatch, list, 1);
	rig_settle(&rig);
	assert_int_equal(rig_tries(&rig, "b"), 0);
	assert_int_equal(rig_tries(&rig, "c"), 1);
	assert_int_equal(rig_count(&rig, "\"reason\":\"gone\""), 2);
	rig_teardown(&rig);
}

/* The n-th call of a key is named KEY-n. Of each key all are there, one after another. */
static void expect_turns(const char *trace, const char *key, unsigned count)
{
	const char *at = trace;

	for (unsigned i = 1; i <= count; i++) {
		char name[32];
		const char *found;
		(void)snprintf(name, sizeof(name), " %s-%u\n", key, i);
		found = strstr(at, name);
		if (!found) {
			fail_msg("no%.*s in its turn in:\n%s", (int)strlen(name) - 1, name, trace);
		}
		at = found;
	}
}

static void turns_by_order_key(void **state)
{
	enum { KEYS = 3, EACH = 6 };
	struct rig rig;
	char *trace, *first_failed;

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "300ms"}, {"max", "2"}));
	rig_start(&rig, true);
	for (int i = 1; i <= EACH; i++) {
		for (int k = 0; k < KEYS; k++) {
			char data[96];
			(void)snprintf(data, sizeof(data),
				       "{\"key\":\"k%d\",\"name\":\"k%d-%d\",\"fails\":%d}", k, k,
				       i, k == 0 && i == 1 ? 2 : 0);
			rig_call(&rig, data);
		}
	}
	rig_wait(&rig, "dalamb.function.succeeded", (size_t)KEYS * EACH);
	rig_settle(&rig);
	trace = rig_trace(&rig);
	expect_turns(trace, "k1", EACH);
	expect_turns(trace, "k2", EACH);
	first_failed = trace;
	for (int i = 0; i < 3; i++) { /* behind its third try */
		first_failed = strstr(first_failed, " k0-1\n") + 1;
	}
	assert_null(strstr(first_failed, "k1-")); /* which nobody else waited for */
	assert_null(strstr(first_failed, "k2-"));
	expect_turns(first_failed - 1, "k0", EACH);
	assert_int_equal(rig_tries(&rig, "k0-1"), 3);
	assert_int_equal(rig_tries(&rig, "k0-2"), 1);
	free(trace);
	rig_teardown(&rig);
}

/* A retry whose time has come while every instance is busy waits without turning in circles. */
static void a_busy_function_costs_nothing(void **state)
{
	struct rig rig;
	struct timespec before, after;
	double cpu_s;

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}, {"max", "1"}));
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"a\",\"fails\":1}");
	rig_call(&rig, "{\"name\":\"b\",\"sleep\":1}");
	while (rig_tries(&rig, "b") == 0) {
		(void)usleep(1000);
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	(void)usleep(800000);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	cpu_s = (double)(after.tv_sec - before.tv_sec) +
		(double)(after.tv_nsec - before.tv_nsec) / 1e9;
	assert_true(cpu_s < 0.3);
	rig_wait(&rig, "dalamb.function.succeeded", 2);
	rig_settle(&rig);
	rig_teardown(&rig);
}

/* A full disk costs no second try, and no place in the order. */
static void the_log_refuses_for_a_while(void **state)
{
	struct rig rig;

	rig_setup(&rig, state, CALL EMIT, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"warm\"}");
	rig_wait(&rig, "dalamb.function.succeeded", 1);
	rig_call(&rig, "{\"name\":\"a\",\"sleep\":0.6,\"key\":\"k\"}");
	rig_call(&rig, "{\"name\":\"b\",\"key\":\"k\"}");
	while (rig_tries(&rig, "a") == 0) {
		(void)usleep(1000);
	}
	rig_full(true);
	(void)usleep(700000);
	assert_int_equal(rig_count(&rig, "dalamb.function.succeeded"), 1);
	assert_int_equal(rig_tries(&rig, "b"), 0); /* its turn is not before a's completion */
	rig_full(false);
	rig_wait(&rig, "dalamb.function.succeeded", 3);
	rig_settle(&rig);
	assert_int_equal(rig_tries(&rig, "a"), 1);
	assert_int_equal(rig_tries(&rig, "b"), 1);
	rig_teardown(&rig);
}

static void a_full_log_does_not_stop_a_stop(void **state)
{
	struct rig rig;
	int64_t start;

	rig_setup(&rig, state, CALL EMIT, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"a\",\"sleep\":0.5}");
	rig_append(&rig, "spark", "{}");
	while (rig_tries(&rig, "a") == 0) {
		(void)usleep(1000);
	}
	rig_full(true);
	(void)usleep(700000);
	start = dal_clock_monotonic_us();
	rig_stop(&rig);
	assert_in_range(dal_clock_monotonic_us() - start, 0, 5000000);
	rig_full(false);
	rig_start(&rig, true);
	rig_wait(&rig, "dalamb.function.succeeded", 1);
	rig_wait(&rig, "\"glow\"", 2);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "\"glow\""), 2);
	assert_int_equal(rig_tries(&rig, "a"), 2); /* nobody knew that it had been done */
	rig_teardown(&rig);
}

static void a_broken_log_leaves_rows_open(void **state)
{
	struct rig rig;

	rig_leaks(true);
	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}));
	rig_leaks(false);
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"a\",\"key\":\"k\",\"sleep\":0.2}");
	rig_call(&rig, "{\"name\":\"b\",\"key\":\"k\"}");
	while (rig_tries(&rig, "a") == 0) {
		(void)usleep(1000);
	}
	rig_break(true);
	(void)usleep(600000);
	assert_int_equal(rig_tries(&rig, "b"), 0); /* a has its turn until it is over */
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_OPEN), 2);
	rig_stop(&rig); /* comes to an end */
	rig_break(false);
	rig_teardown(&rig);
}

/* What was under way is not lost with the grace, and was no try. */
static void a_drain_in_the_middle(void **state)
{
	struct rig rig;
	struct timespec before, after;

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}, {"attempts", "2"}));
	rig_start(&rig, true);
	rig_call(&rig, "{\"name\":\"long\",\"sleep\":1.5}");
	rig_call(&rig, "{\"name\":\"fails\",\"fails\":1}");
	while (rig_tries(&rig, "long") == 0) {
		(void)usleep(1000);
	}
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	dal_dispatch_drain(rig.dispatch);
	(void)usleep(300000);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_true((double)(after.tv_sec - before.tv_sec) +
			    (double)(after.tv_nsec - before.tv_nsec) / 1e9 <
		    0.15);
	rig_stop(&rig);
	rig_start(&rig, true);
	rig_wait(&rig, "dalamb.function.succeeded", 2);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "dalamb.function.failed"), 0);
	assert_int_equal(rig_tries(&rig, "long"), 2);
	rig_teardown(&rig);
}

/* In the order of their causes, each once: whatever the log refused, and whenever it was stopped.
 */
static void emissions_keep_their_order(void **state)
{
	enum { SPARKS = 120 };
	struct rig rig;
	unsigned long long last = 0;

	rig_setup(&rig, state, EMIT, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	for (int i = 0; i < SPARKS; i++) {
		rig_append(&rig, "spark", "{}");
		if (i == SPARKS / 3) {
			rig_stop(&rig);
			rig_start(&rig, true);
		}
		if (i == SPARKS / 2) {
			rig_full(true);
			(void)usleep(100000);
			rig_full(false);
		}
	}
	rig_wait(&rig, "\"glow\"", 2 * (size_t)SPARKS);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "\"glow\""), 2 * SPARKS);
	for (size_t i = 0; i < 2 * (size_t)SPARKS; i++) {
		char *event = rig_event(&rig, "\"glow\"", i);
		unsigned long long cause = strtoull(strstr(event, "events/0/") + 9, NULL, 10);
		if (i % 2 == 0) {
			assert_true(cause > last);
			assert_contains(event, "\"data\":1");
		} else {
			assert_true(cause == last);
			assert_contains(event, "\"data\":2");
		}
		last = cause;
		free(event);
	}
	rig_teardown(&rig);
}

/* One event of two is too large: the other one is emitted, and of it there is a report. */
static void an_emit_that_the_log_never_takes(void **state)
{
	struct rig rig;
	char *event;

	rig_setup(&rig, state, EMIT, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_refuse("\"data\":1}");
	rig_append(&rig, "spark", "{}");
	rig_wait(&rig, "dalamb.rule.failed", 1);
	rig_wait(&rig, "\"glow\"", 1);
	rig_settle(&rig);
	rig_refuse(NULL);
	assert_int_equal(rig_count(&rig, "\"glow\""), 1);
	assert_int_equal(rig_count(&rig, "dalamb.rule.failed"), 1);
	event = rig_event(&rig, "dalamb.rule.failed", 0);
	assert_contains(event, "/e/emit/0.refused\"");
	assert_contains(event, "\"rule\":\"e\",\"part\":\"emit\"");
	assert_contains(event, "\"message\":\"as the test wants it\"");
	assert_contains(event, "\"effect\":\"skipped\"");
	free(event);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_OPEN), 0);
	rig_teardown(&rig);
}

/* Not even what is said of it. */
static void a_report_that_the_log_never_takes(void **state)
{
	struct rig rig;

	rig_setup(&rig, state, EMIT, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_refuse("/e/emit/");
	rig_append(&rig, "spark", "{}");
	(void)usleep(300000);
	rig_settle(&rig);
	rig_refuse(NULL);
	assert_int_equal(rig_count(&rig, "/e/emit/"), 0);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_OPEN), 0);
	rig_teardown(&rig);
}

static void a_completion_that_is_too_large(void **state)
{
	struct rig rig;
	char *event;

	rig_setup(&rig, state, CALL, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_refuse("\"result\":");
	rig_call(&rig, "{\"name\":\"a\",\"key\":\"k\",\"fails\":1}");
	rig_wait(&rig, "dalamb.function.failed", 1);
	rig_settle(&rig);
	rig_refuse(NULL);
	event = rig_event(&rig, "dalamb.function.failed", 0);
	assert_contains(event, "\"reason\":\"too-large\"");
	assert_contains(event, "\"type\":\"dalamb.ResultTooLarge\"");
	assert_contains(event, "\"tries\":[]");
	free(event);
	assert_int_equal(rig_tries(&rig, "a"), 2);
	assert_int_equal(fixture_rows(rig.f, DAL_ROW_DEAD), 1);
	rig_call(&rig, "{\"name\":\"b\",\"key\":\"k\"}"); /* its key is free again */
	rig_wait(&rig, "dalamb.function.succeeded", 1);
	rig_settle(&rig);
	rig_teardown(&rig);
}

static void held_wait(size_t count)
{
	int64_t until = dal_clock_monotonic_us() + 20000000ll;

	while (rig_held() < count && dal_clock_monotonic_us() < until) {
		(void)usleep(1000);
	}
	assert_int_equal(rig_held(), count);
}

/* The first one times out while the second is still under way: neither is sent a second time beside
 * it. */
static void nothing_is_sent_beside_itself(void **state)
{
	struct rig rig;

	rig_setup(&rig, state, EMIT, FIELDS({"backoff", "10ms"}));
	rig_start(&rig, true);
	rig_hold(true);
	rig_append(&rig, "spark", "{}");
	held_wait(1);
	rig_append(&rig, "spark", "{}");
	held_wait(2);
	rig_end(0, DAL_LOG_AWAY);
	(void)usleep(1500000); /* more than the pause after a failure */
	assert_int_equal(rig_held(), 2);
	rig_end(1, DAL_LOG_AWAY);
	rig_hold(false);
	rig_wait(&rig, "\"glow\"", 4);
	rig_settle(&rig);
	assert_int_equal(rig_count(&rig, "\"glow\""), 4);
	rig_teardown(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_tried_until_it_succeeds),
		cmocka_unit_test(rows_are_given_up),
		cmocka_unit_test(rows_of_a_function_that_is_gone),
		cmocka_unit_test(rows_of_a_function_that_comes_back),
		cmocka_unit_test(turns_by_order_key),
		cmocka_unit_test(a_busy_function_costs_nothing),
		cmocka_unit_test(the_log_refuses_for_a_while),
		cmocka_unit_test(a_full_log_does_not_stop_a_stop),
		cmocka_unit_test(a_broken_log_leaves_rows_open),
		cmocka_unit_test(a_drain_in_the_middle),
		cmocka_unit_test(emissions_keep_their_order),
		cmocka_unit_test(an_emit_that_the_log_never_takes),
		cmocka_unit_test(a_report_that_the_log_never_takes),
		cmocka_unit_test(a_completion_that_is_too_large),
		cmocka_unit_test(nothing_is_sent_beside_itself),
	};

	return cmocka_run_group_tests_name("dispatch", tests, app_set_up, app_tear_down);
}
