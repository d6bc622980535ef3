/*
 * Random documents: written by a generator of its own, with random space and escapes, they must
 * come through reader and writer unchanged. The seed is fixed: a failure is the same on each
 * machine.
 */
#include "tests/unit/event/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/event/document.h"
#include "engine/event/json_write.h"
#include "tests/cases/tape.h"

static uint64_t seed = 42;

static uint32_t random_below(uint32_t limit)
{
	seed ^= seed << 13; /* xorshift64 */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % limit;
}

/* Two texts of one value: `loose` as people may write it, `tight` as our writer must. */
struct texts {
	struct dal_buffer loose, tight;
};

static void both(struct texts *texts, const char *text)
{
	dal_buffer_text(&texts->loose, text);
	dal_buffer_text(&texts->tight, text);
}

static void space(struct texts *texts)
{
	static const char spaces[] = {' ', '\n', '\t', '\r'};
	for (uint32_t i = random_below(3); i > 0; i--) {
		dal_buffer_byte(&texts->loose, spaces[random_below(4)]);
	}
}

static void put_character(struct texts *texts)
{
	static const struct {
		const char *loose, *tight;
	} some[] = {
		{"a", "a"},
		{"\\u0062", "b"},
		{"\\/", "/"},
		{"\\\"", "\\\""},
		{"\\\\", "\\\\"},
		{"\\n", "\\n"},
		{"\\u0000", "\\u0000"},
		{"\\u000A", "\\n"},
		{"\\u00e9", "\xC3\xA9"},
		{"\xC3\xA9", "\xC3\xA9"},
		{"\\ud83d\\ude00", "\xF0\x9F\x98\x80"},
		{"\xE2\x82\xAC", "\xE2\x82\xAC"},
		{"{", "{"},
		{"\\u005d", "]"},
		{" ", " "},
		{":,", ":,"},
	};
	uint32_t which = random_below(sizeof(some) / sizeof(*some));
	dal_buffer_text(&texts->loose, some[which].loose);
	dal_buffer_text(&texts->tight, some[which].tight);
}

static void put_string(struct texts *texts)
{
	both(texts, "\"");
	for (uint32_t i = random_below(random_below(8) == 0 ? 100 : 12); i > 0; i--) {
		put_character(texts);
	}
	both(texts, "\"");
}

/* Keys differ by a number in front. */
static void put_key(struct texts *texts, uint32_t number)
{
	char digits[16];
	snprintf(digits, sizeof(digits), "\"%u", number);
	both(texts, digits);
	for (uint32_t i = random_below(3); i > 0; i--) {
		dal_buffer_text(&texts->loose, "\\u006b");
		dal_buffer_text(&texts->tight, "k");
	}
	both(texts, "-\"");
}

static void put_number(struct texts *texts)
{
	char text[32];
	snprintf(text, sizeof(text), "%d", (int)random_below(1u << 31) - (1 << 30));
	both(texts, text);
	if (random_below(2)) {
		both(texts, ".5");
	}
}

static void put_value(struct texts *texts, int depth);

static void put_container(struct texts *texts, int depth, bool object)
{
	uint32_t count = random_below(random_below(10) == 0 ? 40 : 5);
	both(texts, object ? "{" : "[");
	space(texts);
	for (uint32_t i = 0; i < count; i++) {
		both(texts, i ? "," : "");
		space(texts);
		if (object) {
			put_key(texts, i);
			space(texts);
			both(texts, ":");
		}
		put_value(texts, depth + 1);
	}
	both(texts, object ? "}" : "]");
}

static void put_value(struct texts *texts, int depth)
{
	static const char *const words[] = {"true", "false", "null"};
	space(texts);
	uint32_t kind = random_below(depth < 6 ? 8 : 4);
	if (kind >= 4) {
		put_container(texts, depth, kind & 1);
	} else if (kind == 0) {
		both(texts, words[random_below(3)]);
	} else if (kind == 1) {
		put_number(texts);
	} else {
		put_string(texts);
	}
	space(texts);
}

static void documents_come_back(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct texts texts = {0};
	struct dal_buffer got = {0};
	for (int i = 0; i < 3000; i++) {
		dal_buffer_clear(&texts.loose);
		dal_buffer_clear(&texts.tight);
		dal_buffer_clear(&got);
		put_value(&texts, 0);
		int flags = i % 2 ? DAL_JSON_TRUSTED : 0;
		assert_int_equal(dal_json_parse(json, dal_buffer_slice(&texts.loose), flags, NULL),
				 0);
		dal_tape_write(json, DAL_JSON_ROOT, &got);
		assert_slice(dal_buffer_slice(&got), dal_buffer_cstr(&texts.tight));
		if (i % 10 == 0) {
			assert_true(dal_document_equal(dal_buffer_slice(&texts.loose),
						       dal_buffer_slice(&texts.tight)));
		}
	}
	dal_buffer_deinit(&texts.loose);
	dal_buffer_deinit(&texts.tight);
	dal_buffer_deinit(&got);
	dal_json_free(json);
}

static double random_double(void)
{
	double value;
	do {
		uint64_t bits = (uint64_t)random_below(UINT32_MAX) << 32 | random_below(UINT32_MAX);
		memcpy(&value, &bits, sizeof(value));
	} while (!isfinite(value));
	return value;
}

/* The text reads back as the same bits, here and by the C library. */
static void doubles_come_back(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_buffer text = {0};
	for (int i = 0; i < 20000; i++) {
		double value = i % 4 ? random_double() : (double)random_below(100000) / 100;
		dal_buffer_clear(&text);
		dal_json_append_double(&text, value);
		assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
		assert_int_equal(dal_json_kind(json, 0), DAL_JSON_FLOAT);
		double back = dal_json_double(json, 0);
		assert_memory_equal(&back, &value, sizeof(value));
		assert_true(strtod(dal_buffer_cstr(&text), NULL) == value);
	}
	dal_buffer_deinit(&text);
	dal_json_free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documents_come_back),
		cmocka_unit_test(doubles_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
