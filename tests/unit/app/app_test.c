/* An app's folder as a whole: what is read, what overrides what, what is refused; and tokens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "engine/app/tokens.h"
#include "engine/base/memory.h"
#include "engine/http/http.h"
#include "tests/unit/app/folder.h"

static void expect_none(const char *folder)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;

	if (load_folder(folder, none, &app, &errors) != 0) {
		fail_msg("%s:%d: %s", errors.items[0].file, errors.items[0].line,
			 errors.items[0].text);
	}
	dal_app_free(app);
}

static void an_empty_folder_has_defaults(void **own)
{
	struct dal_errors errors = {0};
	struct dal_app *app;

	assert_int_equal(load_folder(*own, none, &app, &errors), 0);
	assert_string_equal(app->settings.listen, "127.0.0.1:8080");
	assert_int_equal(app->settings.rows, 5000000);
	assert_int_equal(app->settings.event_bytes, 1 << 20);
	assert_int_equal(app->settings.grace_us, 10000000);
	assert_false(app->settings.tokens_there);
	assert_int_equal(app->function_count, 0);
	dal_app_free(app);
}

static void the_file_and_over_it_the_environment(void **own)
{
	static char *const environment[] = {(char *)"DALAMB_HTTP_LISTEN=127.0.0.1:9", NULL};
	struct dal_errors errors = {0};
	struct dal_app *app;

	write_file(*own, "dalamb.lua",
		   "app 'store'\nhttp { listen = '127.0.0.1:7', dedup = '1m' }\n"
		   "limits { rows = 12, disk_free = '1GB' }\nlog { topics = { 'audit' } }\n");
	assert_int_equal(load_folder(*own, none, &app, &errors), 0);
	assert_string_equal(app->name, "store");
	assert_string_equal(app->settings.listen, "127.0.0.1:7");
	assert_int_equal(app->settings.dedup_us, 60000000);
	assert_int_equal(app->settings.rows, 12);
	assert_int_equal(app->settings.disk_free_bytes, 1000000000);
	assert_string_equal(app->settings.topics[0].name, "audit");
	dal_app_free(app);
	assert_int_equal(load_folder(*own, environment, &app, &errors), 0);
	assert_string_equal(app->settings.listen, "127.0.0.1:9");
	assert_int_equal(app->settings.dedup_us, 60000000);
	dal_app_free(app);
}

static void all_mistakes_at_once(void **own)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;

	write_file(*own, "dalamb.lua", "http { lisen = 'x' }\n");
	write_file(*own, "rules/a.lua", "rule 'a' { on = {} , cal = 'x' }\n");
	write_file(*own, "rules/b.lua", "rule 'b' {\n");
	assert_int_equal(load_folder(*own, none, &app, &errors), DAL_APP_INVALID);
	assert_true(errors.count >= 3);
	assert_string_equal(errors.items[0].file, "dalamb.lua");
	assert_int_equal(errors.items[0].line, 1);
	assert_non_null(strstr(errors.items[0].text, "listen"));
	dal_errors_deinit(&errors);
}

/* Those of rules keep neither secrets nor settings nor functions from being checked. */
static void mistakes_of_all_kinds_at_once(void **own)
{
	static const struct {
		const char *file;
		int line;
		const char *text;
	} expected[] = {
		{"dalamb.lua", 1, "\"NOPE\" is missing or empty"},
		{"dalamb.lua", 2, "is no name"},
		{"dalamb.lua", 3, "timeout"},
		{"dalamb.lua", 4, "there is no folder"},
		{"rules/a.lua", 1, "unknown field 'wen'"},
		{"rules/b.lua", 4, "changes 'n', a local outside of the function"},
	};
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;

	write_file(*own, "dalamb.lua",
		   "github { secret = secret 'NOPE' }\n"
		   "log { topics = { 'No Name' } }\n"
		   "func 'a' { command = 'no-such-program', timeout = false }\n"
		   "func 'b' { command = 'no-such-program' }\n");
	write_file(*own, "rules/a.lua",
		   "rule 'a' { on = { type = 'x' }, wen = function() return true end }\n");
	write_file(*own, "rules/b.lua",
		   "local n = 0\n"
		   "projection 'b' { on = { type = 'x' }, key = 'subject',\n"
		   "  fold = function()\n"
		   "    n = n + 1\n"
		   "  end }\n");
	assert_int_equal(load_folder(*own, none, &app, &errors), DAL_APP_INVALID);
	assert_int_equal(errors.count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < errors.count; i++) {
		assert_string_equal(errors.items[i].file, expected[i].file);
		assert_int_equal(errors.items[i].line, expected[i].line);
		if (!strstr(errors.items[i].text, expected[i].text)) {
			fail_msg("no \"%s\" in %s", expected[i].text, errors.items[i].text);
		}
	}
	dal_errors_deinit(&errors);
}

static void numbers_have_bounds(void **own)
{
	static const struct {
		const char *written, *text;
	} cases[] = {
		{"limits { rows = 0 }", "limits.rows must be at least 1"},
		{"limits { rows = -1 }", "limits.rows must be at least 1"},
		{"limits { instances = 0 }", "limits.instances must be at least 1"},
		{"limits { instances = 4294967296 }",
		 "limits.instances must be at most 4294967295"},
		{"limits { event = 0 }", "limits.event must be at least 1B"},
		{"limits { event = '65MiB' }", "limits.event must be at most 64MiB"},
		{"limits { body = '0B' }", "limits.body must be at least 1B"},
		{"limits { memory = 0 }", "limits.memory must be at least 1B"},
		{"limits { disk_free = '0B' }", "limits.disk_free must be at least 64MiB"},
		{"limits { disk_free = '67108863B' }", "limits.disk_free must be at least 64MiB"},
		{"limits { grace = '-1s' }", "grace"},
		{"http { dedup = '0' }", "http.dedup must be at least 1ms"},
	};
	static char *const environment[] = {(char *)"DALAMB_LIMITS_ROWS=0", NULL};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(*own, "dalamb.lua", cases[i].written);
		expect_error(*own, none, "dalamb.lua", cases[i].text);
	}
	write_file(*own, "dalamb.lua",
		   "limits { rows = 1, instances = 1, event = 1, body = 1, disk_free = '64MiB', "
		   "grace = '0' }\n");
	expect_error(*own, environment, "environment", "limits.rows must be at least 1");
	expect_none(*own);
}

static void topics_are_declared(void **own)
{
	static const char rules[] =
		"rule 'r' {\n"
		"  on = { topic = { 'events', 'orders' }, type = 'a' }, emit = function() end }\n"
		"projection 'p' { on = { topic = 'ordres', type = 'a' }, key = 'subject',\n"
		"  fold = function() end }\n";
	static const char told[] = "projection \"p\": on: there is no topic \"ordres\", did you "
				   "mean \"orders\"?";

	write_file(*own, "rules/a.lua", rules);
	write_file(*own, "dalamb.lua", "log { topics = { 'orders' } }\n");
	expect_error(*own, none, "rules/a.lua", told);
	write_file(*own, "dalamb.lua", "log { topics = { orders = { key = 'subject' } } }\n");
	expect_error(*own, none, "rules/a.lua", told);
	write_file(*own, "dalamb.lua", "log { topics = { 'orders', 'ordres' } }\n");
	expect_none(*own);
}

static void beyond_loopback_only_with_tokens(void **own)
{
	write_file(*own, "dalamb.lua", "http { listen = '0.0.0.0:80' }\n");
	expect_error(*own, none, "dalamb.lua", "there are no tokens");
}

static void a_secret_that_lacks(void **own)
{
	static char *const environment[] = {(char *)"DALAMB_SECRETS=/nowhere", NULL};
	static char *const given[] = {(char *)"HOOK=It's a Secret to Everybody", NULL};
	struct dal_errors errors = {0};
	struct dal_app *app;

	write_file(*own, "dalamb.lua", "github { secret = secret 'HOOK' }\n");
	expect_error(*own, environment, "dalamb.lua", "\"HOOK\" is missing or empty");
	assert_int_equal(load_folder(*own, given, &app, &errors), 0);
	assert_non_null(app->github);
	dal_app_free(app);
}

static void a_folder_that_is_not_there(void **own)
{
	(void)own;
	expect_error("/nowhere/at/all", none, "/nowhere/at/all", "no such folder");
}

static void tokens_are_made_and_known(void **own)
{
	char *path = dal_asprintf("%s/tokens", (char *)*own);
	struct dal_buffer first = {0}, second = {0};
	struct dal_tokens *tokens;
	struct dal_error error;
	struct stat status;

	assert_int_equal(dal_tokens_make(path, "web", "ingest", &first, &error), 0);
	assert_int_equal(dal_tokens_make(path, "ops", "query,admin", &second, &error), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(dal_tokens_read(path, &tokens, &error), 0);
	assert_int_equal(dal_tokens_scopes(tokens, dal_buffer_slice(&first)), DAL_HTTP_INGEST);
	assert_int_equal(dal_tokens_scopes(tokens, dal_buffer_slice(&second)),
			 DAL_HTTP_QUERY | DAL_HTTP_ADMIN);
	assert_int_equal(dal_tokens_scopes(tokens, dal_slice_text("dal_x")), 0);
	dal_tokens_free(tokens);
	dal_buffer_clear(&second);
	assert_int_equal(dal_tokens_make(path, "web", "query", &second, &error), 0);
	assert_int_equal(dal_tokens_read(path, &tokens, &error), 0);
	assert_int_equal(dal_tokens_scopes(tokens, dal_buffer_slice(&first)), 0); /* replaced */
	dal_tokens_free(tokens);
	assert_true(dal_tokens_make(path, "x", "everything", &second, &error) < 0);
	write_file(*own, "tokens", "web ingest nonsense\n");
	assert_true(dal_tokens_read(path, &tokens, &error) < 0);
	assert_int_equal(error.line, 1);
	dal_buffer_deinit(&first);
	dal_buffer_deinit(&second);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(an_empty_folder_has_defaults), CASE(the_file_and_over_it_the_environment),
		CASE(all_mistakes_at_once),         CASE(beyond_loopback_only_with_tokens),
		CASE(a_secret_that_lacks),          CASE(a_folder_that_is_not_there),
		CASE(tokens_are_made_and_known),    CASE(mistakes_of_all_kinds_at_once),
		CASE(numbers_have_bounds),          CASE(topics_are_declared),
	};

	return cmocka_run_group_tests_name("app", tests, NULL, NULL);
}
