#include "tests/unit/event/check.h"

#include "engine/event/document.h"

static void documents_are_laid_out(void **state)
{
	(void)state;
	struct dal_buffer out = {0};
	struct dal_slice json = dal_slice_text("{\"b\":[1,129.950],\"a\":\"\\u00e9\\u0000\"}");
	assert_int_equal(dal_document_format(json, 2, true, &out, NULL), 0);
	assert_slice(dal_buffer_slice(&out),
		     "{\n  \"a\": \"\xC3\xA9\\u0000\",\n  \"b\": [\n    1,\n    129.950\n  ]\n}");
	dal_buffer_clear(&out);
	assert_int_equal(dal_document_format(json, 0, false, &out, NULL), 0);
	assert_slice(dal_buffer_slice(&out), "{\"b\": [1, 129.950], \"a\": \"\xC3\xA9\\u0000\"}");
	dal_buffer_clear(&out);
	assert_int_equal(dal_document_format(dal_slice_text(" null "), 2, true, &out, NULL), 0);
	assert_slice(dal_buffer_slice(&out), "null");
	dal_buffer_clear(&out);
	json = dal_slice_text(
		"{\"b\":{\"z\":{},\"a b\":[]},\"aa\":true,\"a\":[{\"x\":\"\\n\"},-0.0]}");
	assert_int_equal(dal_document_format(json, 1, true, &out, NULL), 0);
	assert_slice(dal_buffer_slice(&out),
		     "{\n \"a\": [\n  {\n   \"x\": \"\\n\"\n  },\n  -0.0\n ],\n \"aa\": true,\n"
		     " \"b\": {\n  \"a b\": [],\n  \"z\": {}\n }\n}");
	dal_buffer_deinit(&out);
}

static void mistakes_have_line_and_column(void **state)
{
	(void)state;
	struct dal_buffer out = {0};
	struct dal_error error;
	assert_int_equal(dal_document_format(dal_slice_text("{\n \"a\": 1,\n \"a\": 2}"), 2, true,
					     &out, &error),
			 DAL_DOCUMENT_INVALID);
	assert_string_equal(error.text, "not valid JSON: duplicate key (line 3, column 2)");
	assert_int_equal(error.line, 3);
	assert_int_equal(error.column, 2);
	assert_int_equal(out.size, 0);
	dal_buffer_deinit(&out);
}

static void values_are_compared(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool equal;
	} cases[] = {
		{"{\"a\":1,\"b\":[2]}", " {\"b\" : [2], \"a\" : 1}", true},
		{"\"\\u0061\"", "\"a\"", true},
		{"1", "1.0", false},
		{"[1,2]", "[2,1]", false},
		{"{\"a\":null}", "{}", false},
		{"1e2", "100.0", true},
		{"{", "{", false},
		{"1", "", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(dal_document_equal(dal_slice_text(cases[i].a),
						    dal_slice_text(cases[i].b)),
				 cases[i].equal);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_are_laid_out),
		cmocka_unit_test(mistakes_have_line_and_column),
		cmocka_unit_test(values_are_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
