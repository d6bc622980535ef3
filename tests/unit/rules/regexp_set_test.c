/* Many expressions in one set: what is shared, taken out, forgotten, simulated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/memory.h"
#include "rules/regexp.h"

enum { MANY = 10000, FEW = 300 };

/* xorshift: the same numbers in each run. */
static uint64_t random_state = 9485;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % bound;
}

static const struct dal_regexp *parse(struct dal_arena *arena, const char *source)
{
	const struct dal_regexp *regexp = NULL;
	size_t position;
	const char *message = dal_regexp_parse(arena, dal_slice_text(source), &regexp, &position);
	if (message) {
		fail_msg("%s: %s", source, message);
	}
	return regexp;
}

/* Expressions, whether each is in the set, and what was reported of it. */
struct fixture {
	struct dal_arena arenas[MANY];
	const struct dal_regexp *regexps[MANY];
	bool in[MANY];
	uint8_t times[MANY];
	uint32_t count;
	struct dal_regexps *set;
	struct dal_regexp_scratch *scratch;
};

static struct fixture *new_fixture(void)
{
	struct fixture *f = dal_calloc(1, sizeof(*f));
	f->scratch = dal_regexp_scratch_new();
	return f;
}

static void free_fixture(struct fixture *f)
{
	dal_regexps_free(f->set);
	dal_regexp_scratch_free(f->scratch);
	for (uint32_t i = 0; i < MANY; i++) {
		dal_arena_deinit(&f->arenas[i]);
	}
	free(f);
}

static void put(struct fixture *f, uint32_t id, const char *source)
{
	f->regexps[id] = parse(&f->arenas[id], source);
	dal_regexps_add(&f->set, f->regexps[id], id);
	f->in[id] = true;
	f->count = id >= f->count ? id + 1 : f->count;
}

/* The expression goes, as the pattern that it was in would. */
static void drop(struct fixture *f, uint32_t id)
{
	dal_regexps_remove(f->set, id);
	dal_arena_deinit(&f->arenas[id]);
	f->arenas[id] = (struct dal_arena){0};
	f->in[id] = false;
}

static void note(void *own, uint32_t id)
{
	((struct fixture *)own)->times[id]++;
}

static void ask(struct fixture *f, const char *value)
{
	memset(f->times, 0, sizeof(f->times));
	dal_regexps_find(f->set, f->scratch, dal_slice_text(value), note, f);
}

/* The set says what each expression says alone; gives how many match. */
static uint32_t check(struct fixture *f, const char *value)
{
	uint32_t matches = 0;
	ask(f, value);
	for (uint32_t i = 0; i < f->count; i++) {
		bool is = f->in[i] && dal_regexp_matches(f->regexps[i], dal_slice_text(value));
		matches += is;
		if (f->times[i] != is) {
			fail_msg("expression %u on %s: %d times, not %d", i, value, f->times[i],
				 is);
		}
	}
	return matches;
}

static void reports_each_expression_once(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	put(f, 0, "ab");
	put(f, 1, "ab");
	put(f, 2, "ab|b");
	put(f, 3, "a.*");
	put(f, 4, "a");
	put(f, 5, "");
	put(f, 6, "a(b|b|b?)");
	put(f, 7, "()");
	assert_int_equal(check(f, "ab"), 5);
	assert_int_equal(check(f, "a"), 3);
	assert_int_equal(check(f, "b"), 1);
	assert_int_equal(check(f, ""), 2);
	assert_int_equal(check(f, "abc"), 1);
	assert_int_equal(check(f, "c"), 0);
	free_fixture(f);
}

static void forgets_what_is_taken_out(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	put(f, 0, "[a-z]+-[0-9]+");
	put(f, 1, "[a-z]+-[0-9]+x");
	put(f, 2, "[a-z]+");
	put(f, 3, "[a-z]+-[0-9]+");
	assert_int_equal(check(f, "ab-12"), 2);
	drop(f, 0); /* it was the first: what it shares must not go with it */
	assert_int_equal(check(f, "ab-12"), 1);
	assert_int_equal(check(f, "ab-12x"), 1);
	drop(f, 3);
	assert_int_equal(check(f, "ab-12"), 0);
	assert_int_equal(check(f, "ab-12x"), 1);
	drop(f, 1);
	assert_int_equal(check(f, "ab"), 1);
	drop(f, 2);
	assert_int_equal(check(f, "ab"), 0);
	assert_int_equal(check(f, ""), 0);
	put(f, 2, "");
	assert_int_equal(check(f, ""), 1);
	assert_int_equal(check(f, "a"), 0);
	free_fixture(f);
}

/* One scratch for sets that come and go, perhaps at the address of another. */
static void tells_sets_apart(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	struct dal_regexp_scratch *scratch = f->scratch;
	for (int round = 0; round < 2000; round++) {
		put(f, 0, round % 2 ? "a+" : "b+");
		assert_int_equal(check(f, "aaa"), round % 2);
		assert_int_equal(check(f, "bbb"), 1 - round % 2);
		dal_regexps_free(f->set);
		f->set = NULL;
		dal_arena_deinit(&f->arenas[0]);
		f->arenas[0] = (struct dal_arena){0};
	}
	assert_ptr_equal(scratch, f->scratch);
	free_fixture(f);
}

static const char *const parts[] = {
	"a",    "b",      ".*",     "[ab]+",    "(ab|c)*", "c?",       "[^a]",
	"a{2}", "(a|b|)", "b{1,3}", "\xc3\xa9", "(.a)*",   "\\p{Lu}?", "[\xc3\xa0-\xc3\xbf]"};

static void write_random(char *out, size_t size)
{
	size_t used = 0;
	out[0] = '\0';
	for (uint32_t left = random_below(6); left > 0; left--) {
		used += (size_t)snprintf(out + used, size - used, "%s",
					 parts[random_below(sizeof(parts) / sizeof(parts[0]))]);
	}
}

static void write_value(char *out, size_t size)
{
	static const char *const letters[] = {"a", "b", "c", "a", "b", "\xc3\xa9", "\n", "A"};
	size_t used = 0;
	out[0] = '\0';
	for (uint32_t left = random_below(9); left > 0; left--) {
		used += (size_t)snprintf(out + used, size - used, "%s", letters[random_below(8)]);
	}
}

static void agrees_while_it_changes(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	char text[256];
	uint32_t matches = 0;

	for (int round = 0; round < 3000; round++) {
		uint32_t id = random_below(FEW);
		if (f->in[id]) {
			drop(f, id);
		} else {
			write_random(text, sizeof(text));
			put(f, id, text);
		}
		for (int again = 0; again < 2; again++) {
			write_value(text, sizeof(text));
			matches += check(f, text);
		}
	}
	assert_true(matches > 10000);
	free_fixture(f);
}

/* Of this process: others may be busy. */
static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fill_with_letters(struct fixture *f, uint32_t count)
{
	char text[32];
	for (uint32_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), ".*%c.*%c.*%c.*%c.*", 'a' + (int)random_below(26),
			 'a' + (int)random_below(26), 'a' + (int)random_below(26),
			 'a' + (int)random_below(26));
		put(f, i, text);
	}
}

/* The bounds are far above what it takes, for slow machines and sanitizers; the figures are
 * printed. */
static void takes_ten_thousand(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	char value[25] = "";
	double start = seconds();
	fill_with_letters(f, MANY);
	double filled = seconds();
	for (int i = 0; i < 100; i++) {
		for (int at = 0; at < 24; at++) {
			value[at] = (char)('a' + random_below(26));
		}
		ask(f, value);
	}
	double asked = seconds();
	for (uint32_t i = 0; i < 1000; i++) {
		drop(f, i);
		put(f, i, ".*x.*y.*z.*");
	}
	double changed = seconds();
	print_message("added %d in %.3f s, a value in %.3f ms, changed one in %.3f ms\n", MANY,
		      filled - start, (asked - filled) * 10, changed - asked);
	assert_true(filled - start < 10 && asked - filled < 10 && changed - asked < 10);
	assert_true(check(f, value) < MANY);
	assert_true(check(f, "xyz") >= 1000);
	free_fixture(f);
}

/* More states than the cache holds, then few again: cached, simulated and cached answers agree. */
static void outgrows_the_cache(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	char value[65] = "";
	fill_with_letters(f, FEW);
	put(f, FEW, "(a|b)*a(a|b){14}");
	for (int round = 0; round < 3000; round++) {
		int letters = round % 3 == 0 ? 26 : 2;
		for (int at = 0; at < 64; at++) {
			value[at] = (char)('a' + (int)random_below((uint32_t)letters));
		}
		if (round % 50 == 0) {
			check(f, value);
		} else {
			ask(f, value);
		}
	}
	free_fixture(f);
}

/* Hundreds of states are reached all the time, and no two sets of them are alike: all three ways
 * take their part, the last of them on expressions that change. */
static void asks_each_alone(void **state)
{
	(void)state;
	enum { SIZE = 6000, FIRST = 200, ALL = 6 };
	struct fixture *f = new_fixture();
	char value[SIZE + 1] = "", source[64];
	for (uint32_t round = 0; round < 2 * ALL; round++) {
		uint32_t changed = round % ALL;
		if (round >= ALL) {
			drop(f, changed);
		}
		uint32_t behind = FIRST + round;
		snprintf(source, sizeof(source), "(a|b)*a(a|b){%u}", behind);
		put(f, changed, source);
		for (int at = 0; at < SIZE; at++) {
			value[at] = (char)('a' + (int)random_below(2));
		}
		for (int size = SIZE; size > SIZE - 3; size--) {
			value[size] = '\0';
			ask(f, value);
			for (uint32_t id = 0; id < f->count; id++) {
				uint32_t at = round / ALL * ALL + id;
				at = FIRST + (at <= round ? at : at - ALL);
				assert_int_equal(f->times[id],
						 value[(uint32_t)size - 1 - at] == 'a');
			}
		}
	}
	free_fixture(f);
}

/* More characters than steps beyond ASCII are kept for. */
static void outgrows_the_steps_beyond_ascii(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	put(f, 0, "x\\p{L}");
	put(f, 1, "x[\xe4\xb8\x80-\xe9\xbf\xbf]"); /* U+4E00 to U+9FFF */
	put(f, 2, "x.");
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t code = 0x3000; code < 0xD800; code += 1 + round) {
			char value[] = {'x', (char)(0xE0 | code >> 12),
					(char)(0x80 | (code >> 6 & 0x3F)),
					(char)(0x80 | (code & 0x3F)), '\0'};
			uint32_t matches = check(f, value);
			assert_true(code < 0x4E00 || code > 0x9FFC || matches == 3);
		}
	}
	free_fixture(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reports_each_expression_once),
		cmocka_unit_test(forgets_what_is_taken_out),
		cmocka_unit_test(tells_sets_apart),
		cmocka_unit_test(agrees_while_it_changes),
		cmocka_unit_test(takes_ten_thousand),
		cmocka_unit_test(outgrows_the_cache),
		cmocka_unit_test(asks_each_alone),
		cmocka_unit_test(outgrows_the_steps_beyond_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
