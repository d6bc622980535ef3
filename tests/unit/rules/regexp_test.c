/* In this order: cmocka.h wants them before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json.h"
#include "rules/regexp.h"
#include "rules/regexp_bits.h"

static const struct dal_regexp *parse(struct dal_arena *arena, struct dal_slice source)
{
	const struct dal_regexp *regexp = NULL;
	size_t position = 0;
	const char *message = dal_regexp_parse(arena, source, &regexp, &position);
	if (message) {
		fail_msg("%.*s: %s at %zu", (int)source.size, source.data, message, position);
	}
	return regexp;
}

/* The ids that were reported, and how often one was. */
struct found {
	uint8_t times[64];
	uint32_t count;
};

static void note(void *own, uint32_t id)
{
	struct found *found = own;
	found->times[id % 64]++;
	found->count++;
}

static struct found find(const struct dal_regexps *set, struct dal_regexp_scratch *scratch,
			 const char *value)
{
	struct found found = {0};
	dal_regexps_find(set, scratch, dal_slice_text(value), note, &found);
	return found;
}

static bool bits_match(const struct dal_regexp *regexp, struct dal_slice value)
{
	struct dal_regexp_bits *bits = dal_regexp_bits_new();
	dal_regexp_bits_load(bits, regexp);
	bool matches = dal_regexp_bits_match(bits, value);
	dal_regexp_bits_free(bits);
	return matches;
}

/* Alone, and in a set; both twice, as what is cached must say the same; and by bits. */
static void expect(const char *source, const char *value, bool matches)
{
	struct dal_arena arena = {0};
	struct dal_regexps *set = NULL;
	struct dal_regexp_scratch *scratch = dal_regexp_scratch_new();
	const struct dal_regexp *regexp = parse(&arena, dal_slice_text(source));

	dal_regexps_add(&set, regexp, 7);
	for (int i = 0; i < 2; i++) {
		if (dal_regexp_matches(regexp, dal_slice_text(value)) != matches ||
		    find(set, scratch, value).times[7] != matches) {
			fail_msg("%s on \"%s\": not %d", source, value, matches);
		}
	}
	if (bits_match(regexp, dal_slice_text(value)) != matches) {
		fail_msg("%s on \"%s\": by bits not %d", source, value, matches);
	}
	dal_regexps_free(set);
	dal_regexp_scratch_free(scratch);
	dal_arena_deinit(&arena);
}

/* `values` is a list of texts, NULL at the end. */
static void expect_all(const char *source, bool matches, const char *const *values)
{
	for (; *values; values++) {
		expect(source, *values, matches);
	}
}

#define ACCEPTS(source, ...) expect_all(source, true, (const char *const[]){__VA_ARGS__, NULL})
#define REFUSES(source, ...) expect_all(source, false, (const char *const[]){__VA_ARGS__, NULL})

static void matches_the_whole_value(void **state)
{
	(void)state;
	ACCEPTS("abc", "abc");
	REFUSES("abc", "", "ab", "abcd", "xabc", "abc\n");
	ACCEPTS("", "");
	REFUSES("", "a");
	ACCEPTS("a|bc|", "a", "bc", "");
	REFUSES("a|bc|", "ac", "b", "abc");
	ACCEPTS("()", "");
	ACCEPTS("x()y(|)", "xy");
	ACCEPTS("x(a|b(c|d))y", "xay", "xbcy", "xbdy");
	REFUSES("x(a|b(c|d))y", "xy", "xby", "xaby");
	ACCEPTS("a b,c-d/e=f\"'~`!@#%&_:;<>", "a b,c-d/e=f\"'~`!@#%&_:;<>");
}

static void repeats(void **state)
{
	(void)state;
	ACCEPTS("ab*", "a", "ab", "abbbb");
	ACCEPTS("ab+", "ab", "abbb");
	REFUSES("ab+", "a");
	ACCEPTS("ab?c", "ac", "abc");
	REFUSES("ab?c", "abbc");
	ACCEPTS("a{3}", "aaa");
	REFUSES("a{3}", "aa", "aaaa", "");
	ACCEPTS("a{2,4}", "aa", "aaa", "aaaa");
	REFUSES("a{2,4}", "a", "aaaaa");
	ACCEPTS("a{2,}", "aa", "aaaaaaa");
	REFUSES("a{2,}", "a", "");
	ACCEPTS("a{0}", "");
	ACCEPTS("a{0,0}b", "b");
	ACCEPTS("a{0,}", "", "aaa");
	ACCEPTS("a{0,1}", "", "a");
	ACCEPTS("a{1}", "a");
	ACCEPTS("a{007}", "aaaaaaa");
	ACCEPTS("(ab){2}", "abab");
	ACCEPTS("((a?){2}b){2}", "bb", "aabab");
	REFUSES("((a?){2}b){2}", "aaabb");
	ACCEPTS("(){1000000}", "");
	ACCEPTS("((a*)+)?b", "b", "aab");
	ACCEPTS("((a+)?)+", "", "aaa");
	ACCEPTS("((a?)+)b", "b", "aab");
	ACCEPTS("((a{2})+)?", "", "aa", "aaaa");
	REFUSES("((a{2})+)?", "a", "aaa");
	ACCEPTS("((a+){2})", "aa", "aaa");
	REFUSES("((a+){2})", "a");
}

static void reads_classes(void **state)
{
	(void)state;
	ACCEPTS("[a-cx]", "a", "b", "c", "x");
	REFUSES("[a-cx]", "d", "", "aa", "-");
	ACCEPTS("[^a-cx]", "d", "\n", "\r", "\xc3\xa9", "\xf0\x9f\x98\x80");
	REFUSES("[^a-cx]", "a", "b", "x", "");
	ACCEPTS("[-a]", "-", "a");
	ACCEPTS("[a-]", "-", "a");
	ACCEPTS("[-]", "-");
	ACCEPTS("[--]", "-");
	ACCEPTS("[^-]", "a");
	REFUSES("[^-]", "-");
	ACCEPTS("[a^]", "^", "a");
	ACCEPTS("[^^]", "a");
	REFUSES("[^^]", "^");
	ACCEPTS("[.$*+?(){}|,]", ".", "$", "*", "+", "?", "(", ")", "{", "}", "|", ",");
	ACCEPTS("[\\]\\[\\\\\\-\\n]", "]", "[", "\\", "-", "\n");
	ACCEPTS("[\\t-\\r]", "\t", "\n", "\r");
	ACCEPTS("[c-ea-db]", "a", "b", "c", "d", "e");
	REFUSES("[c-ea-db]", "f", "`");
	ACCEPTS("[\xc3\xa0-\xc3\xbf]", "\xc3\xa9");
	REFUSES("[\xc3\xa0-\xc3\xbf]", "e", "\xc4\x80");
	ACCEPTS("[\xf0\x9f\x98\x80-\xf0\x9f\x98\x8f]{2}", "\xf0\x9f\x98\x80\xf0\x9f\x98\x8f");
}

static void reads_dots_and_escapes(void **state)
{
	(void)state;
	ACCEPTS(".", "a", "\xc3\xa9", "\xe6\xbc\xa2", "\xf0\x9f\x98\x80", "\t", "\xe2\x80\xa8",
		"\xc2\x85");
	REFUSES(".", "", "\n", "\r", "ab");
	ACCEPTS("\\(\\)\\*\\+\\-\\.\\?\\[\\\\\\]\\^\\{\\|\\}", "()*+-.?[\\]^{|}");
	ACCEPTS("\\n\\r\\t", "\n\r\t");
	ACCEPTS("a^b$c", "a^b$c");
	ACCEPTS("\\^[$]", "^$");
	ACCEPTS("$+", "$$");
	ACCEPTS("\xe6\xbc\xa2*\xc3\xa9", "\xc3\xa9", "\xe6\xbc\xa2\xe6\xbc\xa2\xc3\xa9");
}

static void knows_categories(void **state)
{
	(void)state;
	ACCEPTS("\\p{Lu}", "A", "\xc3\x89", "\xd0\x96");
	REFUSES("\\p{Lu}", "a", "1", "\xc3\xa9");
	ACCEPTS("\\p{L}+", "aZ\xc3\xa9\xe6\xbc\xa2");
	ACCEPTS("\\P{L}", "1", " ", "\xf0\x9f\x98\x80");
	REFUSES("\\P{L}", "a");
	ACCEPTS("[\\p{Nd}_]", "5", "_", "\xd9\xa1");
	ACCEPTS("[^\\p{L}\\p{N}]", "-", " ");
	REFUSES("[^\\p{L}\\p{N}]", "a", "1");
	ACCEPTS("[\\P{L}a]", "a", "1");
	REFUSES("[\\P{L}a]", "b");
	ACCEPTS("[\\p{L}-]", "-", "x");
	ACCEPTS("\\p{Cn}", "\xcd\xb8");        /* U+0378 */
	ACCEPTS("\\p{Co}", "\xee\x80\x80");    /* U+E000 */
	ACCEPTS("\\p{C}", "\xf4\x8f\xbf\xbf"); /* U+10FFFF */
	ACCEPTS("\\p{Sc}\\p{Sm}\\p{Zs}\\p{Pd}\\p{Mn}", "$+ -\xcc\x81");
}

struct mistake {
	const char *source;
	size_t position;
	const char *begins; /* the message */
};

static const struct mistake mistakes[] = {
	{"ab\\d", 2, "\\d is not in I-Regexp (RFC 9485): write [0-9]"},
	{"[\\w]", 1, "\\w is not in I-Regexp (RFC 9485): write [A-Za-z0-9_]"},
	{"\\s", 0, "\\s is not in I-Regexp (RFC 9485): write [ \\t\\n\\r]"},
	{"\\D", 0, "\\D is not"},
	{"\\S", 0, "\\S is not"},
	{"\\W", 0, "\\W is not"},
	{"a\\b", 1, "there are no word boundaries"},
	{"(a)\\1", 3, "there are no back references"},
	{"\\u0041", 0, "there are no code points by number"},
	{"\\A", 0, "the whole value is matched: leave anchors out"},
	{"\\$", 0, "\\$ is not in I-Regexp (RFC 9485): write [$]"},
	{"\\/", 0, "only n r t"},
	{"\\\xc3\xa9", 0, "only n r t"},
	{"a\\", 1, "nothing follows this backslash"},
	{"^a", 0, "the whole value is matched: leave ^ out, or write \\^ for itself"},
	{"a|^b", 2, "the whole value is matched: leave ^ out"},
	{"(^a)", 1, "the whole value is matched: leave ^ out"},
	{"a$", 1, "the whole value is matched: leave $ out, or write [$] for itself"},
	{"a$|b", 1, "the whole value is matched: leave $ out"},
	{"(a$)", 2, "the whole value is matched: leave $ out"},
	{"a*?", 2, "there are no lazy quantifiers"},
	{"a{2}?", 4, "there are no lazy quantifiers"},
	{"a*+", 2, "there are no possessive quantifiers"},
	{"a**", 2, "a quantifier behind a quantifier"},
	{"a{2}{3}", 4, "a quantifier behind a quantifier"},
	{"*a", 0, "nothing stands before this"},
	{"a|+", 2, "nothing stands before this"},
	{"(?", 0, "there is no (?"},
	{"(?=a)", 0, "there are no lookarounds"},
	{"(?!a)", 0, "there are no lookarounds"},
	{"a(?<=b)", 1, "there are no lookarounds"},
	{"(?<!b)", 0, "there are no lookarounds"},
	{"(?:a)", 0, "there is no (?: in"},
	{"(?P<n>a)", 0, "groups have no names"},
	{"(?<n>a)", 0, "groups have no names"},
	{"(?i)a", 0, "there is no (? in"},
	{"x(a", 1, "this ( is never closed"},
	{"a)", 1, "no ( belongs to this )"},
	{"a]", 1, "no [ belongs to this ]"},
	{"a}", 1, "no { belongs to this }"},
	{"{2}", 0, "nothing stands before {"},
	{"a{", 1, "write {2}, {2,} or {2,5}"},
	{"a{,2}", 1, "write {2}, {2,} or {2,5}"},
	{"a{2 }", 1, "write {2}, {2,} or {2,5}"},
	{"a{2,1}", 1, "the first number is larger"},
	{"a{99999999999999,1}", 1, "the first number is larger"},
	{"x[a", 1, "this [ is never closed"},
	{"[a-", 0, "this [ is never closed"},
	{"[", 0, "this [ is never closed"},
	{"[]", 0, "an empty class"},
	{"[^]", 0, "an empty class"},
	{"[]a]", 0, "an empty class"},
	{"[z-a]", 1, "this range is empty"},
	{"[a-b-c]", 4, "within [ ] a - stands"},
	{"[--a]", 2, "within [ ] a - stands"},
	{"[a-\\p{L}]", 1, "a range ends in a character"},
	{"[\\p{L}-z]", 6, "within [ ] a - stands"},
	{"[a[b]", 2, "within [ ] write \\["},
	{"[[:alpha:]]", 1, "there are no classes like [:alpha:]"},
	{"[a-z-[aeiou]]", 4, "there is no subtraction"},
	{"\\pL", 0, "a category is written like"},
	{"\\p{L", 0, "a category is written like"},
	{"\\p{}", 0, "no such category"},
	{"\\p{Cs}", 0, "no such category"},
	{"\\p{Lx}", 0, "no such category"},
	{"\\p{IsBasicLatin}", 0, "no such category"},
	{"\\p{Letter}", 0, "no such category"},
	{"a\xff", 1, "not valid UTF-8"},
	{"[\xc3]", 1, "not valid UTF-8"},
	{"a{501}", 1, "too many characters and classes"},
	{"(a{50}b{51}){5}", 12, "too many characters and classes"},
	{"(a{10}){10}{0}", 11, "a quantifier behind"},
	{"((a{100}){100}){0}", 9, "too many characters and classes"},
	{"a{250}b{250}c", 13, "too many characters and classes"},
};

static void names_the_place_of_a_mistake(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct mistake *m = &mistakes[i];
		struct dal_arena arena = {0};
		const struct dal_regexp *regexp = NULL;
		size_t position = 999;
		const char *message = dal_regexp_parse(&arena, dal_slice_text(m->source), &regexp,
						       &position);
		if (!message || position != m->position ||
		    !dal_slice_starts(dal_slice_text(message), m->begins)) {
			fail_msg("%s: %s at %zu", m->source, message ? message : "taken", position);
		}
		assert_null(regexp);
		dal_arena_deinit(&arena);
	}
}

/* Both take a value in time that is bounded by its size times the positions; were it not so, this
 * test would not end. */
static void takes_hostile_ones(void **state)
{
	(void)state;
	char value[64 + 1] = "";
	memset(value, 'a', 64);
	REFUSES("(a*)*b", value);
	REFUSES("(a|a)*b", value);
	REFUSES("(a|a|aa|a?)+b", value);
	REFUSES("((a*)*)*b", value);
	REFUSES("(.*.*.*.*.*.*)x", value);
	REFUSES("(a?){30}a{40}", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	ACCEPTS("(a?){64}a{64}", value);
	ACCEPTS("((((a{0,5}){0,4}){0,4}){0,3}){0,2}", value);
	ACCEPTS(".*a.{12}", value);
	ACCEPTS("a{0,500}", value);
	ACCEPTS("(|||||||a|||){500}", value);
}

struct hostile {
	const char *source;
	const char *from; /* texts that the value consists of, a comma behind each */
};

/* Most states are reached all the time, or none of the states was met before. */
static const struct hostile hostiles[] = {
	{"(a|b)*a(a|b){245}", "a,b,"},
	{"[ab]*a[ab]{498}", "a,b,"},
	{"(a?){400}([ab]?){98}[ab]*a", "a,b,"},
	{"(([ab]{0,7}){0,7}a){0,9}[ab]*a[ab]{40}", "a,b,"},
	{"((a|b)*(ab|b)*(a|ba)*){55}", "a,b,"},
	{"(\\p{L}|[\\p{N}x]){0,240}.*[\\P{L}x].{16}",
	 "\xc4\x80,\xcc\x80,\xe4\xb8\x80,\xe4\xbc\x80,"},
	{"(.|[^\\p{P}])*\\p{Lu}(.|[^\\p{Z}]){240}", "\xc4\x80,\xc4\x81,A,b,\xe4\xb8\x80,"},
};

static void write_hostile(const char *from, struct dal_buffer *out)
{
	struct dal_slice parts[8], rest = dal_slice_text(from);
	uint64_t random = 9485;
	size_t count = 0;
	while (dal_slice_cut(rest, ',', &parts[count], &rest)) {
		count++;
	}
	dal_buffer_clear(out);
	while (out->size < DAL_MIB / 4) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		dal_buffer_slice_append(out, parts[(random >> 33) % count]);
	}
}

/* A quarter of a mebibyte takes a tenth of a second on a machine of today; the test says no more
 * than that it is not many seconds, as it was. */
static void takes_a_long_value(void **state)
{
	(void)state;
	struct dal_buffer value = {0};
	for (size_t i = 0; i < sizeof(hostiles) / sizeof(hostiles[0]); i++) {
		struct dal_arena arena = {0};
		struct dal_regexps *set = NULL;
		struct dal_regexp_scratch *scratch = dal_regexp_scratch_new();
		const struct dal_regexp *regexp = parse(&arena, dal_slice_text(hostiles[i].source));
		struct found found = {0};
		write_hostile(hostiles[i].from, &value);
		dal_regexps_add(&set, regexp, 7);
		clock_t start = clock();
		dal_regexps_find(set, scratch, dal_buffer_slice(&value), note, &found);
		clock_t between = clock();
		bool matches = dal_regexp_matches(regexp, dal_buffer_slice(&value));
		clock_t end = clock();
		print_message("%s: in a set %.2f s, alone %.2f s\n", hostiles[i].source,
			      (double)(between - start) / CLOCKS_PER_SEC,
			      (double)(end - between) / CLOCKS_PER_SEC);
		assert_int_equal(found.times[7], matches);
		assert_true(end - start < (clock_t)10 * CLOCKS_PER_SEC);
		dal_regexps_free(set);
		dal_regexp_scratch_free(scratch);
		dal_arena_deinit(&arena);
	}
	dal_buffer_deinit(&value);
}

static void bounds_parentheses(void **state)
{
	(void)state;
	char deep[2 * DAL_LIMIT_REGEXP_DEPTH + 4] = "";
	struct dal_arena arena = {0};
	const struct dal_regexp *regexp;
	size_t position;

	memset(deep, '(', DAL_LIMIT_REGEXP_DEPTH);
	memset(deep + DAL_LIMIT_REGEXP_DEPTH, ')', DAL_LIMIT_REGEXP_DEPTH);
	parse(&arena, dal_slice_text(deep));
	memset(deep, '(', DAL_LIMIT_REGEXP_DEPTH + 1);
	memset(deep + DAL_LIMIT_REGEXP_DEPTH + 1, ')', DAL_LIMIT_REGEXP_DEPTH + 1);
	assert_string_equal(dal_regexp_parse(&arena, dal_slice_text(deep), &regexp, &position),
			    "parentheses nested deeper than 50");
	assert_int_equal(position, DAL_LIMIT_REGEXP_DEPTH);
	/* Were it not simplified, each of the 500 would lead on through 49 others. */
	struct dal_buffer chain = {0};
	for (int i = 0; i < DAL_LIMIT_REGEXP_DEPTH; i++) {
		dal_buffer_byte(&chain, '(');
	}
	dal_buffer_byte(&chain, 'a');
	for (int i = 1; i < DAL_LIMIT_REGEXP_DEPTH; i++) {
		dal_buffer_text(&chain, ")?");
	}
	dal_buffer_text(&chain, "){500}");
	expect(dal_buffer_cstr(&chain), "aaa", true);
	dal_buffer_deinit(&chain);
	/* The depth is that of open ones. */
	for (int i = 0; i < DAL_LIMIT_REGEXP_DEPTH + 1; i++) {
		memcpy(deep + 2 * i, "()", 2);
	}
	parse(&arena, dal_slice(deep, 2 * DAL_LIMIT_REGEXP_DEPTH + 2));
	dal_arena_deinit(&arena);
}

static void passes_over_bytes_that_are_no_text(void **state)
{
	(void)state;
	ACCEPTS("a.b",
		"a\xff"
		"b",
		"a\x80"
		"b");
	REFUSES("a", "\xc3", "a\xf0\x9f");
}

/* A set of all cases against each value of some of them, and each alone. */
static void agrees_with_the_cases(void **state)
{
	(void)state;
	struct dal_buffer text = {0};
	struct dal_json *json = dal_json_new();
	struct dal_slice line, rest;
	struct dal_regexp_scratch *scratch = dal_regexp_scratch_new();
	size_t lines = 0;

	assert_int_equal(dal_file_read(UNIT "/regexp_cases.ndjson", DAL_MIB, &text), 0);
	rest = dal_buffer_slice(&text);
	while (dal_slice_cut(rest, '\n', &line, &rest)) {
		assert_int_equal(dal_json_parse(json, line, 0, NULL), 0);
		struct dal_arena arena = {0};
		struct dal_regexps *set = NULL;
		uint32_t source = dal_json_find(json, 0, dal_slice_text("regexp"));
		const struct dal_regexp *regexp = parse(&arena, dal_json_string(json, source));
		dal_regexps_add(&set, regexp, 1);
		for (int expected = 0; expected < 2; expected++) {
			uint32_t list = dal_json_find(json, 0,
						      dal_slice_text(expected ? "match" : "miss"));
			for (uint32_t v = list + 1; v < dal_json_next(json, list); v++) {
				struct dal_slice value = dal_json_string(json, v);
				struct found found = {0};
				dal_regexps_find(set, scratch, value, note, &found);
				if (dal_regexp_matches(regexp, value) != expected ||
				    bits_match(regexp, value) != expected ||
				    found.times[1] != expected) {
					fail_msg("%.*s, not %d: %.*s", (int)line.size, line.data,
						 expected, (int)value.size, value.data);
				}
			}
		}
		dal_regexps_free(set);
		dal_arena_deinit(&arena);
		lines++;
	}
	assert_true(lines >= 1500);
	dal_regexp_scratch_free(scratch);
	dal_json_free(json);
	dal_buffer_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_the_whole_value),
		cmocka_unit_test(repeats),
		cmocka_unit_test(reads_classes),
		cmocka_unit_test(reads_dots_and_escapes),
		cmocka_unit_test(knows_categories),
		cmocka_unit_test(names_the_place_of_a_mistake),
		cmocka_unit_test(takes_hostile_ones),
		cmocka_unit_test(takes_a_long_value),
		cmocka_unit_test(bounds_parentheses),
		cmocka_unit_test(passes_over_bytes_that_are_no_text),
		cmocka_unit_test(agrees_with_the_cases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
