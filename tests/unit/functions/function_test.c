/* Declarations: what is taken, what is refused with which words, what makes a version. */
#include "tests/unit/functions/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "functions/function.h"
#include "functions/lines.h"

#define IMAGE ((struct field){"image", "localhost/x@sha256:1"})
#define PYTHON ((struct field){"command", "/usr/bin/python3,app.py"})

static void assert_refused(struct app *app, const struct field *fields, const char *expected)
{
	char text[1024] = "(taken)";
	struct dal_function *function = app_declare(app, "f", fields, text);
	if (function || !strstr(text, expected)) {
		fail_msg("expected \"%s\", got \"%s\"", expected, text);
	}
}

static struct dal_function *taken(struct app *app, const struct field *fields)
{
	char text[1024];
	struct dal_function *function = app_declare(app, "f", fields, text);
	if (!function) {
		fail_msg("%s", text);
	}
	return function;
}

static int set_up(void **state)
{
	int result = app_set_up(state);
	app_write(*state, "f", "app.py", "", 0644);
	return result;
}

static void defaults(void **state)
{
	struct dal_function *function = taken(*state, FIELDS(PYTHON));
	assert_string_equal(function->name, "f");
	assert_string_equal(function->file, "dalamb.lua");
	assert_int_equal(function->line, 7);
	assert_int_equal(function->contract, DAL_CONTRACT_LAMBDA);
	assert_int_equal(function->driver, DAL_DRIVER_PROCESS);
	assert_string_equal(function->command[1], "app.py");
	assert_null(function->command[2]);
	assert_true(function->sandbox);
	assert_int_equal(function->timeout_us, 10000000);
	assert_int_equal(function->idle_us, 300000000);
	assert_int_equal(function->age_us, 86400000000);
	assert_int_equal(function->backoff_us, 1000000);
	assert_int_equal(function->memory_bytes, 256000000);
	assert_int_equal(function->tmp_bytes, 64000000);
	assert_int_equal(function->min, 0);
	assert_int_equal(function->max, 8);
	assert_int_equal(function->per_instance, 1);
	assert_int_equal(function->attempts, 4);
	assert_string_equal(function->order, "subject");
	assert_int_equal(function->input, DAL_INPUT_EVENT);
	assert_null(function->final[0]);
	assert_null(function->handler);
	assert_int_equal(strlen(function->version), 16);
	dal_function_free(function);
}

static void all_that_can_be_set(void **state)
{
	struct app *app = *state;
	struct dal_function *function = taken(
		app, FIELDS(PYTHON, {"handler", "app.handler"}, {"paths", "/usr/share,functions"},
			    {"sandbox", "false"}, {"timeout", "2m"}, {"memory", "1GB"},
			    {"tmp", "1MiB"}, {"env", "A=1"}, {"env", "B="}, {"network", "none"},
			    {"min", "2"}, {"max", "3"}, {"idle", "0"}, {"rate", "10/m"},
			    {"attempts", "1"}, {"age", "1h"}, {"backoff", "10ms"}, {"final", "A,B"},
			    {"order", "data.id"}, {"input", "data"}, {"driver", "process"}));
	char *path = dal_asprintf("%s/functions", app->folder);
	assert_string_equal(function->paths[0], "/usr/share");
	assert_string_equal(function->paths[1], path);
	free(path);
	assert_string_equal(function->environment[0], "A=1");
	assert_string_equal(function->environment[1], "B=");
	assert_null(function->environment[2]);
	assert_string_equal(function->final[1], "B");
	assert_string_equal(function->order, "data.id");
	assert_int_equal(function->input, DAL_INPUT_DATA);
	assert_true(function->rate > 0.16 && function->rate < 0.17);
	assert_int_equal(function->tmp_bytes, 1 << 20);
	assert_int_equal(function->min, 2);
	dal_function_free(function);
}

static void what_comes_later(void **state)
{
	struct app *app = *state;
	assert_refused(
		app, FIELDS({"url", "https://example.com"}),
		"dalamb.lua:8: func \"f\": `url` isn't supported yet: declare an `image`, or "
		"a process with `command`");
	assert_refused(app, FIELDS(PYTHON, {"batch", "{}"}), "`batch` isn't supported yet");
	assert_refused(app, FIELDS(PYTHON, {"driver", "sandbox"}),
		       "the driver \"sandbox\" isn't supported yet: use \"process\" or "
		       "\"container\"");
	assert_refused(app, FIELDS(PYTHON, {"contract", "http"}),
		       "the contract \"http\" isn't supported yet: use \"lambda\"");
	assert_refused(app, FIELDS(PYTHON, {"network", "lan"}),
		       "networks aren't supported yet: use \"none\"");
	assert_refused(app, FIELDS(IMAGE, {"network", "lan"}),
		       "networks aren't supported yet: use \"none\"");
	assert_refused(app, FIELDS(PYTHON, {"cpu", "0.5"}),
		       "`cpu` isn't supported yet for processes");
	assert_refused(app, FIELDS(PYTHON, {"per_instance", "2"}), "raise `max` instead");
	assert_refused(app, FIELDS(PYTHON, {"input", "sqs"}),
		       "the input \"sqs\" isn't supported yet");
}

static void images(void **state)
{
	struct app *app = *state;
	assert_refused(app, FIELDS({"image", "a b"}), "\"a b\" is no name of an image");
	assert_refused(app, FIELDS(IMAGE, {"driver", "process"}),
		       "the driver \"process\" can't run an image: leave `driver` out");
	assert_refused(app, FIELDS(PYTHON, {"driver", "container"}),
		       "the driver \"container\" needs an `image`");
	assert_refused(app, FIELDS(IMAGE, {"sandbox", "false"}),
		       "an image always runs behind walls");
	assert_refused(app, FIELDS(IMAGE, {"paths", "/opt"}),
		       "`paths` are shown to processes only");
	assert_refused(app, FIELDS(IMAGE, {"memory", "8MB"}),
		       "a container needs a `memory` of at least 16 MB");
	assert_refused(app, FIELDS(IMAGE, {"cpu", "0"}), "`cpu` must be from 0.01 to 1024 cores");
	struct dal_function *function = taken(app, FIELDS(IMAGE, {"cpu", "0.5"}));
	assert_int_equal(function->driver, DAL_DRIVER_CONTAINER);
	assert_string_equal(function->image.name, "localhost/x@sha256:1");
	assert_null(function->image.id);
	assert_null(function->folder);
	assert_null(function->command[0]);
	assert_true(function->cpu == 0.5);
	dal_function_free(function);
}

static void wrong_numbers(void **state)
{
	struct app *app = *state;
	assert_refused(app, FIELDS(PYTHON, {"max", "0"}), "`max` must be from 1 to 1000, not 0");
	assert_refused(app, FIELDS(PYTHON, {"min", "9"}),
		       "`min` is 9, more than `max`, which is 8");
	assert_refused(app, FIELDS(PYTHON, {"attempts", "0"}), "`attempts` must be from 1 to 1000");
	assert_refused(app, FIELDS(PYTHON, {"timeout", "0"}), "`timeout` must be at least 1 ms");
	assert_refused(app, FIELDS(PYTHON, {"memory", "1"}),
		       "`memory` must be at least 1000000 bytes");
	assert_refused(app, FIELDS(PYTHON, {"order", "true"}),
		       "`order` is a path such as \"data.customer\", or false");
	assert_refused(app, FIELDS(PYTHON, {"rate", "0/s"}), "`rate` must be more than nothing");
	struct dal_function *function = taken(app, FIELDS(PYTHON, {"order", "false"}));
	assert_null(function->order);
	dal_function_free(function);
}

static void wrong_environments(void **state)
{
	struct app *app = *state;
	assert_refused(app, FIELDS(PYTHON, {"env", "_HANDLER=x"}),
		       "`_HANDLER` is set by dalamb: choose another name");
	assert_refused(app, FIELDS(PYTHON, {"env", "AWS_LAMBDA_RUNTIME_API=x"}),
		       "is set by dalamb");
	assert_refused(app, FIELDS(PYTHON, {"env", "A-B=x"}),
		       "`A-B` is no name for an environment variable");
	char *large = dal_malloc(70002);
	memset(large, 'x', 70001);
	memcpy(large, "A=", 2);
	large[70001] = '\0';
	assert_refused(app, FIELDS(PYTHON, {"env", large}), "65536 is the most");
	free(large);
}

static void programs(void **state)
{
	struct app *app = *state;
	assert_refused(app, FIELDS({"handler", "x"}), "`command` is required");
	assert_refused(
		app, FIELDS({"command", "no-such-program"}),
		"there is no program `no-such-program` in /usr/local/bin:/usr/bin:/bin: install "
		"it, or give its whole path");
	assert_refused(app, FIELDS({"command", "/no/such"}),
		       "the program /no/such: No such file or directory");
	assert_refused(app, FIELDS({"command", "./app.py"}), "app.py is not executable: chmod +x ");
	assert_refused(app, FIELDS({"command", "/usr"}), "the program /usr is no file");
	assert_refused(app, FIELDS(PYTHON, {"paths", "/no/such"}),
		       "the path /no/such: No such file or directory");
	assert_refused(app, FIELDS(PYTHON, {"paths", "/"}), "would show all of the machine");
	char text[1024];
	assert_null(app_declare(app, "nowhere", FIELDS(PYTHON), text));
	assert_non_null(strstr(text, "there is no folder "));
}

/* Programs that the operator's shell finds and the sandbox does not show, by name, path and link.
 */
static void programs_outside(void **state)
{
	struct app *app = *state;
	char *before = dal_strdup(getenv("PATH"));
	assert_non_null(before);
	char *folder = dal_asprintf("%s/functions/elsewhere", app->folder);
	char *whole = dal_asprintf("%s/tool", folder);
	char *link = dal_asprintf("%s/functions/f/link", app->folder);
	struct dal_buffer expected = {0};
	app_write(app, "elsewhere", "tool", "#!/bin/sh\n", 0755);
	assert_int_equal(setenv("PATH", folder, 1), 0);
	dal_buffer_printf(&expected,
			  "the program `tool` is %s here, which the sandbox doesn't show", whole);
	assert_refused(app, FIELDS({"command", "tool"}), dal_buffer_cstr(&expected));
	assert_refused(app, FIELDS({"command", whole}), "lies where the sandbox doesn't look");
	assert_int_equal(symlink(whole, link), 0);
	assert_refused(app, FIELDS({"command", "./link"}), "lies where the sandbox doesn't look");
	dal_function_free(taken(app, FIELDS({"command", whole}, {"paths", folder})));
	dal_function_free(taken(app, FIELDS({"command", "tool"}, {"sandbox", "false"})));
	assert_int_equal(setenv("PATH", before, 1), 0);
	assert_int_equal(unlink(link), 0);
	dal_buffer_deinit(&expected);
	free(before);
	free(folder);
	free(whole);
	free(link);
}

static void interpreters(void **state)
{
	struct app *app = *state;
	app_write(app, "f", "run", "#!/no/such/interpreter -x\n", 0755);
	assert_refused(app, FIELDS({"command", "./run"}), "the first line of ");
	app_write(app, "f", "run", "#!/usr/bin/env no-such-interpreter\n", 0755);
	assert_refused(app, FIELDS({"command", "./run"}),
		       "there is no program `no-such-interpreter`");
	app_write(app, "f", "run", "#!/usr/bin/env python3\n", 0755);
	dal_function_free(taken(app, FIELDS({"command", "./run"})));
	app_write(app, "f", "run", "#! /bin/sh\n", 0755);
	dal_function_free(taken(app, FIELDS({"command", "./run"})));
	if (geteuid() == 0) {
		app_write(app, "f", "run", "#! /bin/sh\n", 0700);
		assert_refused(app, FIELDS({"command", "./run"}),
			       "programs run as nobody: chmod go+rx");
	}
}

static void assert_version(struct app *app, const struct field *fields, const char *other,
			   bool same)
{
	struct dal_function *function = taken(app, fields);
	assert_int_equal(strcmp(function->version, other) == 0, same);
	dal_function_free(function);
}

static void versions(void **state)
{
	struct app *app = *state;
	struct dal_function *function = taken(app, FIELDS(PYTHON));
	const char *first = function->version;
	assert_version(app, FIELDS(PYTHON), first, true);
	assert_version(app, FIELDS(PYTHON, {"timeout", "11s"}), first, false);
	assert_version(app, FIELDS(PYTHON, {"env", "A=1"}), first, false);
	app_write(app, "f", "app.py", "1", 0644);
	assert_version(app, FIELDS(PYTHON), first, false);
	app_write(app, "f", "app.py", "", 0644);
	assert_version(app, FIELDS(PYTHON), first, true);
	app_write(app, "f", ".hidden", "", 0644);
	assert_version(app, FIELDS(PYTHON), first, false);
	dal_function_free(function);
}

/* --- lines --- */

static struct dal_line *split(const char *text, size_t size, struct dal_lines *lines)
{
	struct dal_line *first = NULL, **end = &first;
	int ends[2];
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_int_equal(write(ends[1], text, size), size);
	(void)close(ends[1]);
	lines->output = ends[0];
	dal_lines_finish(lines, "f", "r", &end);
	return first;
}

static void free_lines(struct dal_line *line)
{
	while (line) {
		struct dal_line *next = line->next;
		free(line);
		line = next;
	}
}

static void lines(void **state)
{
	(void)state;
	struct dal_lines from = {.output = -1};
	struct dal_line *line = split("a\n\nb\0c\r\nrest", 13, &from);
	assert_string_equal(line->text, "a");
	assert_string_equal(line->request, "r");
	assert_int_equal(line->next->size, 0);
	assert_int_equal(line->next->next->size, 4);
	assert_memory_equal(line->next->next->text, "b\0c\r", 4);
	assert_string_equal(line->next->next->next->text, "rest");
	assert_null(line->next->next->next->next);
	assert_string_equal(from.last, "rest");
	free_lines(line);
	dal_lines_deinit(&from);
	char large[8192 + 3];
	memset(large, 'x', sizeof(large));
	large[8192 + 1] = '\n';
	from = (struct dal_lines){.output = -1};
	line = split(large, sizeof(large), &from);
	assert_int_equal(line->size, 8192);
	assert_string_equal(line->next->text, "x");
	assert_string_equal(line->next->next->text, "x");
	free_lines(line);
	dal_lines_deinit(&from);
}

/* For rule tests and replays nothing is looked for on disk. */
static void offline(void **state)
{
	char text[1024];
	struct app *app = *state;
	char *folder = app->folder;
	struct dal_function *function;

	app->folder = NULL;
	function = app_declare(app, "nowhere",
			       FIELDS({"command", "no-such-program"}, {"paths", "/no/such/path"}),
			       text);
	app->folder = folder;
	assert_non_null(function);
	assert_string_equal(function->name, "nowhere");
	assert_null(function->folder);
	dal_function_free(dal_function_copy(function));
	dal_function_free(function);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(all_that_can_be_set),
		cmocka_unit_test(what_comes_later),
		cmocka_unit_test(images),
		cmocka_unit_test(wrong_numbers),
		cmocka_unit_test(wrong_environments),
		cmocka_unit_test(programs),
		cmocka_unit_test(programs_outside),
		cmocka_unit_test(interpreters),
		cmocka_unit_test(versions),
		cmocka_unit_test(lines),
		cmocka_unit_test(offline),
	};
	return cmocka_run_group_tests(tests, set_up, app_tear_down);
}
