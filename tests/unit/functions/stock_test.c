/*
 * Runtime clients as their makers ship them. DALAMB_TEST_AWSLAMBDARIC is a folder that
 * `pip install --target` filled with awslambdaric, DALAMB_TEST_GO_LAMBDA a bootstrap built of go/.
 * Without them (./dev test makes them) the tests are skipped.
 */
#include "tests/unit/functions/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"

static const char handler[] =
	"import json, os\n"
	"def handler(event, context):\n"
	"    print('handling')\n"
	"    if event.get('fail'):\n"
	"        raise ValueError('not so')\n"
	"    if event.get('big'):\n"
	"        return 'x' * event['big']\n"
	"    return {'got': event, 'id': context.aws_request_id,\n"
	"            'left': context.get_remaining_time_in_millis() > 0,\n"
	"            'key': context.client_context.custom['idempotency_key'],\n"
	"            'name': context.function_name,\n"
	"            'trace': os.environ.get('_X_AMZN_TRACE_ID', '')[:4]}\n";

static const char *needed(const char *variable)
{
	const char *value = getenv(variable);
	if (!value) {
		print_message("%s is not set\n", variable);
		skip();
	}
	return value;
}

static void with_python(struct app *app, bool sandbox)
{
	const char *folder = needed("DALAMB_TEST_AWSLAMBDARIC");
	char *path = dal_asprintf("PYTHONPATH=%s", folder);
	app_renew(app, 0, 0, 1000000);
	app_write(app, "py", "app.py", handler, 0644);
	app_configure(
		app,
		app_function(app, "py",
			     FIELDS({"command", "/usr/bin/python3,-m,awslambdaric,app.handler"},
				    {"paths", folder}, {"env", path}, {"handler", "app.handler"},
				    {"sandbox", sandbox ? "true" : "false"})));
	free(path);
	struct call *call = call_expect(app, "py", "{\"a\":1}", DAL_INVOKE_SUCCEEDED);
	struct dal_buffer expected = {0};
	dal_buffer_printf(
		&expected,
		"{\"got\": {\"a\": 1}, \"id\": \"%s\", \"left\": true, \"key\": \"a/b/1\", "
		"\"name\": \"py\", \"trace\": \"Root\"}",
		call->request);
	assert_string_equal(call->result, dal_buffer_cstr(&expected));
	dal_buffer_deinit(&expected);
	assert_true(call->invocation.cold);
	assert_true(call->invocation.memory_mb > 5);
	call_free(call);
	call = call_expect(app, "py", "{\"fail\":true}", DAL_INVOKE_FAILED);
	assert_string_equal(call->type, "ValueError");
	assert_string_equal(call->message, "not so");
	assert_non_null(strstr(call->trace, "app.py"));
	assert_false(call->invocation.cold);
	call_free(call);
	call_free(call_expect(app, "py", "{\"big\":7000000}", DAL_INVOKE_TOO_LARGE));
	call_free(call_expect(app, "py", "{\"big\":5000000}", DAL_INVOKE_SUCCEEDED));
	call_free(call_expect(app, "py", "{}", DAL_INVOKE_SUCCEEDED));
}

static void python_without_walls(void **state)
{
	with_python(*state, false);
}

static void python_inside_walls(void **state)
{
	struct app *app = *state;
	if (!app->walls) {
		skip();
	}
	with_python(app, true);
}

static void python_that_cannot_import(void **state)
{
	struct app *app = *state;
	const char *folder = needed("DALAMB_TEST_AWSLAMBDARIC");
	char *path = dal_asprintf("PYTHONPATH=%s", folder);
	app_renew(app, 0, 0, 1000000);
	app_configure(
		app,
		app_function(app, "py",
			     FIELDS({"command", "/usr/bin/python3,-m,awslambdaric,nowhere.handler"},
				    {"paths", folder}, {"env", path}, {"sandbox", "false"})));
	free(path);
	struct call *call = call_expect(app, "py", "{}", DAL_INVOKE_INIT);
	assert_string_equal(call->type, "Runtime.ImportModuleError");
	call_free(call);
}

static void with_go(struct app *app, bool sandbox)
{
	const char *binary = needed("DALAMB_TEST_GO_LAMBDA");
	char *target = dal_asprintf("%s/functions/go/bootstrap", app->folder);
	app_renew(app, 0, 0, 1000000);
	app_write(app, "go", "README", "", 0644);
	struct dal_buffer program = {0};
	assert_int_equal(dal_file_read(binary, 100 << 20, &program), 0);
	assert_int_equal(dal_file_write(target, dal_buffer_slice(&program), 0755), 0);
	dal_buffer_deinit(&program);
	free(target);
	app_configure(app, app_function(app, "go",
					FIELDS({"command", "./bootstrap"},
					       {"sandbox", sandbox ? "true" : "false"})));
	struct call *call = call_expect(app, "go", "{\"a\":1}", DAL_INVOKE_SUCCEEDED);
	assert_string_equal(call->result, "{\"got\":{\"a\":1}}");
	call_free(call);
	call = call_expect(app, "go", "{\"break\":true}", DAL_INVOKE_FAILED);
	assert_string_equal(call->type, "errorString");
	assert_string_equal(call->message, "torn");
	call_free(call);
	call_free(call_expect(app, "go", "{}", DAL_INVOKE_SUCCEEDED));
}

static void go_without_walls(void **state)
{
	with_go(*state, false);
}

static void go_inside_walls(void **state)
{
	struct app *app = *state;
	if (!app->walls) {
		skip();
	}
	with_go(app, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(python_without_walls),      cmocka_unit_test(python_inside_walls),
		cmocka_unit_test(python_that_cannot_import), cmocka_unit_test(go_without_walls),
		cmocka_unit_test(go_inside_walls),
	};
	return cmocka_run_group_tests(tests, app_set_up, app_tear_down);
}
