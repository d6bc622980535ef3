/* The pool with many: how many at once, in which order, draining, versions, the end. */
#include "tests/unit/functions/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"
#include "functions/spawner.h"

/* --- the pool --- */

static void many_invocations_leave_nothing(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "2"})));
	call_returns(app, "f", "{}", "{}");
	int before = count_descriptors();
	for (int i = 0; i < 200; i++) {
		call_returns(app, "f", "{\"i\":1}", "{\"i\": 1}");
	}
	assert_int_equal(app_status(app, "f").cold_starts, 1);
	assert_int_equal(count_descriptors(), before);
	for (int i = 0; i < 20; i++) { /* and each of these ends an instance */
		call_free(call_expect(app, "f", "{\"do\":\"exit\",\"status\":1}",
				      DAL_INVOKE_CRASHED));
	}
	call_returns(app, "f", "{}", "{}");
	app_wait_instances(app, "f", 1);
	int64_t until_us = dal_clock_monotonic_us() + 5000000;
	while (count_descriptors() > before && dal_clock_monotonic_us() < until_us) {
		(void)usleep(10000); /* sockets close a moment later */
	}
	assert_int_equal(count_descriptors(), before);
}

static void as_many_at_once_as_max(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "3"})));
	assert_int_equal(dal_functions_capacity(app->functions, dal_slice_text("f")), 3);
	struct call *calls[6];
	int64_t begin_us = dal_clock_monotonic_us();
	for (int i = 0; i < 6; i++) {
		calls[i] = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	}
	app_wait_busy(app, "f", 3);
	assert_int_equal(app_status(app, "f").instances, 3);
	assert_int_equal(app_status(app, "f").waiting, 3);
	for (int i = 0; i < 6; i++) {
		call_wait(calls[i]);
		assert_int_equal(calls[i]->outcome, DAL_INVOKE_SUCCEEDED);
		call_free(calls[i]);
	}
	assert_true(dal_clock_monotonic_us() - begin_us >= 1000000);
	assert_int_equal(app_status(app, "f").cold_starts, 3);
}

static void those_who_wait_go_in_order(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	struct call *calls[20];
	for (int i = 0; i < 20; i++) {
		calls[i] = call_start(app, "f", "{}");
	}
	for (int i = 0; i < 20; i++) {
		call_wait(calls[i]);
		assert_true(i == 0 || calls[i]->order == calls[i - 1]->order + 1);
	}
	for (int i = 0; i < 20; i++) {
		call_free(calls[i]);
	}
	assert_int_equal(app_status(app, "f").cold_starts, 1);
}

static void idle_ones_drain(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f",
					FIELDS(USUAL(app), {"max", "3"}, {"min", "1"},
					       {"idle", "200ms"})));
	app_wait_instances(app, "f", 1); /* before anybody asks */
	struct call *calls[3];
	for (int i = 0; i < 3; i++) {
		calls[i] = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.3}");
	}
	app_wait_instances(app, "f", 3);
	for (int i = 0; i < 3; i++) {
		call_wait(calls[i]);
		call_free(calls[i]);
	}
	app_wait_instances(app, "f", 1);
	(void)usleep(500000);
	assert_int_equal(app_status(app, "f").instances, 1);
}

static void rate(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"rate", "20/s"})));
	call_returns(app, "f", "{}", "{}");
	int64_t begin_us = dal_clock_monotonic_us();
	struct call *calls[10];
	for (int i = 0; i < 10; i++) {
		calls[i] = call_start(app, "f", "{}");
	}
	for (int i = 0; i < 10; i++) {
		call_wait(calls[i]);
		call_free(calls[i]);
	}
	assert_true(dal_clock_monotonic_us() - begin_us >= 450000);
	assert_int_equal(app_status(app, "f").cold_starts, 1);
}

static void configure_two(struct app *app, const char *max)
{
	struct dal_function *a = app_function(app, "a", FIELDS(USUAL(app), {"max", max}));
	struct dal_function *b = app_function(app, "b", FIELDS(USUAL(app), {"max", max}));
	const struct dal_function *list[] = {a, b};
	assert_int_equal(dal_functions_configure(app->functions, list, 2), 0);
	dal_function_free(a);
	dal_function_free(b);
}

/* The machine has room for two instances; idle ones of the other function make way. */
static void room_is_shared(void **state)
{
	struct app *app = *state;
	app_renew(app, 2, 0, 1000000);
	configure_two(app, "4");
	struct call *calls[4];
	for (int i = 0; i < 4; i++) {
		calls[i] = call_start(app, "a", "{\"do\":\"sleep\",\"s\":0.1}");
	}
	for (int i = 0; i < 4; i++) {
		call_wait(calls[i]);
		call_free(calls[i]);
	}
	assert_int_equal(app_status(app, "a").instances, 2);
	call_returns(app, "b", "{}", "{}");
	assert_int_equal(app_status(app, "a").instances + app_status(app, "b").instances, 2);
	app_renew(app, 8, 300000000, 1000000); /* memory for one of 256 MB */
	configure_two(app, "4");
	call_returns(app, "a", "{}", "{}");
	call_returns(app, "b", "{}", "{}");
	assert_int_equal(app_status(app, "a").instances, 0);
}

static void nobody_starves(void **state)
{
	struct app *app = *state;
	app_renew(app, 1, 0, 1000000);
	configure_two(app, "1");
	struct call *calls[30];
	for (int i = 0; i < 30; i++) {
		calls[i] = call_start(app, "a", "{\"do\":\"sleep\",\"s\":0.02}");
	}
	call_wait(calls[0]);
	struct call *other = call_start(app, "b", "{}");
	call_wait(other);
	assert_false(call_ended(calls[29]));
	for (int i = 0; i < 30; i++) {
		call_wait(calls[i]);
		assert_int_equal(calls[i]->outcome, DAL_INVOKE_SUCCEEDED);
		call_free(calls[i]);
	}
	call_free(other);
}

/* --- versions --- */

static char *pid_of(struct app *app)
{
	struct call *call = call_expect(app, "f", "{\"do\":\"pid\"}", DAL_INVOKE_SUCCEEDED);
	char *text = dal_asprintf("%s %s", call->invocation.version, call->result);
	call_free(call);
	return text;
}

static void new_version_replaces_the_old(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=1"})));
	char *first = pid_of(app);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=1"})));
	char *same = pid_of(app);
	assert_string_equal(first, same);
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	app_wait_busy(app, "f", 1);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=2"})));
	call_wait(running); /* finishes where it was */
	assert_int_equal(running->outcome, DAL_INVOKE_SUCCEEDED);
	assert_memory_equal(running->invocation.version, first, 16);
	call_free(running);
	app_wait_instances(app, "f", 1);
	char *second = pid_of(app);
	assert_memory_not_equal(first, second, 16);
	free(first);
	free(same);
	free(second);
}

static void broken_version_is_not_taken(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED)));
	char *first = pid_of(app);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"handler", "exit"})));
	int64_t until_us = dal_clock_monotonic_us() + 5000000;
	bool said = false;
	while (!said && dal_clock_monotonic_us() < until_us) {
		char *lines = app_lines(app);
		said = strstr(lines, "did not come up") != NULL;
		free(lines);
		(void)usleep(5000);
	}
	assert_true(said);
	char *second = pid_of(app);
	assert_string_equal(first, second);
	free(first);
	free(second);
}

/* The machine has room for one, and the old version is never idle. */
static void new_version_gets_room(void **state)
{
	struct app *app = *state;
	app_renew(app, 1, 0, 1000000);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=1"})));
	char *first = pid_of(app);
	struct call *calls[40];
	for (int i = 0; i < 40; i++) {
		calls[i] = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.02}");
	}
	call_wait(calls[0]);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=2"})));
	for (int i = 0; i < 40; i++) {
		call_wait(calls[i]);
		assert_int_equal(calls[i]->outcome, DAL_INVOKE_SUCCEEDED);
	}
	assert_memory_equal(calls[0]->invocation.version, first, 16);
	assert_memory_not_equal(calls[39]->invocation.version, first, 16);
	for (int i = 0; i < 40; i++) {
		call_free(calls[i]);
	}
	free(first);
}

static void removed_function_is_gone(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	call_returns(app, "f", "{}", "{}");
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	app_wait_busy(app, "f", 1);
	struct call *waiting = call_start(app, "f", "{}");
	assert_int_equal(dal_functions_configure(app->functions, NULL, 0), 0);
	call_wait(waiting);
	assert_int_equal(waiting->outcome, DAL_INVOKE_GONE);
	call_wait(running);
	assert_int_equal(running->outcome, DAL_INVOKE_SUCCEEDED);
	call_free(waiting);
	call_free(running);
	call_free(call_expect(app, "f", "{}", DAL_INVOKE_GONE));
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	call_returns(app, "f", "{}", "{}"); /* and comes back */
}

/* --- the end --- */

static void stop_lets_finish_what_runs(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	call_returns(app, "f", "{}", "{}");
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	app_wait_busy(app, "f", 1);
	struct call *waiting = call_start(app, "f", "{}");
	dal_functions_stop(app->functions);
	assert_true(call_ended(running) && call_ended(waiting));
	assert_int_equal(running->outcome, DAL_INVOKE_SUCCEEDED);
	assert_int_equal(waiting->outcome, DAL_INVOKE_CANCELLED);
	call_free(running);
	call_free(waiting);
}

static void stop_kills_when_the_grace_ends(void **state)
{
	struct app *app = *state;
	app_renew(app, 0, 0, 300000);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "2"})));
	call_free(call_expect(app, "f", "{\"do\":\"deaf\"}", DAL_INVOKE_SUCCEEDED));
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":5}");
	app_wait_busy(app, "f", 1);
	dal_functions_stop(app->functions);
	assert_int_equal(running->outcome, DAL_INVOKE_CANCELLED);
	assert_int_equal(app_status(app, "f").instances, 0);
	call_free(running);
}

static void idle_program_deaf_to_sigterm(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"idle", "100ms"})));
	call_free(call_expect(app, "f", "{\"do\":\"deaf\"}", DAL_INVOKE_SUCCEEDED));
	app_wait_instances(app, "f", 0);
}

/* The last test: there is no other spawner after that. */
static void spawner_is_killed(void **state)
{
	struct app *app = app_fresh(state);
	struct dal_error why;
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	call_returns(app, "f", "{}", "{}");
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":20}");
	app_wait_busy(app, "f", 1);
	struct call *waiting = call_start(app, "f", "{}");
	assert_int_equal(kill(dal_spawner_pid(app->spawner), SIGKILL), 0);
	call_wait(running);
	assert_int_equal(running->outcome, DAL_INVOKE_CRASHED);
	assert_contains(running->message, "ended with the process that had started it");
	call_wait(waiting);
	assert_int_equal(waiting->outcome, DAL_INVOKE_UNAVAILABLE);
	call_free(running);
	call_free(waiting);
	assert_true(dal_functions_obstacle(app->functions, dal_slice_text("f"), &why));
	assert_contains(why.text, "restart dalamb");
	call_free(call_expect(app, "f", "{}", DAL_INVOKE_UNAVAILABLE));
	assert_int_equal(app_status(app, "f").instances, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_invocations_leave_nothing),
		cmocka_unit_test(as_many_at_once_as_max),
		cmocka_unit_test(those_who_wait_go_in_order),
		cmocka_unit_test(idle_ones_drain),
		cmocka_unit_test(rate),
		cmocka_unit_test(room_is_shared),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(new_version_replaces_the_old),
		cmocka_unit_test(broken_version_is_not_taken),
		cmocka_unit_test(new_version_gets_room),
		cmocka_unit_test(removed_function_is_gone),
		cmocka_unit_test(stop_lets_finish_what_runs),
		cmocka_unit_test(stop_kills_when_the_grace_ends),
		cmocka_unit_test(idle_program_deaf_to_sigterm),
		cmocka_unit_test(spawner_is_killed),
	};
	return cmocka_run_group_tests(tests, app_set_up, app_tear_down);
}
