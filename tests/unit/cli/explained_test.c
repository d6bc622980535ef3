/* An explanation laid out for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "engine/cli/explained.h"

#define EVENT "{\"event\":{\"type\":\"a\",\"topic\":\"events\"},"

static void prints(const char *answer, bool taken, const char *expected)
{
	struct dal_json *json = dal_json_new();
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_int_equal(dal_json_parse(json, dal_slice_text(answer), 0, NULL), 0);
	dal_explained_print(to, json);
	assert_int_equal(fclose(to), 0);
	assert_string_equal(text, expected);
	assert_int_equal(dal_explained_taken(json), taken);
	free(text);
	dal_json_free(json);
}

static void what_matches_is_told(void **state)
{
	(void)state;
	prints(EVENT "\"rules\":[{\"rule\":\"r\",\"file\":\"f\",\"line\":3,\"matched\":true,"
		     "\"passed\":true}],\"projections\":[],\"counts\":{\"rules\":1,"
		     "\"rules_matched\":1,\"passed\":1},\"guards\":{\"asked\":0}}",
	       true, "event a in topic events\n\nyes rule r (f:3)\n");
}

static void a_guard_is_told_with_what_it_read(void **state)
{
	(void)state;
	prints("{\"event\":{\"type\":\"a\",\"subject\":\"s\",\"position\":\"events/0/1\"},"
	       "\"rules\":"
	       "[{\"rule\":\"r\",\"file\":\"f\",\"line\":3,\"matched\":true,\"passed\":false,"
	       "\"guard\":{\"answer\":\"no\",\"returned\":\"nil\",\"views\":["
	       "{\"projection\":\"p\",\"key\":\"k\",\"value\":{\"n\":1}},"
	       "{\"projection\":\"p\",\"key\":\"l\",\"value\":null},"
	       "{\"projection\":\"p\",\"key\":\"m\",\"bytes\":5000}]}}],"
	       "\"counts\":{\"rules\":1,\"rules_matched\":1,\"passed\":0},"
	       "\"guards\":{\"asked\":1,\"at\":\"17\",\"note\":\"on today's views\"}}",
	       false,
	       "event a of s at events/0/1\n\n"
	       "no  rule r (f:3)\n"
	       "      its guard (when) says no, it returned nil\n"
	       "        it read view(\"p\", \"k\"): {\"n\":1}\n"
	       "        it read view(\"p\", \"l\"): no entry\n"
	       "        it read view(\"p\", \"m\"): an entry of 5000 bytes\n"
	       "\nnote: on today's views (they stand at 17)\n");
}

static void a_guards_error_has_a_line_for_each_of_its_trace(void **state)
{
	(void)state;
	prints(EVENT "\"rules\":[{\"rule\":\"r\",\"file\":\"f\",\"line\":3,\"matched\":true,"
		     "\"passed\":false,\"guard\":{\"answer\":\"error\",\"message\":\"f:4: no\","
		     "\"traceback\":\"stack traceback:\\n\\tf:4: in x\",\"views\":[]}}],"
		     "\"counts\":{\"rules\":1,\"rules_matched\":1}}",
	       false,
	       "event a in topic events\n\n"
	       "err rule r (f:3)\n"
	       "      its guard (when) failed: f:4: no\n"
	       "        stack traceback:\n"
	       "         f:4: in x\n");
}

static void a_miss_is_told_with_its_hint(void **state)
{
	(void)state;
	prints(EVENT "\"rules\":["
		     "{\"rule\":\"r\",\"file\":\"f\",\"line\":1,\"matched\":false,\"field\":\"x\","
		     "\"found\":\"B\\u001b[2J\",\"expected\":\"\\\"b\\\"\",\"hint\":\"differs in "
		     "case\",\"near\":true,\"failed\":1,\"conditions\":3},"
		     "{\"rule\":\"s\",\"file\":\"f\",\"line\":2,\"matched\":false,\"field\":\"x\","
		     "\"found\":null,\"missing\":true,\"expected\":\"1\",\"hint\":\"there is X\","
		     "\"failed\":2,\"conditions\":3},"
		     "{\"rule\":\"t\",\"file\":\"f\",\"line\":3,\"matched\":false,\"field\":\"x\","
		     "\"found\":\"[1,2...\",\"cut\":true,\"expected\":\"3\",\"failed\":1,"
		     "\"conditions\":1},"
		     "{\"rule\":\"u\",\"file\":\"f\",\"line\":4,\"matched\":false,\"field\":\"x\","
		     "\"found\":null,\"expected\":\"3\",\"hint\":\"is null\",\"failed\":1,"
		     "\"conditions\":1}],"
		     "\"counts\":{\"rules\":4,\"rules_matched\":0}}",
	       false,
	       "event a in topic events\n\n"
	       "no  rule r (f:1): 1 of 3 conditions fails\n"
	       "      x is \"B\\u001b[2J\", expected \"b\"\n"
	       "      near miss: it differs in case\n"
	       "no  rule s (f:2): 2 of 3 conditions fail\n"
	       "      x is missing, expected 1\n"
	       "      note: there is X\n"
	       "no  rule t (f:3)\n"
	       "      x is [1,2..., expected 3\n"
	       "no  rule u (f:4)\n"
	       "      x is null, expected 3\n"
	       "      note: it is null\n");
}

static void what_is_left_out_is_counted(void **state)
{
	(void)state;
	prints(EVENT "\"rules\":[{\"rule\":\"r\",\"file\":\"f\",\"line\":3,\"matched\":true,"
		     "\"passed\":false}],\"projections\":[],\"counts\":{\"rules\":10,"
		     "\"rules_matched\":4,\"projections\":2,\"projections_matched\":0,"
		     "\"passed\":0}}",
	       true, /* of those left out some match */
	       "event a in topic events\n\n"
	       "no  rule r (f:3)\n"
	       "... and 3 more rules that match, 6 more rules that came less near\n"
	       "... and 2 more projections that came less near\n"
	       "(--rule NAME explains one of them, --all all)\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_matches_is_told),
		cmocka_unit_test(a_guard_is_told_with_what_it_read),
		cmocka_unit_test(a_guards_error_has_a_line_for_each_of_its_trace),
		cmocka_unit_test(a_miss_is_told_with_its_hint),
		cmocka_unit_test(what_is_left_out_is_counted),
	};
	return cmocka_run_group_tests_name("cli explained", tests, NULL, NULL);
}
