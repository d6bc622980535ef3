/* Options taken out of a command line, and what is left. */
#include "engine/cli/cli.h"
#include "tests/unit/cli/check.h"

static const struct dal_command command = {.name = "unit", .arguments = "", .example = ""};

struct parsed {
	const char *name, *limit, *all;
	int status, argc;
	char *argv[8];
};

static struct parsed parse(int argc, const char *const *words)
{
	struct parsed p = {.argc = argc};
	struct dal_option options[] = {
		{"name", "TEXT", "", &p.name},
		{"limit", "N", "", &p.limit},
		{"all", NULL, "", &p.all},
		{0},
	};

	for (int i = 0; i < argc; i++) {
		p.argv[i] = (char *)words[i];
	}
	p.status = dal_options_parse(&command, options, &p.argc, p.argv);
	return p;
}

#define PARSE(...)                                                                                 \
	parse(sizeof((const char *[]){"unit", __VA_ARGS__}) / sizeof(char *),                      \
	      (const char *[]){"unit", __VA_ARGS__})

static void options_anywhere(void **state)
{
	struct parsed p = PARSE("a", "--name", "x y", "b", "--limit=5", "--all", "-");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_string_equal(p.name, "x y");
	assert_string_equal(p.limit, "5");
	assert_non_null(p.all);
	assert_int_equal(p.argc, 4);
	assert_string_equal(p.argv[1], "a");
	assert_string_equal(p.argv[2], "b");
	assert_string_equal(p.argv[3], "-");
}

static void values_that_look_like_options(void **state)
{
	struct parsed p = PARSE("--name", "--all", "--limit=", "--", "--name", "c");

	(void)state;
	assert_int_equal(p.status, 0);
	assert_string_equal(p.name, "--all");
	assert_string_equal(p.limit, "");
	assert_null(p.all);
	assert_int_equal(p.argc, 3);
	assert_string_equal(p.argv[1], "--name");
}

static void what_is_refused(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--nmae", "x").status, -1);
	assert_int_equal(PARSE("--name").status, -1);
	assert_int_equal(PARSE("--all=1").status, -1);
	assert_int_equal(PARSE("--").status, 0);
}

static void numbers_and_formats(void **state)
{
	uint64_t number;
	bool json;

	(void)state;
	assert_int_equal(dal_number_parse(&command, "limit", "12", &number), 0);
	assert_int_equal(number, 12);
	assert_int_equal(dal_number_parse(&command, "limit", "0", &number), -1);
	assert_int_equal(dal_number_parse(&command, "limit", "-1", &number), -1);
	assert_int_equal(dal_format_parse(&command, NULL, &json), 0);
	assert_false(json);
	assert_int_equal(dal_format_parse(&command, "json", &json), 0);
	assert_true(json);
	assert_int_equal(dal_format_parse(&command, "yaml", &json), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_anywhere),
		cmocka_unit_test(values_that_look_like_options),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(numbers_and_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
