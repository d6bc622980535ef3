/*
 * The container driver on a real engine, whose address is DALAMB_TEST_CONTAINERS; the image
 * localhost/dalamb-probe is of probe.c. Skipped where there is none: tests/e2e/test_containers.py
 * brings one up and runs this, too.
 */
#include "tests/unit/functions/harness.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"

#define PROBE ((struct field){"image", "localhost/dalamb-probe"})
#define SKIPPED 77

static void configure(struct app *app, const char *name, const struct field *fields)
{
	char text[1024] = "";
	struct dal_errors errors = {0};
	struct dal_function *function = app_declare(app, name, fields, text);
	if (!function) {
		fail_msg("%s", text);
	}
	dal_functions_pin(&function, 1, app->containers, &errors);
	if (errors.count > 0) {
		fail_msg("%s", errors.items[0].text);
	}
	dal_errors_deinit(&errors);
	app_configure(app, function);
}

static void echoes(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE));
	call_returns(app, "probe", "{\"do\":\"echo\"}", "{\"do\":\"echo\"}");
}

static void shuts_each_wall(void **state)
{
	struct app *app = app_fresh(state);
	configure(app, "probe", FIELDS(PROBE, {"memory", "64MB"}, {"tmp", "1MiB"}));
	struct call *call = call_expect(app, "probe", "{\"do\":\"walls\"}", DAL_INVOKE_SUCCEEDED);
	print_message("%s mem %d cpu %d\n", call->result, (int)call->invocation.memory_mb,
		      (int)call->invocation.cpu_us);
	call_free(call);
}

static int set_up(void **state)
{
	int result = app_set_up(state);
	((struct app *)*state)->containers = getenv("DALAMB_TEST_CONTAINERS");
	return result;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes),
		cmocka_unit_test(shuts_each_wall),
	};
	if (!getenv("DALAMB_TEST_CONTAINERS")) {
		(void)printf("skipped: DALAMB_TEST_CONTAINERS names no container engine\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("container", tests, set_up, app_tear_down);
}
