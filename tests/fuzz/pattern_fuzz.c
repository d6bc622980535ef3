/*
 * Patterns, a line each, and behind an empty line an event: one matcher of them all says what each
 * says alone, and what explain says; what was printed reads back as the same.
 */
#include "engine/base/error.h"
#include "rules/matcher.h"

enum { PATTERNS = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static void check_event(struct dal_pattern *const *patterns, size_t count,
			const struct dal_json *json)
{
	const uint32_t *ids;
	struct dal_matcher *matcher = dal_matcher_new((const struct dal_pattern *const *)patterns,
						      count);
	struct dal_matcher_scratch *scratch = dal_matcher_scratch_new(matcher);
	for (int again = 0; again < 2; again++) {
		size_t left = dal_matcher_match(matcher, scratch, json, DAL_JSON_ROOT, &ids);
		for (size_t i = 0; i < count; i++) {
			bool matched = left > 0 && *ids == i;
			if (matched) {
				ids++;
				left--;
			}
			DAL_ASSERT(matched == dal_pattern_test(patterns[i], json, DAL_JSON_ROOT));
			check_explain(patterns[i], json, matched);
		}
		DAL_ASSERT(left == 0);
	}
	dal_matcher_scratch_free(scratch);
	dal_matcher_free(matcher);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dal_slice line, rest = dal_slice(data, size);
	struct dal_pattern *patterns[PATTERNS];
	struct dal_json *json = dal_json_new();
	size_t count = 0;

	while (dal_slice_cut(rest, '\n', &line, &rest) && line.size > 0) {
		struct dal_error error;
		if (count < PATTERNS && dal_pattern_parse(line, 0, &patterns[count], &error) == 0) {
			check_print(patterns[count++]);
		}
	}
	if (dal_json_parse(json, rest, DAL_JSON_LAST_WINS, NULL) == 0 &&
	    dal_json_kind(json, DAL_JSON_ROOT) == DAL_JSON_OBJECT) {
		check_event(patterns, count, json);
	}
	for (size_t i = 0; i < count; i++) {
		dal_pattern_free(patterns[i]);
	}
	dal_json_free(json);
	return 0;
}
