/* In this order: cmocka.h wants them before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "rules/analysis.h"

static struct dal_pattern *parse(const char *text)
{
	struct dal_pattern *pattern = NULL;
	struct dal_error error = {0};
	if (dal_pattern_parse(dal_slice_text(text), 0, &pattern, &error) != 0) {
		fail_msg("%s: %s", text, error.text);
	}
	return pattern;
}

struct impossible {
	const char *pattern;
	const char *field; /* NULL: it is possible */
	const char *why;   /* begins with */
};

static const struct impossible impossible[] = {
	/* Attributes are one text. */
	{"{'type':[5]}", "type", "is text in every event, and is compared with none"},
	{"{'source':[true,null,{'numeric':['>',1]}]}", "source", "is text in every event"},
	{"{'id':[{'exists':false}]}", "id", "is in every event, and must be missing"},
	{"{'type':[{'anything-but':{'wildcard':'*'}}]}", "type", "is text in every event"},
	{"{'type':['a',5]}", NULL, ""},
	{"{'type':[{'anything-but':[5]}]}", NULL, ""},
	{"{'subject':[{'exists':false}]}", NULL, ""},
	{"{'subject':[null]}", NULL, ""},
	{"{'subject':[5]}", "subject", "is text in every event, and is compared with none"},
	{"{'type':{'a':['b']}}", "type", "is text in every event, and has no fields"},
	{"{'type':{'a':[{'exists':false}]}}", NULL, ""},
	{"{'type':{'$or':[{'a':[1]},{'b':[2]}]}}", "type", "is text in every event, and has no"},
	/* Within one attribute, all must hold for the one text. */
	{"{'type':['a'],'$or':[{'type':['b']},{'type':['c']}]}", "type",
	 "is one text in every event, and none is both of [\"c\"] and [\"a\"]"},
	{"{'type':['a','b'],'$or':[{'type':['b']},{'type':['c']}]}", NULL, ""},
	{"{'type':[{'prefix':'a'}],'$or':[{'type':[{'prefix':'ba'}]}]}", "type", "is one text"},
	{"{'type':[{'prefix':'a'}],'$or':[{'type':[{'suffix':'b'}]}]}", NULL, ""},
	{"{'type':[{'suffix':'ab'}],'$or':[{'type':[{'wildcard':'a*c'}]}]}", "type", "is one"},
	{"{'type':[{'prefix':'A'}],'$or':[{'type':[{'equals-ignore-case':'abc'}]}]}", NULL, ""},
	{"{'type':[{'prefix':'B'}],'$or':[{'type':[{'equals-ignore-case':'abc'}]}]}", "type",
	 "is one"},
	{"{'type':['a'],'$or':[{'type':[{'anything-but':['a']}]}]}", "type", "is one text"},
	{"{'type':[{'prefix':'ab'}],'$or':[{'type':[{'anything-but':{'prefix':'a'}}]}]}", "type",
	 "is one text"},
	{"{'type':[{'prefix':'a'}],'$or':[{'type':[{'anything-but':{'prefix':'ab'}}]}]}", NULL, ""},
	{"{'type':['a','b'],'$or':[{'type':[{'anything-but':['a']}],'$or':[{'type':[{'anything-but'"
	 ":['b']}]}]}]}",
	 "type", "is one text in every event, and no text of its list"},
	{"{'type':['a1'],'$or':[{'type':[{'regexp':'[a-z]'}]}]}", "type", "is one text"},
	{"{'type':['a1'],'$or':[{'type':[{'regexp':'[a-z]1'}]}]}", NULL, ""},
	{"{'subject':['a'],'$or':[{'subject':[{'exists':false}]}]}", "subject",
	 "must have a value, and must have none"},
	{"{'subject':['a',{'exists':false}],'$or':[{'subject':['b',{'exists':false}]}]}", NULL, ""},
	{"{'subject':['a',null],'$or':[{'subject':['b',null]}]}", NULL, ""},
	{"{'type':[{'all-of':['a','b']}]}", "type", "is one text in every event, and none is both"},
	{"{'type':[{'all-of':['a',['a','b']]}]}", NULL, ""},
	{"{'type':[{'all-of':['a','b']},'c']}", NULL, ""},
	{"{'type':[{'all-of':['a','b']},'c'],'$or':[{'type':['c']}]}", NULL, ""},
	{"{'type':[{'all-of':['a','b']},'c'],'$or':[{'type':['a']}]}", "type", "is one text"},
	{"{'time':[{'all-of':[{'before':'2020-01-01T00:00:00Z'},{'after':'2021-01-01T00:00:00Z'}]}]"
	 "}",
	 "time", "is one text"},
	{"{'time':[{'all-of':[{'after':'2020-01-01T00:00:00Z'},{'before':'2021-01-01T00:00:00Z'}]}]"
	 "}",
	 NULL, ""},
	{"{'time':[{'before':'2020-01-01T00:00:00Z'},{'after':'2021-01-01T00:00:00Z'}]}", NULL, ""},
	/* Elsewhere an array may satisfy both. */
	{"{'data':{'a':['x'],'$or':[{'a':['y']}]}}", NULL, ""},
	{"{'data':{'a':[{'all-of':['x','y']}]}}", NULL, ""},
	{"{'data':{'type':[5]}}", NULL, ""},
	{"{'data':{'a':[{'exists':false}],'$or':[{'a':['y']}]}}", "data.a",
	 "must have a value, and must have none"},
	{"{'data':{'a':[{'exists':false}],'$or':[{'a':['y']},{'b':['y']}]}}", NULL, ""},
	{"{'data':{'a':[{'exists':false}],'$or':[{'a':{'b':['y']}}]}}", NULL, ""},
	{"{'data':{'a':[{'exists':false},1],'$or':[{'a':['y']}]}}", NULL, ""},
	{"{'$or':[{'type':[1]},{'data':{'a':[1]}}]}", NULL, ""},
	{"{'$or':[{'type':[1]},{'id':[1]}]}", "id", "is text in every event"},
	{"{'data':{'b':[1]},'$or':[{'type':[1]},{'$or':[{'id':[1]},{'id':[2]}]}]}", "id", "is te"},
};

static void write_quotes(const char *text, char *out, size_t size)
{
	size_t i = 0;
	for (; text[i] && i + 1 < size; i++) {
		out[i] = text[i] == '\'' ? '"' : text[i];
	}
	out[i] = '\0';
}

static struct dal_pattern *parse_single(const char *text)
{
	char quoted[1024];
	write_quotes(text, quoted, sizeof(quoted));
	return parse(quoted);
}

static void finds_contradictions(void **state)
{
	(void)state;
	struct dal_buffer field = {0}, why = {0};
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		const struct impossible *c = &impossible[i];
		struct dal_pattern *pattern = parse_single(c->pattern);
		bool is = dal_pattern_impossible(pattern, &field, &why);
		if (is != (c->field != NULL) ||
		    (is && (!dal_slice_is(dal_buffer_slice(&field), c->field) ||
			    !dal_slice_starts(dal_buffer_slice(&why), c->why)))) {
			fail_msg("%s: %d, %s %s", c->pattern, is, dal_buffer_cstr(&field),
				 dal_buffer_cstr(&why));
		}
		dal_pattern_free(pattern);
	}
	dal_buffer_deinit(&field);
	dal_buffer_deinit(&why);
}

enum relation { EQUAL, SAME, NARROWER, NEITHER };

/* Does the second cover the first? SAME: and the other way round, though they are not EQUAL. */
static const struct {
	const char *narrow, *wide;
	enum relation relation;
} pairs[] = {
	/* one list */
	{"{'a':['x']}", "{'a':['x','y']}", NARROWER},
	{"{'a':['x','z']}", "{'a':['x','y']}", NEITHER},
	{"{'a':['x','y']}", "{'a':['y','x','x']}", EQUAL},
	{"{'a':['xy']}", "{'a':[{'prefix':'x'}]}", NARROWER},
	{"{'a':[{'prefix':'xy'}]}", "{'a':[{'prefix':'x'}]}", NARROWER},
	{"{'a':[{'suffix':'xy'}]}", "{'a':[{'suffix':'y'}]}", NARROWER},
	{"{'a':[{'suffix':'xy'}]}", "{'a':[{'suffix':'x'}]}", NEITHER},
	{"{'a':['XY']}", "{'a':[{'equals-ignore-case':'xy'}]}", NARROWER},
	{"{'a':[{'equals-ignore-case':'XY'}]}", "{'a':[{'prefix':{'equals-ignore-case':'x'}}]}",
	 NARROWER},
	{"{'a':[{'prefix':'Xy'}]}", "{'a':[{'prefix':{'equals-ignore-case':'x'}}]}", NARROWER},
	{"{'a':[{'suffix':'xY'}]}", "{'a':[{'suffix':{'equals-ignore-case':'y'}}]}", NARROWER},
	{"{'a':[{'prefix':{'equals-ignore-case':'xy'}}]}",
	 "{'a':[{'prefix':{'equals-ignore-case':'x'}}]}", NARROWER},
	{"{'a':[{'prefix':{'equals-ignore-case':'xy'}}]}", "{'a':[{'prefix':'x'}]}", NEITHER},
	{"{'a':['axb']}", "{'a':[{'wildcard':'a*b'}]}", NARROWER},
	{"{'a':[{'wildcard':'ax*b'}]}", "{'a':[{'wildcard':'a*b'}]}", NARROWER},
	{"{'a':[{'wildcard':'a*x*b'}]}", "{'a':[{'wildcard':'a*b'}]}", NARROWER},
	{"{'a':[{'wildcard':'a*b'}]}", "{'a':[{'wildcard':'a*x*b'}]}", NEITHER},
	{"{'a':[{'wildcard':'a*b'}]}", "{'a':[{'prefix':'a'}]}", NARROWER},
	{"{'a':[{'wildcard':'a*b'}]}", "{'a':[{'suffix':'b'}]}", NARROWER},
	{"{'a':[{'prefix':'ab'}]}", "{'a':[{'wildcard':'a*'}]}", NARROWER},
	{"{'a':[{'suffix':'ab'}]}", "{'a':[{'wildcard':'*b'}]}", NARROWER},
	{"{'a':['b3']}", "{'a':[{'regexp':'[a-z][0-9]'}]}", NARROWER},
	{"{'a':[{'regexp':'[a-z]+'}]}", "{'a':[{'exists':true}]}", NARROWER},
	{"{'a':[{'regexp':'[a-z]+'}]}", "{'a':[{'regexp':'[a-z]*'}]}", NEITHER},
	{"{'a':[{'regexp':'[a-z]+'}]}", "{'a':[{'regexp':'[a-z]+'},'B']}", NARROWER},
	{"{'a':[300]}", "{'a':[3e2]}", EQUAL},
	{"{'a':[300]}", "{'a':['300']}", NEITHER},
	{"{'a':[5]}", "{'a':[{'numeric':['>',0]}]}", NARROWER},
	{"{'a':[{'numeric':['>',0,'<',5]}]}", "{'a':[{'numeric':['>=',0,'<=',5]}]}", NARROWER},
	{"{'a':[{'numeric':['>=',0,'<',5]}]}", "{'a':[{'numeric':['>',0]}]}", NEITHER},
	{"{'a':[{'numeric':['>',1]}]}", "{'a':[{'numeric':['>',0]}]}", NARROWER},
	{"{'a':[{'cidr':'10.1.0.0/16'}]}", "{'a':[{'cidr':'10.0.0.0/8'}]}", NARROWER},
	{"{'a':['10.1.2.3']}", "{'a':[{'cidr':'10.0.0.0/8'}]}", NARROWER},
	{"{'a':[{'cidr':'10.0.0.0/8'}]}", "{'a':[{'cidr':'::/0'}]}", NEITHER},
	{"{'a':[{'before':'2020-01-01T00:00:00Z'}]}", "{'a':[{'before':'2021-01-01T00:00:00Z'}]}",
	 NARROWER},
	{"{'a':[{'after':'2021-01-01T00:00:00Z'}]}", "{'a':[{'after':'2020-01-01T00:00:00Z'}]}",
	 NARROWER},
	{"{'a':['x']}", "{'a':[{'exists':true}]}", NARROWER},
	{"{'a':['x']}", "{'a':[{'anything-but':['y']}]}", NARROWER},
	{"{'a':['x']}", "{'a':[{'anything-but':['x']}]}", NEITHER},
	{"{'a':[{'prefix':'x'}]}", "{'a':[{'anything-but':['y']}]}", NARROWER},
	{"{'a':[{'prefix':'x'}]}", "{'a':[{'anything-but':['xy']}]}", NEITHER},
	{"{'a':[{'prefix':'x'}]}", "{'a':[{'anything-but':{'prefix':'y'}}]}", NARROWER},
	{"{'a':[{'anything-but':['x','y']}]}", "{'a':[{'anything-but':['x']}]}", NARROWER},
	{"{'a':[{'anything-but':{'prefix':'x'}}]}", "{'a':[{'anything-but':['xy']}]}", NARROWER},
	{"{'a':[{'numeric':['>',5]}]}", "{'a':[{'anything-but':[5,'x']}]}", NARROWER},
	{"{'a':[{'anything-but':['x']}]}", "{'a':[{'exists':true}]}", NARROWER},
	{"{'a':[{'exists':false}]}", "{'a':[{'exists':true}]}", NEITHER},
	{"{'a':[{'exists':false}]}", "{'a':[{'exists':false},'x']}", NARROWER},
	{"{'a':[{'exists':false}]}", "{'a':[{'anything-but':['x']}]}", NEITHER},
	/* all-of */
	{"{'a':[{'all-of':['x','y']}]}", "{'a':['x']}", NARROWER},
	{"{'a':[{'all-of':['x','y','z']}]}", "{'a':[{'all-of':['x','y']}]}", NARROWER},
	{"{'a':['xyz']}", "{'a':[{'all-of':[{'prefix':'x'},{'suffix':'z'}]}]}", NARROWER},
	{"{'a':['x','y']}", "{'a':[{'all-of':['x','y']}]}", NEITHER},
	/* fields */
	{"{'a':['x'],'b':[1]}", "{'a':['x']}", NARROWER},
	{"{'a':['x'],'b':[1]}", "{'b':[1],'a':['x']}", EQUAL},
	{"{'a':{'b':['x'],'c':[1]}}", "{'a':{'b':['x','y']}}", NARROWER},
	{"{'a':{'b':['x']}}", "{'a':['x']}", NEITHER},
	{"{'a':['x']}", "{'a':['x'],'b':[{'exists':true},{'exists':false}]}", SAME},
	{"{'a':['x']}", "{'a':['x'],'b':[{'exists':false}]}", NEITHER},
	{"{'data':{'a':['x']}}", "{'data':{'a':['x']},'type':[{'exists':true}]}", SAME},
	{"{'data':{'a':['x']}}", "{'data':{'a':['x'],'type':[{'exists':true}]}}", NEITHER},
	/* $or: both in one object, or from each alternative */
	{"{'a':['x']}", "{'$or':[{'a':['x']},{'b':['x']}]}", NARROWER},
	{"{'a':['x'],'c':[1]}", "{'$or':[{'a':['x']},{'b':['x']}],'c':[1]}", NARROWER},
	{"{'$or':[{'a':['x']},{'a':['y']}]}", "{'a':['x','y','z']}", NARROWER},
	{"{'$or':[{'a':['x']},{'b':['y']}]}", "{'a':['x','y','z']}", NEITHER},
	{"{'$or':[{'a':['x']},{'b':['y']}]}", "{'$or':[{'b':['y']},{'a':['x']}]}", EQUAL},
	{"{'$or':[{'a':['x']},{'b':['y']}]}", "{'$or':[{'c':[1]},{'b':['y']},{'a':['x']}]}",
	 NARROWER},
	{"{'$or':[{'a':['x'],'c':[1]},{'b':['y'],'c':[1]}]}", "{'c':[1,2]}", NARROWER},
	{"{'a':{'b':[1]},'$or':[{'a':{'c':[1]}}]}", "{'a':{'b':[1],'c':[1]}}", NEITHER},
};

static void tells_what_covers_what(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct dal_pattern *both[2] = {parse_single(pairs[i].narrow),
					       parse_single(pairs[i].wide)};
		uint32_t first[2];
		bool covers = dal_pattern_covers(both[1], both[0]);
		bool covered = dal_pattern_covers(both[0], both[1]);
		dal_patterns_equal((const struct dal_pattern *const *)both, 2, first);
		if (covers != (pairs[i].relation != NEITHER) ||
		    (covered && pairs[i].relation == NARROWER) ||
		    (!covered && pairs[i].relation <= SAME) ||
		    (first[1] == 0) != (pairs[i].relation == EQUAL)) {
			fail_msg("%s in %s: %d %d %u", pairs[i].narrow, pairs[i].wide, covers,
				 covered, first[1]);
		}
		dal_pattern_free(both[0]);
		dal_pattern_free(both[1]);
	}
}

struct found {
	uint32_t narrow[8], wide[8];
	uint32_t count;
	bool one; /* is enough of each */
};

static bool note(void *own, uint32_t narrow, uint32_t wide)
{
	struct found *found = own;
	assert_true(found->count < 8);
	found->narrow[found->count] = narrow;
	found->wide[found->count++] = wide;
	return found->one;
}

static void hands_out_pairs(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"{'type':['a']}",
		"{'type':[{'prefix':'a'}]}",
		"{'type':['a'],'data':{'b':[1]}}",
		"{'type':['a']}",
		"{'type':['c']}",
	};
	struct dal_pattern *patterns[6] = {NULL};
	struct found found = {0};
	for (size_t i = 0; i < 5; i++) {
		patterns[i] = parse_single(texts[i]);
	}
	const struct dal_pattern *const *all = (const struct dal_pattern *const *)patterns;
	assert_true(dal_patterns_shadowed(all, 6, note, &found));
	/* 0 in 1; 2 in 0, 1, 3; 3 in 1 */
	static const uint32_t narrow[] = {0, 2, 2, 2, 3};
	assert_int_equal(found.count, 5);
	assert_memory_equal(found.narrow, narrow, sizeof(narrow));
	assert_int_equal(found.wide[0], 1);
	assert_int_equal(found.wide[1] + found.wide[2] + found.wide[3], 4);
	assert_int_equal(found.wide[4], 1);

	found = (struct found){.one = true};
	assert_true(dal_patterns_shadowed(all, 6, note, &found));
	assert_int_equal(found.count, 3);

	uint32_t first[6];
	static const uint32_t expected[] = {0, 1, 2, 0, 4, 5};
	dal_patterns_equal(all, 6, first);
	assert_memory_equal(first, expected, sizeof(expected));
	for (size_t i = 0; i < 5; i++) {
		dal_pattern_free(patterns[i]);
	}
}

/* Each compares 2,000 excluded texts with 2,000 others: too dear for all of the 870 pairs. */
static void gives_up_on_long_lists(void **state)
{
	(void)state;
	enum { PATTERNS = 30, TEXTS = 2000 };
	struct dal_pattern *patterns[PATTERNS];
	struct dal_buffer text = {0};
	struct dal_error error;
	struct found found = {0};

	for (int i = 0; i < PATTERNS; i++) {
		dal_buffer_clear(&text);
		dal_buffer_text(&text, "{\"a\":[{\"anything-but\":[");
		for (int j = 0; j < TEXTS; j++) {
			dal_buffer_printf(&text, "\"shared %d\",", j);
		}
		dal_buffer_printf(&text, "\"own %d\"]}]}", i);
		assert_int_equal(
			dal_pattern_parse(dal_buffer_slice(&text), 0, &patterns[i], &error), 0);
	}
	clock_t start = clock();
	assert_false(dal_patterns_shadowed((const struct dal_pattern *const *)patterns, PATTERNS,
					   note, &found));
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC); /* a tenth of a second; it was 14 */
	assert_int_equal(found.count, 0);
	for (int i = 0; i < PATTERNS; i++) {
		dal_pattern_free(patterns[i]);
	}
	dal_buffer_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_contradictions),
		cmocka_unit_test(tells_what_covers_what),
		cmocka_unit_test(hands_out_pairs),
		cmocka_unit_test(gives_up_on_long_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
