/*
 * A machine that refuses namespaces: this program takes them away from itself first. (Where it
 * can't, they are refused already.)
 */
#include "tests/unit/functions/harness.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/memory.h"

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	if (file >= 0) {
		(void)!write(file, text, strlen(text));
		(void)close(file);
	}
}

/* In a user namespace of its own one may forbid all further ones. */
static void refuse_namespaces(void)
{
	char map[64];
	(void)snprintf(map, sizeof(map), "0 %u 1", geteuid());
	if (unshare(CLONE_NEWUSER) == 0) {
		write_file("/proc/self/uid_map", map);
		write_file("/proc/sys/user/max_user_namespaces", "0");
	}
}

static void sandboxed_function_waits_and_says_why(void **state)
{
	struct app *app = app_fresh(state);
	struct dal_error why = {0};
	app_configure(app, app_function(app, "f", FIELDS({"sandbox", "true"}, {"min", "1"})));
	struct call *call = call_expect(app, "f", "{}", DAL_INVOKE_UNAVAILABLE);
	assert_contains(call->message, "bubblewrap can't make a sandbox here (");
	assert_int_equal(call->invocation.started_us, 0);
	assert_true(dal_functions_obstacle(app->functions, dal_slice_text("f"), &why));
	assert_string_equal(why.text, call->message);
	assert_contains(why.text, "set `sandbox = false`");
	assert_int_equal(app_status(app, "f").instances, 0);
	assert_int_equal(app_status(app, "f").invocations, 0);
	call_free(call);
}

static void trusted_function_runs(void **state)
{
	struct app *app = app_fresh(state);
	struct dal_error why;
	app_configure(app, app_function(app, "f", FIELDS(TRUSTED)));
	call_returns(app, "f", "{\"a\":1}", "{\"a\": 1}");
	assert_false(dal_functions_obstacle(app->functions, dal_slice_text("f"), &why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sandboxed_function_waits_and_says_why),
		cmocka_unit_test(trusted_function_runs),
	};
	refuse_namespaces();
	return cmocka_run_group_tests(tests, app_set_up, app_tear_down);
}
