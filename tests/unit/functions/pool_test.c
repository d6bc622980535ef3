/* The pool with real programs: outcomes, limits, order, draining, versions. */
#include "harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define NEEDS_WALLS(app)                                                                           \
	do {                                                                                       \
		if (!(app)->walls) {                                                               \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

#define FIELDS(...) ((struct field[]){__VA_ARGS__, {0}})
/* A program like any other; with walls where this machine has them. */
#define USUAL(app) {"sandbox", (app)->walls ? "true" : "false"}
#define TRUSTED {"sandbox", "false"}

static struct app *renew(void **state)
{
	struct app *app = *state;
	app_renew(app, 0, 0, 5000000);
	return app;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part)) {
		fail_msg("no \"%s\" in \"%s\"", part, text);
	}
}

static void call_returns(struct app *app, const char *name, const char *payload, const char *result)
{
	struct call *call = call_expect(app, name, payload, DAL_INVOKE_SUCCEEDED);
	assert_string_equal(call->result, result);
	call_free(call);
}

static void wait_busy(struct app *app, uint32_t count)
{
	int64_t until_us = dal_clock_monotonic_us() + 30000000;
	while (app_status(app, "f").busy != count) {
		assert_true(dal_clock_monotonic_us() < until_us);
		(void)usleep(1000);
	}
}

/* --- outcomes --- */

static void answers(struct app *app)
{
	call_returns(app, "f", "{\"a\":1}", "{\"a\": 1}");
	call_returns(app, "f", "{\"a\":2}", "{\"a\": 2}");
	call_returns(app, "f", "{\"do\":\"chunked\"}", "[1,2]");
	struct dal_function_status status = app_status(app, "f");
	assert_int_equal(status.instances, 1);
	assert_int_equal(status.invocations, 3);
	assert_int_equal(status.cold_starts, 1);
	assert_int_equal(status.failures, 0);
}

static void program_without_walls(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED)));
	answers(app);
}

static void program_inside_walls(void **state)
{
	struct app *app = renew(state);
	NEEDS_WALLS(app);
	app_configure(app, app_function(app, "f", FIELDS({"sandbox", "true"})));
	answers(app);
}

static void error_that_the_program_reports(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"fail\"}", DAL_INVOKE_FAILED);
	assert_string_equal(call->type, "OrderError");
	assert_string_equal(call->message, "no such order");
	assert_string_equal(call->trace, "[\"a\", \"b\"]");
	call_free(call);
	call = call_expect(app, "f", "{\"do\":\"fail oddly\"}", DAL_INVOKE_FAILED);
	assert_string_equal(call->type, "Odd.Error");
	assert_string_equal(call->message, "not JSON");
	call_free(call);
	assert_int_equal(app_status(app, "f").failures, 2);
}

static void crash(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call =
		call_expect(app, "f", "{\"do\":\"exit\",\"status\":3}", DAL_INVOKE_CRASHED);
	assert_string_equal(call->message, "the program ended with status 3 before it answered; "
					   "its last line: down");
	assert_string_equal(call->type, "Runtime.ExitError");
	call_free(call);
	call = call_expect(app, "f", "{\"do\":\"kill\"}", DAL_INVOKE_CRASHED);
	assert_contains(call->message, "the program was killed by SIGSEGV before it answered");
	call_free(call);
	call_returns(app, "f", "{}", "{}"); /* replaced */
	assert_int_equal(app_status(app, "f").cold_starts, 3);
}

static void time_out(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"timeout", "300ms"})));
	call_returns(app, "f", "{}", "{}");
	struct call *call = call_expect(app, "f", "{\"do\":\"sleep\",\"s\":20}", DAL_INVOKE_TIMEOUT);
	assert_string_equal(call->message, "no answer within 300 ms, so it was killed");
	assert_true(call->invocation.duration_us >= 300000);
	call_free(call);
	call_returns(app, "f", "{}", "{}");
}

/* It answers, and then does not ask for more. */
static void program_that_lingers(void **state)
{
	struct app *app = renew(state);
	app_configure(app,
		      app_function(app, "f", FIELDS(USUAL(app), {"timeout", "300ms"}, {"max", "1"})));
	call_returns(app, "f", "{\"do\":\"linger\",\"s\":30}", "1");
	call_returns(app, "f", "{}", "{}");
}

static void result_that_is_too_large(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"big\",\"bytes\":7000000}",
					DAL_INVOKE_TOO_LARGE);
	assert_string_equal(call->type, "Function.ResponseSizeTooLarge");
	call_free(call);
	call = call_expect(app, "f", "{\"do\":\"big\",\"bytes\":6000000}", DAL_INVOKE_SUCCEEDED);
	assert_int_equal(strlen(call->result), 6000003);
	call_free(call);
	char *lines = app_lines(app);
	assert_contains(lines, "big 413 RequestEntityTooLarge\n");
	free(lines);
}

static void function_that_is_not_there(void **state)
{
	struct app *app = renew(state);
	call_free(call_expect(app, "nobody", "{}", DAL_INVOKE_GONE));
	assert_int_equal(dal_functions_capacity(app->functions, dal_slice_text("nobody")), 0);
}

/* --- init --- */

static void init_fails(struct app *app, const char *handler, const char *type, const char *message)
{
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"handler", handler})));
	struct call *call = call_expect(app, "f", "{}", DAL_INVOKE_INIT);
	assert_string_equal(call->type, type);
	assert_string_equal(call->message, message);
	assert_int_equal(call->invocation.started_us, 0);
	call_free(call);
}

static void init_that_ends(void **state)
{
	init_fails(renew(state), "exit", "Runtime.ExitError",
		   "the program ended with status 1 before it asked for work; its last line: "
		   "cannot begin");
}

static void init_that_reports_an_error(void **state)
{
	init_fails(renew(state), "error", "Runtime.ImportModuleError", "no module app");
}

static void init_that_hangs(void **state)
{
	init_fails(renew(state), "hang", "Runtime.InitTimeout",
		   "it did not ask for work within 10000 ms of its start");
}

/* A broken program is not started again and again: each failure waits longer for the next. */
static void broken_init_backs_off(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"handler", "exit"},
							 {"max", "1"})));
	int64_t begin_us = dal_clock_monotonic_us();
	struct call *calls[4];
	for (int i = 0; i < 4; i++) {
		calls[i] = call_start(app, "f", "{}");
	}
	for (int i = 0; i < 4; i++) {
		call_wait(calls[i]);
		assert_int_equal(calls[i]->outcome, DAL_INVOKE_INIT);
		call_free(calls[i]);
	}
	assert_true(dal_clock_monotonic_us() - begin_us >= (100 + 200 + 400) * 1000);
}

static void program_that_vanished(void **state)
{
	struct app *app = renew(state);
	struct dal_function *function = app_function(app, "f", FIELDS(TRUSTED));
	free(function->command[0]);
	function->command[0] = dal_strdup("/nonexistent/program");
	app_configure(app, function);
	struct call *call = call_expect(app, "f", "{}", DAL_INVOKE_INIT);
	assert_contains(call->message,
			"could not be started: /nonexistent/program: No such file or directory");
	call_free(call);
}

/* --- the protocol --- */

static void protocol_edges(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"probe\"}", DAL_INVOKE_SUCCEEDED);
	assert_contains(call->result, "\"next\": [403, \"InvalidStateTransition\"]");
	assert_contains(call->result, "\"wrong id\": [400, \"InvalidRequestID\"]");
	assert_contains(call->result, "\"stale nonce\": [410, \"InvalidInvocationID\"]");
	assert_contains(call->result, "\"init\": [403, \"InvalidStateTransition\"]");
	assert_contains(call->result, "\"path\": [404, null]");
	struct dal_buffer id = {0};
	dal_buffer_printf(&id, "\"Lambda-Runtime-Aws-Request-Id\": \"%s\"", call->request);
	assert_contains(call->result, dal_buffer_cstr(&id));
	dal_buffer_deinit(&id);
	assert_contains(call->result, "\"Lambda-Runtime-Deadline-Ms\": \"1");
	assert_contains(call->result, "\"Lambda-Runtime-Invoked-Function-Arn\": "
				      "\"arn:aws:lambda:local:000000000000:function:f\"");
	assert_contains(call->result,
			"\"Lambda-Runtime-Trace-Id\": \"Root=1-0af76519-16cd43dd8448eb211c80319c;"
			"Parent=b7ad6b7169203331;Sampled=1\"");
	assert_contains(call->result, "\"Lambda-Runtime-Client-Context\": "
				      "\"{\\\"custom\\\":{\\\"idempotency_key\\\":\\\"a/b/1\\\"}}\"");
	call_free(call);
	call_returns(app, "f", "{}", "{}");
	char *lines = app_lines(app);
	assert_contains(lines, "twice 403 InvalidStateTransition\n");
	free(lines);
}

static void environment(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f",
					FIELDS(USUAL(app), {"handler", "app.handler"},
					       {"env", "MODE=fast"}, {"env", "TZ=Europe/Berlin"},
					       {"memory", "128MB"})));
	struct call *call = call_expect(app, "f", "{\"do\":\"environment\"}", DAL_INVOKE_SUCCEEDED);
	static const char *const expected[] = {
		"\"_HANDLER\": \"app.handler\"", "\"AWS_LAMBDA_FUNCTION_NAME\": \"f\"",
		"\"AWS_LAMBDA_FUNCTION_MEMORY_SIZE\": \"128\"", "\"MODE\": \"fast\"",
		"\"TZ\": \"Europe/Berlin\"", "\"AWS_REGION\": \"local\"",
		"\"AWS_LAMBDA_LOG_GROUP_NAME\": \"/dalamb/f\"", "\"AWS_EXECUTION_ENV\": \"dalamb\"",
	};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_contains(call->result, expected[i]);
	}
	struct dal_buffer version = {0};
	dal_buffer_printf(&version, "\"AWS_LAMBDA_FUNCTION_VERSION\": \"%s\"",
			  call->invocation.version);
	assert_contains(call->result, dal_buffer_cstr(&version));
	dal_buffer_deinit(&version);
	assert_null(strstr(call->result, "SHELL"));
	call_free(call);
}

/* --- what is written --- */

static void lines_belong_to_their_request(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call =
		call_expect(app, "f", "{\"do\":\"print\",\"count\":2,\"size\":3}", DAL_INVOKE_SUCCEEDED);
	struct dal_buffer expected = {0};
	dal_buffer_printf(&expected, "- hello from init\n%s xxx 0\n%s xxx 1\n", call->request,
			  call->request);
	char *lines = app_lines(app);
	assert_string_equal(lines, dal_buffer_cstr(&expected));
	free(lines);
	dal_buffer_deinit(&expected);
	call_free(call);
}

static void much_output(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	call_free(call_expect(app, "f", "{\"do\":\"print\",\"count\":20000,\"size\":100}",
			      DAL_INVOKE_SUCCEEDED));
	call_free(call_expect(app, "f", "{\"do\":\"print\",\"count\":1,\"size\":100000}",
			      DAL_INVOKE_SUCCEEDED));
	char *lines = app_lines(app);
	size_t count = 0, longest = 0;
	for (char *at = lines, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
		count++;
		longest = (size_t)(end - at) > longest ? (size_t)(end - at) : longest;
	}
	assert_int_equal(count, 1 + 20000 + 13); /* 100,000 bytes are 13 lines of 8 KiB at the most */
	assert_int_equal(longest, 36 + 1 + 8192);
	free(lines);
}

/* --- figures --- */

static void figures(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"spin\",\"s\":0.2}", DAL_INVOKE_SUCCEEDED);
	assert_true(call->invocation.cold);
	assert_true(call->invocation.init_us > 1000);
	assert_true(call->invocation.cpu_us >= 200000);
	assert_true(call->invocation.cpu_us < 1000000);
	assert_true(call->invocation.memory_mb > 5 && call->invocation.memory_mb < 100);
	assert_true(call->invocation.duration_us >= 200000);
	assert_true(call->invocation.started_us > 0);
	call_free(call);
	call = call_expect(app, "f", "{}", DAL_INVOKE_SUCCEEDED);
	assert_false(call->invocation.cold);
	assert_int_equal(call->invocation.init_us, 0);
	assert_true(call->invocation.cpu_us >= 0 && call->invocation.cpu_us < 150000);
	call_free(call);
}

static void memory_limit(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"memory", "64MB"})));
	call_returns(app, "f", "{\"do\":\"allocate\",\"bytes\":60000000}", "60000000");
	struct call *call =
		call_expect(app, "f", "{\"do\":\"allocate\",\"bytes\":400000000}", DAL_INVOKE_CRASHED);
	assert_contains(call->message, "MemoryError");
	call_free(call);
}

/* --- the pool --- */

static void many_invocations_leave_nothing(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "2"})));
	call_returns(app, "f", "{}", "{}");
	int before = count_descriptors();
	for (int i = 0; i < 200; i++) {
		call_returns(app, "f", "{\"i\":1}", "{\"i\": 1}");
	}
	assert_int_equal(app_status(app, "f").cold_starts, 1);
	assert_int_equal(count_descriptors(), before);
	for (int i = 0; i < 20; i++) { /* and each of these ends an instance */
		call_free(call_expect(app, "f", "{\"do\":\"exit\",\"status\":1}", DAL_INVOKE_CRASHED));
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
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "3"})));
	assert_int_equal(dal_functions_capacity(app->functions, dal_slice_text("f")), 3);
	struct call *calls[6];
	int64_t begin_us = dal_clock_monotonic_us();
	for (int i = 0; i < 6; i++) {
		calls[i] = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	}
	wait_busy(app, 3);
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
	struct app *app = renew(state);
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
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "3"}, {"min", "1"},
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
	struct app *app = renew(state);
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
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=1"})));
	char *first = pid_of(app);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED, {"env", "V=1"})));
	char *same = pid_of(app);
	assert_string_equal(first, same);
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	wait_busy(app, 1);
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
	struct app *app = renew(state);
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

static void removed_function_is_gone(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	call_returns(app, "f", "{}", "{}");
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	wait_busy(app, 1);
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
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"max", "1"})));
	call_returns(app, "f", "{}", "{}");
	struct call *running = call_start(app, "f", "{\"do\":\"sleep\",\"s\":0.5}");
	wait_busy(app, 1);
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
	wait_busy(app, 1);
	dal_functions_stop(app->functions);
	assert_int_equal(running->outcome, DAL_INVOKE_CANCELLED);
	assert_int_equal(app_status(app, "f").instances, 0);
	call_free(running);
}

static void idle_program_deaf_to_sigterm(void **state)
{
	struct app *app = renew(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"idle", "100ms"})));
	call_free(call_expect(app, "f", "{\"do\":\"deaf\"}", DAL_INVOKE_SUCCEEDED));
	app_wait_instances(app, "f", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_without_walls),
		cmocka_unit_test(program_inside_walls),
		cmocka_unit_test(error_that_the_program_reports),
		cmocka_unit_test(crash),
		cmocka_unit_test(time_out),
		cmocka_unit_test(program_that_lingers),
		cmocka_unit_test(result_that_is_too_large),
		cmocka_unit_test(function_that_is_not_there),
		cmocka_unit_test(init_that_ends),
		cmocka_unit_test(init_that_reports_an_error),
		cmocka_unit_test(init_that_hangs),
		cmocka_unit_test(broken_init_backs_off),
		cmocka_unit_test(program_that_vanished),
		cmocka_unit_test(protocol_edges),
		cmocka_unit_test(environment),
		cmocka_unit_test(lines_belong_to_their_request),
		cmocka_unit_test(much_output),
		cmocka_unit_test(figures),
		cmocka_unit_test(memory_limit),
		cmocka_unit_test(many_invocations_leave_nothing),
		cmocka_unit_test(as_many_at_once_as_max),
		cmocka_unit_test(those_who_wait_go_in_order),
		cmocka_unit_test(idle_ones_drain),
		cmocka_unit_test(rate),
		cmocka_unit_test(room_is_shared),
		cmocka_unit_test(nobody_starves),
		cmocka_unit_test(new_version_replaces_the_old),
		cmocka_unit_test(broken_version_is_not_taken),
		cmocka_unit_test(removed_function_is_gone),
		cmocka_unit_test(stop_lets_finish_what_runs),
		cmocka_unit_test(stop_kills_when_the_grace_ends),
		cmocka_unit_test(idle_program_deaf_to_sigterm),
	};
	return cmocka_run_group_tests(tests, app_set_up, app_tear_down);
}
