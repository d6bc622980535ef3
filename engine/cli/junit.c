/* JUnit's XML of test results. */
#include <stdio.h>
#include <string.h>

#include "engine/cli/results.h"
#include "engine/event/utf8.h"

/* Is it a character of XML 1.0 ("Char")? */
static bool is_char(uint32_t code)
{
	return code >= 0x20 ? code < 0xFFFE || code > 0xFFFF
			    : code == '\t' || code == '\n' || code == '\r';
}

/* Text or an attribute's value: what XML can't hold becomes U+FFFD. */
static void put_escaped(struct dal_buffer *out, const char *text)
{
	static const char replacement[] = "\xEF\xBF\xBD";
	size_t left = strlen(text);

	while (left > 0) {
		size_t size = dal_utf8_size(text, left);
		const char *entity = *text == '<'   ? "&lt;"
				     : *text == '>' ? "&gt;"
				     : *text == '&' ? "&amp;"
				     : *text == '"' ? "&quot;"
						    : NULL;

		if (entity) {
			dal_buffer_text(out, entity);
		} else if (size == 0 || !is_char(dal_utf8_decode(text, size))) {
			dal_buffer_text(out, replacement);
		} else if (*text == '\n' || *text == '\t' || *text == '\r') {
			dal_buffer_printf(out, "&#%d;", *text);
		} else {
			dal_buffer_append(out, text, size);
		}
		text += size > 0 ? size : 1;
		left -= size > 0 ? size : 1;
	}
}

static void put_attribute(struct dal_buffer *out, const char *name, const char *value)
{
	dal_buffer_printf(out, " %s=\"", name);
	put_escaped(out, value);
	dal_buffer_byte(out, '"');
}

static void put_seconds(struct dal_buffer *out, int64_t us)
{
	dal_buffer_printf(out, " time=\"%.6f\"", (double)us / 1000000);
}

/* A group of tests as they are counted. */
struct group {
	size_t tests, failures, errors;
	int64_t duration_us;
};

static void put_counts(struct dal_buffer *out, const struct group *group)
{
	dal_buffer_printf(out, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"0\"",
			  group->tests, group->failures, group->errors);
	put_seconds(out, group->duration_us);
}

/* "tests.orders_test" of "tests/orders_test.lua": people group by it. */
static void put_class(struct dal_buffer *out, const char *file)
{
	struct dal_buffer name = {0};
	const char *end = strrchr(file, '.');

	dal_buffer_append(&name, file, end ? (size_t)(end - file) : strlen(file));
	for (size_t i = 0; i < name.size; i++) {
		name.data[i] = name.data[i] == '/' ? '.' : name.data[i];
	}
	put_attribute(out, "classname", dal_buffer_cstr(&name));
	dal_buffer_deinit(&name);
}

static void put_case_start(struct dal_buffer *out, const char *name, const char *file, int line,
			   int64_t us)
{
	dal_buffer_text(out, "    <testcase");
	put_attribute(out, "name", name);
	put_class(out, file);
	put_attribute(out, "file", file);
	dal_buffer_printf(out, " line=\"%d\"", line);
	put_seconds(out, us);
}

/* One element a test: readers show the first only. */
static void put_failure(struct dal_buffer *out, const struct dal_verdict *verdict)
{
	const char *element = verdict->broken ? "error" : "failure";
	struct dal_buffer text = {0};

	for (size_t i = 0; i < verdict->count; i++) {
		dal_buffer_printf(&text, "%s:%d: ", verdict->test->file,
				  verdict->complaints[i].line);
		dal_complaint_print(&verdict->complaints[i], &text);
	}
	dal_buffer_printf(out, "      <%s", element);
	put_attribute(out, "message", verdict->complaints[0].what);
	put_attribute(out, "type", verdict->broken ? "broken" : "expectation");
	dal_buffer_byte(out, '>');
	put_escaped(out, dal_buffer_cstr(&text));
	dal_buffer_printf(out, "</%s>\n", element);
	dal_buffer_deinit(&text);
}

static void put_case(struct dal_buffer *out, const struct dal_verdict *verdict)
{
	const struct dal_rules_test *test = verdict->test;

	put_case_start(out, test->name, test->file, test->line, verdict->duration_us);
	if (verdict->count == 0) {
		dal_buffer_text(out, "/>\n");
		return;
	}
	dal_buffer_text(out, ">\n");
	put_failure(out, verdict);
	dal_buffer_text(out, "    </testcase>\n");
}

static void count(struct group *group, const struct dal_verdict *verdict)
{
	group->tests++;
	group->duration_us += verdict->duration_us;
	if (verdict->count > 0) {
		*(verdict->broken ? &group->errors : &group->failures) += 1;
	}
}

static void put_suite_start(struct dal_buffer *out, const char *name, const struct group *group)
{
	dal_buffer_text(out, "  <testsuite");
	put_attribute(out, "name", name);
	put_counts(out, group);
	dal_buffer_text(out, ">\n");
}

/* The tests of one file, which are in a row. How many there are. */
static size_t put_suite(struct dal_buffer *out, const struct dal_verdict *verdicts, size_t most)
{
	const char *file = verdicts[0].test->file;
	struct group group = {0};

	while (group.tests < most && strcmp(verdicts[group.tests].test->file, file) == 0) {
		count(&group, &verdicts[group.tests]);
	}
	put_suite_start(out, file, &group);
	for (size_t i = 0; i < group.tests; i++) {
		put_case(out, &verdicts[i]);
	}
	dal_buffer_text(out, "  </testsuite>\n");
	return group.tests;
}

static void put_errors(struct dal_buffer *out, const struct dal_errors *errors)
{
	struct group group = {.tests = errors->count, .errors = errors->count};

	put_suite_start(out, "load", &group);
	for (size_t i = 0; i < errors->count; i++) {
		const struct dal_error *error = &errors->items[i];
		const char *file = error->file[0] ? error->file : "app";
		char name[256];

		snprintf(name, sizeof(name), "load %s:%d", file, error->line);
		put_case_start(out, name, file, error->line, 0);
		dal_buffer_text(out, ">\n      <error");
		put_attribute(out, "message", error->text);
		put_attribute(out, "type", "load");
		dal_buffer_text(out, "/>\n    </testcase>\n");
	}
	dal_buffer_text(out, "  </testsuite>\n");
}

void dal_junit_print(const struct dal_results *results, const struct dal_errors *errors,
		     struct dal_buffer *out)
{
	struct group all = {0};

	for (size_t i = 0; results && i < results->count; i++) {
		count(&all, &results->verdicts[i]);
	}
	if (!results) {
		all.tests = all.errors = errors->count;
	}
	dal_buffer_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
	put_attribute(out, "name", results ? results->app->name : "dalamb");
	put_counts(out, &all);
	dal_buffer_text(out, ">\n");
	for (size_t i = 0; results && i < results->count;) {
		i += put_suite(out, results->verdicts + i, results->count - i);
	}
	if (!results) {
		put_errors(out, errors);
	}
	dal_buffer_text(out, "</testsuites>\n");
}
