/*
 * Patterns, a line each, and behind an empty line an event: one matcher of them all, and of half of
 * them, says what each says alone, and what explain says; what was printed reads back as the same.
 */
#include "engine/base/error.h"
#include "engine/event/json_select.h"
#include "rules/matcher.h"

enum { PATTERNS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Patterns, an event, and what each says alone. */
struct asked {
	const struct dal_pattern *const *patterns;
	size_t count;
	struct dal_slice text; /* with padding behind it */
	struct dal_json *json;
	bool unique; /* no name stands twice: only then a selected tape says the same */
	bool holds[PATTERNS];
};

static void check_print(const struct dal_pattern *pattern)
{
	struct dal_buffer text = {0}, again = {0};
	struct dal_pattern *copy;
	struct dal_error error;
	dal_pattern_print(pattern, &text);
	int r = dal_pattern_parse(dal_buffer_slice(&text), DAL_PATTERN_LITERAL_DOTS, &copy, &error);
	DAL_ASSERT(r == 0);
	dal_pattern_print(copy, &again);
	DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&text), dal_buffer_slice(&again)));
	dal_pattern_free(copy);
	dal_buffer_deinit(&text);
	dal_buffer_deinit(&again);
}

static void check_explain(const struct dal_pattern *pattern, const struct dal_json *json,
			  bool holds)
{
	struct dal_pattern_miss miss = {0};
	DAL_ASSERT(dal_pattern_explain(pattern, json, DAL_JSON_ROOT, &miss) == holds);
	DAL_ASSERT((miss.expected.size > 0) != holds);
	dal_pattern_miss_deinit(&miss);
}

/* Of a matcher with the patterns whose number is a multiple of `step`. */
static void check_ids(const struct asked *asked, size_t step, const uint32_t *ids, size_t left)
{
	for (size_t i = 0; i < asked->count; i++) {
		bool matched = left > 0 && *ids == i;
		if (matched) {
			ids++;
			left--;
		}
		DAL_ASSERT(matched == (asked->holds[i] && i % step == 0));
	}
	DAL_ASSERT(left == 0);
}

/* From a full tape, twice, and from the text as it is. */
static void check_matcher(const struct asked *asked, const struct dal_matcher *matcher,
			  struct dal_matcher_scratch *scratch, size_t step)
{
	const uint32_t *ids;
	size_t left;
	struct dal_json *selected = dal_json_new();
	for (int again = 0; again < 2; again++) {
		left = dal_matcher_match(matcher, scratch, asked->json, DAL_JSON_ROOT, &ids);
		check_ids(asked, step, ids, left);
	}
	if (asked->unique) {
		DAL_ASSERT(dal_matcher_scan(matcher, scratch, selected, asked->text, &ids, &left) ==
			   0);
		check_ids(asked, step, ids, left);
	}
	dal_json_free(selected);
}

static void check_event(const struct asked *asked)
{
	struct dal_matcher *matcher = dal_matcher_new(asked->patterns, asked->count);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	for (size_t i = 0; i < asked->count; i++) {
		check_explain(asked->patterns[i], asked->json, asked->holds[i]);
	}
	check_matcher(asked, matcher, scratch, 1);
	for (uint32_t i = 1; i < asked->count; i += 2) {
		dal_matcher_remove(matcher, i);
	}
	check_matcher(asked, matcher, scratch, 2);
	for (uint32_t i = 1; i < asked->count; i += 2) {
		dal_matcher_add(matcher, i, asked->patterns[i]);
	}
	check_matcher(asked, matcher, scratch, 1);
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
}

static void ask(const struct dal_pattern *const *patterns, size_t count, struct dal_slice text)
{
	struct asked asked = {.patterns = patterns, .count = count, .json = dal_json_new()};
	struct dal_buffer padded = {0};
	dal_buffer_slice_append(&padded, text);
	dal_buffer_reserve(&padded, DAL_JSON_PADDING);
	asked.text = dal_buffer_slice(&padded);
	asked.unique = dal_json_parse(asked.json, text, 0, NULL) == 0;
	if (dal_json_parse(asked.json, text, DAL_JSON_LAST_WINS, NULL) == 0 &&
	    dal_json_kind(asked.json, DAL_JSON_ROOT) == DAL_JSON_OBJECT) {
		for (size_t i = 0; i < count; i++) {
			asked.holds[i] = dal_pattern_test(patterns[i], asked.json, DAL_JSON_ROOT);
		}
		check_event(&asked);
	}
	dal_buffer_deinit(&padded);
	dal_json_free(asked.json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dal_slice line, rest = dal_slice(data, size);
	struct dal_pattern *patterns[PATTERNS];
	size_t count = 0;

	while (dal_slice_cut(rest, '\n', &line, &rest) && line.size > 0) {
		struct dal_error error;
		if (count < PATTERNS && dal_pattern_parse(line, 0, &patterns[count], &error) == 0) {
			check_print(patterns[count++]);
		}
	}
	ask((const struct dal_pattern *const *)patterns, count, rest);
	for (size_t i = 0; i < count; i++) {
		dal_pattern_free(patterns[i]);
	}
	return 0;
}
