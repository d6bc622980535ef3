/* The pool with real programs, with and without walls. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

#define NEEDS_WALLS(app)                                                                           \
	do {                                                                                       \
		if (!(app)->walls) {                                                               \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

#define TRUSTED {"sandbox", "false"}
#define FIELDS(...) ((struct field[]){__VA_ARGS__, {0}})

static void call_returns(struct app *app, const char *name, const char *payload, const char *result)
{
	struct call *call = call_expect(app, name, payload, DAL_INVOKE_SUCCEEDED);
	assert_string_equal(call->result, result);
	call_free(call);
}

static void echo(void **state)
{
	struct app *app = *state;
	app_renew(app, 0, 0, 1000000);
	app_configure(app, app_function(app, "echo", FIELDS(TRUSTED)));
	call_returns(app, "echo", "{\"a\":1}", "{\"a\": 1}");
	call_returns(app, "echo", "{\"a\":2}", "{\"a\": 2}");
	struct dal_function_status status = app_status(app, "echo");
	assert_int_equal(status.instances, 1);
	assert_int_equal(status.invocations, 2);
	assert_int_equal(status.cold_starts, 1);
	assert_int_equal(status.failures, 0);
}

static void echo_inside_walls(void **state)
{
	struct app *app = *state;
	NEEDS_WALLS(app);
	app_renew(app, 0, 0, 1000000);
	app_configure(app, app_function(app, "echo", FIELDS({"handler", "x"})));
	call_returns(app, "echo", "{\"a\":1}", "{\"a\": 1}");
	call_returns(app, "echo", "{\"a\":2}", "{\"a\": 2}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(echo_inside_walls),
	};
	return cmocka_run_group_tests(tests, app_set_up, app_tear_down);
}
