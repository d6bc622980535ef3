/* One program in the pool: its outcomes, its init, the protocol, what it writes and uses. */
#include "tests/unit/functions/harness.h"

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
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED)));
	answers(app);
}

static void program_inside_walls(void **state)
{
	struct app *app = app_fresh(state);
	NEEDS_WALLS(app);
	app_configure(app, app_function(app, "f", FIELDS({"sandbox", "true"})));
	answers(app);
}

static void error_that_the_program_reports(void **state)
{
	struct app *app = app_fresh(state);
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

#define STREAMED(trailers) "{\"do\":\"stream\",\"trailers\":{" trailers "}}"
#define ERROR_TYPE "\"lambda-runtime-function-error-type\":"
#define ERROR_BODY "\"Lambda-Runtime-Function-Error-Body\":"

/* Part of the result was sent already: trailers say that it is none. */
static void error_behind_a_streamed_result(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(
		app, "f",
		/* {"errorMessage":"half","errorType":"Half","stackTrace":["a"]} */
		STREAMED(ERROR_TYPE "\"Outer\"," ERROR_BODY
				    "\"eyJlcnJvck1lc3NhZ2UiOiJoYWxmIiwiZXJyb3JUeXBlIjoiSGFsZiIs"
				    "InN0YWNrVHJhY2UiOlsiYSJdfQ==\""),
		DAL_INVOKE_FAILED);
	assert_string_equal(call->result, "");
	assert_string_equal(call->type, "Half");
	assert_string_equal(call->message, "half");
	assert_string_equal(call->trace, "[\"a\"]");
	call_free(call);
	call = call_expect(app, "f", STREAMED(ERROR_TYPE "\"Outer\""), DAL_INVOKE_FAILED);
	assert_string_equal(call->type, "Outer");
	assert_string_equal(call->message, "");
	call_free(call);
	call = call_expect(app, "f", STREAMED(ERROR_BODY "\"?\""), DAL_INVOKE_FAILED);
	assert_contains(call->message, "no base64");
	call_free(call);
	call_returns(app, "f", STREAMED("\"X-Other\":\"1\""), "[1,2");
	call_returns(app, "f", STREAMED(ERROR_TYPE "\"\""), "[1,2");
}

static void crash(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"exit\",\"status\":3}",
					DAL_INVOKE_CRASHED);
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
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"timeout", "300ms"})));
	call_returns(app, "f", "{}", "{}");
	struct call *call = call_expect(app, "f", "{\"do\":\"sleep\",\"s\":20}",
					DAL_INVOKE_TIMEOUT);
	assert_string_equal(call->message, "no answer within 300 ms, so it was killed");
	assert_true(call->invocation.duration_us >= 300000);
	call_free(call);
	call_returns(app, "f", "{}", "{}");
}

/* It answers, and then does not ask for more. */
static void program_that_lingers(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f",
					FIELDS(USUAL(app), {"timeout", "300ms"}, {"max", "1"})));
	call_returns(app, "f", "{\"do\":\"linger\",\"s\":30}", "1");
	call_returns(app, "f", "{}", "{}");
}

static void result_that_is_too_large(void **state)
{
	struct app *app = app_fresh(state);
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
	struct app *app = app_fresh(state);
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
	init_fails(app_fresh(state), "exit", "Runtime.ExitError",
		   "the program ended with status 1 before it asked for work; its last line: "
		   "cannot begin");
}

static void init_that_reports_an_error(void **state)
{
	init_fails(app_fresh(state), "error", "Runtime.ImportModuleError", "no module app");
}

static void init_that_hangs(void **state)
{
	init_fails(app_fresh(state), "hang", "Runtime.InitTimeout",
		   "it did not ask for work within 10000 ms of its start");
}

/* A broken program is not started again and again: each failure waits longer for the next. */
static void broken_init_backs_off(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f",
					FIELDS(USUAL(app), {"handler", "exit"}, {"max", "1"})));
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
	struct app *app = app_fresh(state);
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
	struct app *app = app_fresh(state);
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
	assert_contains(call->result,
			"\"Lambda-Runtime-Client-Context\": "
			"\"{\\\"custom\\\":{\\\"idempotency_key\\\":\\\"a/b/1\\\"}}\"");
	call_free(call);
	call_returns(app, "f", "{}", "{}");
	char *lines = app_lines(app);
	assert_contains(lines, "twice 403 InvalidStateTransition\n");
	free(lines);
}

static void environment(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f",
					FIELDS(USUAL(app), {"handler", "app.handler"},
					       {"env", "MODE=fast"}, {"env", "TZ=Europe/Berlin"},
					       {"memory", "128MB"})));
	struct call *call = call_expect(app, "f", "{\"do\":\"environment\"}", DAL_INVOKE_SUCCEEDED);
	static const char *const expected[] = {
		"\"_HANDLER\": \"app.handler\"",
		"\"AWS_LAMBDA_FUNCTION_NAME\": \"f\"",
		"\"AWS_LAMBDA_FUNCTION_MEMORY_SIZE\": \"128\"",
		"\"MODE\": \"fast\"",
		"\"TZ\": \"Europe/Berlin\"",
		"\"AWS_REGION\": \"local\"",
		"\"AWS_LAMBDA_LOG_GROUP_NAME\": \"/dalamb/f\"",
		"\"AWS_EXECUTION_ENV\": \"dalamb\"",
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
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"print\",\"count\":2,\"size\":3}",
					DAL_INVOKE_SUCCEEDED);
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
	struct app *app = app_fresh(state);
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
	assert_int_equal(count,
			 1 + 20000 + 13); /* 100,000 bytes are 13 lines of 8 KiB at the most */
	assert_int_equal(longest, 36 + 1 + 8192);
	free(lines);
}

/* --- figures --- */

static void figures(void **state)
{
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app))));
	struct call *call = call_expect(app, "f", "{\"do\":\"spin\",\"s\":0.2}",
					DAL_INVOKE_SUCCEEDED);
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
	struct app *app = app_fresh(state);
	app_configure(app, app_function(app, "f", FIELDS(USUAL(app), {"memory", "64MB"})));
	call_returns(app, "f", "{\"do\":\"allocate\",\"bytes\":60000000}", "60000000");
	struct call *call = call_expect(app, "f", "{\"do\":\"allocate\",\"bytes\":400000000}",
					DAL_INVOKE_CRASHED);
	assert_contains(call->message, "MemoryError");
	call_free(call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_without_walls),
		cmocka_unit_test(program_inside_walls),
		cmocka_unit_test(error_that_the_program_reports),
		cmocka_unit_test(error_behind_a_streamed_result),
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
	};
	return cmocka_run_group_tests(tests, app_set_up, app_tear_down);
}
