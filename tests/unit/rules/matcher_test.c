/* In this order: cmocka.h wants them before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "engine/base/memory.h"
#include "rules/matcher.h"

static struct dal_pattern *parse(const char *text)
{
	struct dal_pattern *pattern = NULL;
	assert_int_equal(dal_pattern_parse(dal_slice_text(text), 0, &pattern, NULL), 0);
	return pattern;
}

static size_t match(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
		    struct dal_json *json, const char *event, const uint32_t **ids)
{
	assert_int_equal(dal_json_parse(json, dal_slice_text(event), 0, NULL), 0);
	return dal_matcher_match(matcher, scratch, json, DAL_JSON_ROOT, ids);
}

static void holds_nothing(void **state)
{
	(void)state;
	const uint32_t *ids;
	const struct dal_pattern *const none[] = {NULL, NULL};
	for (size_t count = 0; count <= 2; count++) {
		struct dal_matcher *matcher = dal_matcher_new(none, count);
		struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
		struct dal_json *json = dal_json_new();
		assert_int_equal(match(matcher, scratch, json, "{\"a\":1}", &ids), 0);
		dal_json_free(json);
		dal_matcher_scratch_free(scratch);
		dal_matcher_free(matcher);
	}
	dal_matcher_free(NULL);
	dal_matcher_scratch_free(NULL);
}

static void gives_ids_in_order_and_skips_missing_patterns(void **state)
{
	(void)state;
	const uint32_t *ids;
	struct dal_pattern *patterns[] = {parse("{\"b\":[{\"exists\":false}]}"),
					  NULL,
					  parse("{\"a\":[\"x\"]}"),
					  parse("{\"a\":[{\"prefix\":\"\"}]}"),
					  parse("{\"a\":[\"y\"]}"),
					  NULL};
	struct dal_matcher *matcher = dal_matcher_new((const struct dal_pattern *const *)patterns,
						      6);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	struct dal_json *json = dal_json_new();
	assert_int_equal(match(matcher, scratch, json, "{\"a\":\"x\"}", &ids), 3);
	assert_int_equal(ids[0], 0);
	assert_int_equal(ids[1], 2);
	assert_int_equal(ids[2], 3);
	/* Nothing of the last event is left. */
	assert_int_equal(match(matcher, scratch, json, "{\"b\":1}", &ids), 0);
	assert_int_equal(match(matcher, scratch, json, "{\"b\":1,\"a\":\"y\"}", &ids), 2);
	assert_int_equal(ids[0], 3);
	assert_int_equal(ids[1], 4);
	dal_json_free(json);
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
	for (size_t i = 0; i < 6; i++) {
		dal_pattern_free(patterns[i]);
	}
}

static void matches_an_object_inside_a_document(void **state)
{
	(void)state;
	const uint32_t *ids;
	struct dal_pattern *pattern = parse("{\"a\":[1],\"b\":[{\"exists\":false}]}");
	const struct dal_pattern *const one[] = {pattern};
	struct dal_matcher *matcher = dal_matcher_new(one, 1);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	struct dal_json *json = dal_json_new();
	const char *batch = "[{\"a\":2},{\"a\":1},{\"a\":1,\"b\":2}]";
	assert_int_equal(dal_json_parse(json, dal_slice_text(batch), 0, NULL), 0);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t event = dal_json_at(json, DAL_JSON_ROOT, i);
		assert_int_equal(dal_matcher_match(matcher, scratch, json, event, &ids), i == 1);
	}
	dal_json_free(json);
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
	dal_pattern_free(pattern);
}

/* Neighbours that other engines confuse: many rules on one field, of every kind. */
static void keeps_neighbours_apart(void **state)
{
	(void)state;
	static const char *const forms[] = {
		"{\"a\":[\"k%03d\"]}",
		"{\"a\":[{\"prefix\":\"k%03d\"}]}",
		"{\"a\":[{\"suffix\":\"%03d\"}]}",
		"{\"a\":[{\"wildcard\":\"k*%03d\"}]}",
		"{\"a\":[{\"wildcard\":\"*k%03d*\"}]}",
		"{\"a\":[{\"wildcard\":\"*%03d*k*\"}]}",
		"{\"a\":[{\"equals-ignore-case\":\"K%03d\"}]}",
		"{\"a\":[{\"anything-but\":\"k%03d\"}]}",
		"{\"n\":[{\"numeric\":[\">\",%d,\"<\",500]}]}",
		"{\"n\":[%d]}",
	};
	enum { FORMS = sizeof(forms) / sizeof(forms[0]), EACH = 400 };
	struct dal_pattern **patterns = dal_calloc(FORMS * EACH, sizeof(*patterns));
	struct dal_json *json = dal_json_new();
	for (int i = 0; i < FORMS * EACH; i++) {
		char text[128];
		snprintf(text, sizeof(text), forms[i % FORMS], i / FORMS);
		patterns[i] = parse(text);
	}
	struct dal_matcher *matcher = dal_matcher_new((const struct dal_pattern *const *)patterns,
						      FORMS * EACH);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	for (int i = 0; i < EACH; i += 7) {
		char event[128];
		const uint32_t *ids;
		snprintf(event, sizeof(event), "{\"a\":[\"k%03d\",\"K%03dxk\"],\"n\":%d}", i, i / 2,
			 i);
		size_t left = match(matcher, scratch, json, event, &ids);
		assert_true(left > 400);
		for (uint32_t j = 0; j < FORMS * EACH; j++) {
			bool matched = left > 0 && *ids == j;
			assert_int_equal(matched,
					 dal_pattern_test(patterns[j], json, DAL_JSON_ROOT));
			ids += matched;
			left -= matched;
		}
		assert_int_equal(left, 0);
	}
	dal_json_free(json);
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
	for (int i = 0; i < FORMS * EACH; i++) {
		dal_pattern_free(patterns[i]);
	}
	free(patterns);
}

/* So many pieces in one value that their places are not kept. */
static void tries_wildcards_one_by_one_on_long_values(void **state)
{
	(void)state;
	enum { COUNT = 60, SIZE = 100000 };
	struct dal_pattern *patterns[COUNT];
	struct dal_buffer text = {0};
	const uint32_t *ids;
	for (int i = 0; i < COUNT; i++) {
		dal_buffer_clear(&text);
		dal_buffer_text(&text, "{\"a\":[{\"wildcard\":\"*");
		for (int j = 0; j <= i; j++) {
			dal_buffer_byte(&text, 'a');
		}
		dal_buffer_text(&text, i % 2 ? "*b*\"}]}" : "*a*\"}]}");
		patterns[i] = parse(dal_buffer_cstr(&text));
	}
	dal_buffer_clear(&text);
	dal_buffer_text(&text, "{\"a\":\"");
	memset(dal_buffer_reserve(&text, SIZE), 'a', SIZE);
	text.size += SIZE;
	dal_buffer_text(&text, "\"}");
	struct dal_matcher *matcher = dal_matcher_new((const struct dal_pattern *const *)patterns,
						      COUNT);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	struct dal_json *json = dal_json_new();
	assert_int_equal(match(matcher, scratch, json, dal_buffer_cstr(&text), &ids), COUNT / 2);
	for (uint32_t i = 0; i < COUNT / 2; i++) {
		assert_int_equal(ids[i], 2 * i);
	}
	/* And the next value is searched as usual again. */
	assert_int_equal(match(matcher, scratch, json, "{\"a\":\"aaab\"}", &ids), 2);
	dal_json_free(json);
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
	dal_buffer_deinit(&text);
	for (int i = 0; i < COUNT; i++) {
		dal_pattern_free(patterns[i]);
	}
}

/* One pattern of each way to be found, at a place in `text` that differs. */
static const char *const forms[] = {
	"{\"a\":[\"x%d\"]}",
	"{\"a\":[%d]}",
	"{\"a\":[{\"prefix\":\"x%d\"}]}",
	"{\"a\":[{\"suffix\":\"%d\"}]}",
	"{\"a\":[{\"equals-ignore-case\":\"X%d\"}]}",
	"{\"a\":[{\"prefix\":{\"equals-ignore-case\":\"X%d\"}}]}",
	"{\"a\":[{\"wildcard\":\"*%d*\"}]}",
	"{\"a\":[{\"regexp\":\"[xyz]%d\"}]}",
	"{\"a\":[{\"numeric\":[\">\",%d]}]}",
	"{\"a\":[{\"anything-but\":[\"x%d\"]}]}",
	"{\"a\":[{\"cidr\":\"10.0.0.%d/32\"}]}",
	"{\"a\":[{\"after\":\"2026-01-01T00:00:%02dZ\"}]}",
	"{\"a\":[{\"all-of\":[\"x%d\",{\"prefix\":\"x\"}]}]}",
	"{\"b\":[{\"exists\":false}],\"c\":[%d]}",
	"{\"$or\":[{\"a\":[\"x%d\"]},{\"c\":[7]}]}",
	"{\"d\":{\"a\":[\"x%d\"],\"c\":[1]}}",
};

enum { FORM_COUNT = sizeof(forms) / sizeof(forms[0]), OF_EACH = 20 };

static void make_forms(struct dal_pattern **patterns)
{
	char text[128];
	for (int i = 0; i < FORM_COUNT * OF_EACH; i++) {
		snprintf(text, sizeof(text), forms[i % FORM_COUNT], 10 + i / FORM_COUNT);
		patterns[i] = parse(text);
	}
}

static const char *const form_events[] = {
	"{\"a\":\"x12\"}",
	"{\"a\":15.0,\"c\":12}",
	"{\"a\":[\"X13\",16]}",
	"{\"a\":\"10.0.0.14\",\"b\":1,\"c\":14}",
	"{\"a\":\"yy1122\",\"c\":7}",
	"{\"a\":\"2026-01-01T00:00:15Z\"}",
	"{\"d\":[{\"a\":\"x11\"},{\"c\":1},{\"a\":\"x12\",\"c\":1}]}",
	/* More values than are asked without a look at those before. */
	"{\"a\":[\"x12\",\"x12\",13,\"x12\",13.0,null,null,\"X14\",\"x12\",\"yy15\",\"x"
	"12\",13,\"x16\",\"x16\",\"10.0.0.17\",\"y18\",\"y18\",\"2026-01-01T00:00:19Z\""
	",1e1,[\"x20\",[\"x21\"]]],\"c\":12}",
	"{\"d\":[{\"a\":\"x10\"},{\"a\":\"x10\"},{\"a\":\"x11\"},{\"a\":\"x10\"},{\"a\""
	":\"x12\"},{\"a\":\"x13\"},{\"a\":\"x14\"},{\"a\":\"x15\"},{\"a\":\"x10\"},{\"a"
	"\":\"x10\",\"c\":2},{\"a\":\"x10\",\"c\":1}],\"a\":[\"x10\",\"x10\",\"x10\",\""
	"x10\",\"x10\",\"x10\",\"x10\",\"x10\",\"x10\",\"x10\",\"x11\"]}",
};

enum { FORM_EVENTS = sizeof(form_events) / sizeof(form_events[0]) };

/* What is there answers, what was taken out does not, in whatever order both happen. */
static void follows_every_change(void **state)
{
	(void)state;
	struct dal_pattern *patterns[FORM_COUNT * OF_EACH];
	bool there[FORM_COUNT * OF_EACH] = {false};
	struct dal_json *json = dal_json_new();
	struct dal_matcher *matcher = dal_matcher_new(NULL, 0);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	uint32_t random = 1;
	size_t matched = 0;
	make_forms(patterns);
	for (int turn = 0; turn < 3000; turn++) {
		random = random * 1664525 + 1013904223;
		uint32_t at = (random >> 8) % (FORM_COUNT * OF_EACH);
		if (there[at]) {
			dal_matcher_remove(matcher, at);
		} else {
			dal_matcher_add(matcher, at, patterns[at]);
		}
		there[at] = !there[at];
		const uint32_t *ids;
		size_t left = match(matcher, scratch, json, form_events[turn % FORM_EVENTS], &ids);
		for (uint32_t i = 0; i < FORM_COUNT * OF_EACH; i++) {
			bool found = left > 0 && *ids == i;
			assert_int_equal(found, there[i] && dal_pattern_test(patterns[i], json,
									     DAL_JSON_ROOT));
			ids += found;
			left -= found;
			matched += found;
		}
		assert_int_equal(left, 0);
	}
	assert_true(matched > 10000);
	for (uint32_t i = 0; i < FORM_COUNT * OF_EACH; i++) {
		if (there[i]) {
			dal_matcher_remove(matcher, i);
		}
	}
	const uint32_t *ids;
	for (int i = 0; i < FORM_EVENTS; i++) {
		assert_int_equal(match(matcher, scratch, json, form_events[i], &ids), 0);
	}
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
	dal_json_free(json);
	for (int i = 0; i < FORM_COUNT * OF_EACH; i++) {
		dal_pattern_free(patterns[i]);
	}
}

struct reading {
	const struct dal_matcher *matcher;
	size_t counts[FORM_EVENTS];
};

static void *read_matcher(void *own)
{
	struct reading *reading = own;
	struct dal_json *json = dal_json_new();
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(reading->matcher);
	for (int turn = 0; turn < 50; turn++) {
		for (int i = 0; i < FORM_EVENTS; i++) {
			const uint32_t *ids;
			dal_json_parse(json, dal_slice_text(form_events[i]), 0, NULL);
			reading->counts[i] = dal_matcher_match(reading->matcher, scratch, json,
							       DAL_JSON_ROOT, &ids);
		}
	}
	dal_matcher_scratch_free(scratch);
	dal_json_free(json);
	return NULL;
}

static void is_read_by_many_threads(void **state)
{
	(void)state;
	enum { THREADS = 4 };
	struct dal_pattern *patterns[FORM_COUNT * OF_EACH];
	struct reading readings[THREADS];
	pthread_t threads[THREADS];
	make_forms(patterns);
	struct dal_matcher *matcher = dal_matcher_new((const struct dal_pattern *const *)patterns,
						      FORM_COUNT * OF_EACH);
	for (int i = 0; i < THREADS; i++) {
		readings[i] = (struct reading){.matcher = matcher};
		assert_int_equal(pthread_create(&threads[i], NULL, read_matcher, &readings[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(readings[i].counts[0] > 0);
		assert_memory_equal(readings[i].counts, readings[0].counts,
				    sizeof(readings[i].counts));
	}
	dal_matcher_free(matcher);
	for (int i = 0; i < FORM_COUNT * OF_EACH; i++) {
		dal_pattern_free(patterns[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_nothing),
		cmocka_unit_test(gives_ids_in_order_and_skips_missing_patterns),
		cmocka_unit_test(matches_an_object_inside_a_document),
		cmocka_unit_test(keeps_neighbours_apart),
		cmocka_unit_test(tries_wildcards_one_by_one_on_long_values),
		cmocka_unit_test(follows_every_change),
		cmocka_unit_test(is_read_by_many_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
