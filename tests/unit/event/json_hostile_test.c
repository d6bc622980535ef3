#include "tests/unit/event/check.h"

#include <stdlib.h>

#include "engine/base/limits.h"
#include "engine/event/event.h"
#include "tests/cases/tape.h"

static const char document[] =
	"{\"specversion\":\"1.0\",\"id\":\"5f0c\\u00e9\",\"source\":\"/shop\","
	"\"type\":\"order.placed\",\"data\":{\"total\":129.95e0,"
	"\"items\":[{\"sku\":\"A\\\"17\",\"count\":-2},{\"sku\":null}],\"paid\":true,"
	"\"emoji\":\"\\ud83d\\ude00\xF0\x9F\x98\x80\",\"free\":false,\"n\":[[],{}]}}";

/* Every byte of the tape is asked for, so that a sanitizer sees what should not be. */
static void use(const struct dal_json *json)
{
	struct dal_buffer out = {0};
	struct dal_event event;
	dal_tape_write(json, DAL_JSON_ROOT, &out);
	dal_event_read(&event, json, NULL);
	dal_buffer_deinit(&out);
}

/* In memory of its exact size. */
static int parse_exact(struct dal_json *json, const char *text, size_t size, int flags)
{
	char *exact = malloc(size + 1);
	memcpy(exact, text, size);
	struct dal_json_error error = {0};
	int result = dal_json_parse(json, dal_slice(exact, size), flags, &error);
	free(exact);
	assert_true(result == 0 || (error.reason && error.position <= size));
	return result;
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	for (size_t size = 0; size < sizeof(document) - 1; size++) {
		assert_int_equal(parse_exact(json, document, size, 0), DAL_JSON_INVALID);
	}
	assert_int_equal(parse_exact(json, document, sizeof(document) - 1, 0), 0);
	dal_json_free(json);
}

/* Flags in turn. What comes of it depends on the byte; nothing may be read that is not there. */
static void every_changed_byte_is_survived(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	char text[sizeof(document)];
	size_t taken = 0;
	for (size_t at = 0; at < sizeof(document) - 1; at++) {
		for (int byte = 0; byte < 256; byte++) {
			memcpy(text, document, sizeof(document));
			text[at] = (char)byte;
			int flags = byte % 3 == 0   ? DAL_JSON_TRUSTED
				    : byte % 3 == 1 ? DAL_JSON_LAST_WINS
						    : 0;
			if (parse_exact(json, text, sizeof(document) - 1, flags) == 0) {
				use(json);
				taken++;
			}
		}
	}
	assert_in_range(taken, sizeof(document), sizeof(document) * 256);
	dal_json_free(json);
}

static void put_keys(struct dal_buffer *out, size_t count)
{
	dal_buffer_byte(out, '{');
	for (size_t i = 0; i < count; i++) {
		/* Keys that agree in size, first and last bytes. */
		dal_buffer_printf(out, "%s\"same-start-%08zu-same-end\":%zu", i ? "," : "", i, i);
	}
}

static void many_keys_are_not_quadratic(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	struct dal_buffer text = {0};
	put_keys(&text, 65536);
	dal_buffer_byte(&text, '}');
	for (int i = 0; i < 10; i++) {
		assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
	}
	assert_int_equal(dal_json_count(json, 0), 65536);
	size_t end = --text.size;
	dal_buffer_text(&text, ",\"same-start-00000000-same-end\":0}");
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, &error),
			 DAL_JSON_INVALID);
	assert_string_equal(error.reason, "duplicate key");
	assert_int_equal(error.position, end + 1);
	dal_buffer_deinit(&text);
	dal_json_free(json);
}

/* So many that their hashes are the quick ones, which are all the same. */
static void few_keys_may_share_their_hash(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	struct dal_buffer text = {0};
	put_keys(&text, 100);
	size_t end = text.size;
	dal_buffer_byte(&text, '}');
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
	text.size = end;
	dal_buffer_text(&text, ",\"same-start-00000042-same-end\":0}");
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, &error),
			 DAL_JSON_INVALID);
	assert_int_equal(error.position, end + 1);
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), DAL_JSON_LAST_WINS, NULL),
			 0);
	assert_int_equal(dal_json_count(json, 0), 100);
	uint32_t last = dal_json_find(json, 0, dal_slice_text("same-start-00000042-same-end"));
	assert_int_equal(dal_json_integer(json, last), 0);
	dal_buffer_deinit(&text);
	dal_json_free(json);
}

static void many_repeated_keys_leave_one(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_buffer text = {0};
	dal_buffer_byte(&text, '{');
	for (int i = 0; i < 65536; i++) {
		dal_buffer_printf(&text, "\"\\u0061\":{\"b\":%d,\"b\":[%d]},", i, i);
	}
	dal_buffer_text(&text, "\"z\":0}");
	assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), DAL_JSON_LAST_WINS, NULL),
			 0);
	assert_int_equal(json->count, 8);
	dal_buffer_clear(&text);
	dal_tape_write(json, DAL_JSON_ROOT, &text);
	assert_slice(dal_buffer_slice(&text), "{\"a\":{\"b\":[65535]},\"z\":0}");
	dal_buffer_deinit(&text);
	dal_json_free(json);
}

static void too_large_is_refused_unread(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	struct dal_slice text = dal_slice("[",
					  DAL_LIMIT_JSON_BYTES + 1); /* not that many are there */
	assert_int_equal(dal_json_parse(json, text, 0, &error), DAL_JSON_INVALID);
	assert_int_equal(error.position, DAL_LIMIT_JSON_BYTES);
	assert_string_equal(error.reason, "text too large");
	dal_json_free(json);
}

static void a_parser_serves_small_after_giant(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_buffer text = {0};
	dal_buffer_text(&text, "[0");
	while (text.size < 6 * DAL_MIB) {
		dal_buffer_text(&text, ",\"\\n\"");
	}
	dal_buffer_byte(&text, ']');
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
		assert_slice(dal_json_string(json, json->count - 1), "\n");
		assert_int_equal(dal_json_parse(json, dal_slice_text("[\"\\t\"]"), 0, NULL), 0);
		assert_slice(dal_json_string(json, 1), "\t");
	}
	dal_buffer_deinit(&text);
	dal_json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(every_changed_byte_is_survived),
		cmocka_unit_test(many_keys_are_not_quadratic),
		cmocka_unit_test(few_keys_may_share_their_hash),
		cmocka_unit_test(many_repeated_keys_leave_one),
		cmocka_unit_test(too_large_is_refused_unread),
		cmocka_unit_test(a_parser_serves_small_after_giant),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
