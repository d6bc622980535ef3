/*
 * What the analysis claims, against the engine: no random event matches what is impossible, nor
 * matches a pattern and not the one that covers it. And many patterns in little time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "rules/analysis.h"

enum { PATTERNS = 600, EVENTS = 1500, MANY = 10000 };

/* xorshift: the same numbers in each run. */
static uint64_t random_state = 42;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % bound;
}

#define PICK(list) ((list)[random_below(sizeof(list) / sizeof((list)[0]))])

static const char *const texts[] = {"a",
				    "ab",
				    "b",
				    "A",
				    "aB",
				    "ba",
				    "10.0.0.1",
				    "2020-01-01T00:00:00Z",
				    "2022-01-01T00:00:00Z"};

static const char *const operators[] = {
	"{\"prefix\":\"a\"}",
	"{\"prefix\":\"ab\"}",
	"{\"suffix\":\"b\"}",
	"{\"suffix\":\"ab\"}",
	"{\"equals-ignore-case\":\"ab\"}",
	"{\"prefix\":{\"equals-ignore-case\":\"A\"}}",
	"{\"suffix\":{\"equals-ignore-case\":\"b\"}}",
	"{\"wildcard\":\"a*\"}",
	"{\"wildcard\":\"*b\"}",
	"{\"wildcard\":\"a*b\"}",
	"{\"regexp\":\"[ab]+\"}",
	"{\"numeric\":[\">\",0]}",
	"{\"numeric\":[\">=\",1,\"<\",3]}",
	"{\"numeric\":[\"=\",2]}",
	"{\"exists\":true}",
	"{\"exists\":false}",
	"{\"anything-but\":[\"a\"]}",
	"{\"anything-but\":[\"a\",\"b\"]}",
	"{\"anything-but\":[2]}",
	"{\"anything-but\":{\"prefix\":\"a\"}}",
	"{\"anything-but\":{\"wildcard\":\"a*\"}}",
	"{\"cidr\":\"10.0.0.0/8\"}",
	"{\"cidr\":\"0.0.0.0/0\"}",
	"{\"before\":\"2021-01-01T00:00:00Z\"}",
	"{\"before\":\"2021-06-01T00:00:00Z\"}",
	"{\"after\":\"2021-01-01T00:00:00Z\"}",
	"{\"all-of\":[\"a\",\"b\"]}",
	"{\"all-of\":[{\"prefix\":\"a\"},[\"ab\",{\"suffix\":\"b\"}]]}",
	"{\"all-of\":[{\"exists\":true},{\"exists\":false}]}",
	"null",
	"true",
	"1",
	"2.0",
	"5",
};

static void write_operator(struct dal_buffer *out)
{
	if (random_below(3) == 0) {
		dal_buffer_printf(out, "\"%s\"", PICK(texts));
	} else {
		dal_buffer_text(out, PICK(operators));
	}
}

static void write_object(struct dal_buffer *out, int depth, bool root);

static void write_or(struct dal_buffer *out, int depth, bool root)
{
	dal_buffer_text(out, "\"$or\":[");
	for (uint32_t left = 1 + random_below(3); left > 0; left--) {
		write_object(out, depth - 1, root);
		dal_buffer_text(out, left > 1 ? "," : "]");
	}
}

static void write_list(struct dal_buffer *out)
{
	dal_buffer_byte(out, '[');
	for (uint32_t left = 1 + random_below(3); left > 0; left--) {
		write_operator(out);
		dal_buffer_text(out, left > 1 ? "," : "]");
	}
}

static void write_object(struct dal_buffer *out, int depth, bool root)
{
	static const char *const at_root[] = {"type", "subject", "data", "extra"};
	static const char *const inside[] = {"a", "b", "type"};
	uint32_t mask = 1 + random_below(root ? 15 : 7);
	bool first = true;
	dal_buffer_byte(out, '{');
	for (uint32_t i = 0; i < 4; i++) {
		if (!(mask >> i & 1) || (random_below(2) && !first)) {
			continue;
		}
		dal_buffer_printf(out, "%s\"%s\":", first ? "" : ",",
				  root ? at_root[i] : inside[i]);
		first = false;
		if (depth > 0 && random_below(4) < (root && i == 2 ? 3 : 1)) {
			write_object(out, depth - 1, false);
		} else {
			write_list(out);
		}
	}
	if (depth > 0 && random_below(3) == 0) {
		dal_buffer_text(out, first ? "" : ",");
		write_or(out, depth, root);
	}
	dal_buffer_byte(out, '}');
}

static void write_value(struct dal_buffer *out, int depth)
{
	static const char *const names[] = {"a", "b", "type"};
	static const char *const plain[] = {"null", "true", "1", "2", "3", "0", "{}", "[]"};
	uint32_t kind = random_below(10);
	if (kind < 5) {
		dal_buffer_printf(out, "\"%s\"", PICK(texts));
	} else if (kind < 7 || depth == 0) {
		dal_buffer_text(out, PICK(plain));
	} else if (kind < 8) {
		dal_buffer_byte(out, '[');
		for (uint32_t left = 1 + random_below(3); left > 0; left--) {
			write_value(out, depth - 1);
			dal_buffer_text(out, left > 1 ? "," : "]");
		}
	} else {
		uint32_t mask = random_below(8);
		dal_buffer_byte(out, '{');
		for (uint32_t i = 0, first = 1; i < 3; i++) {
			if (mask >> i & 1) {
				dal_buffer_printf(out, "%s\"%s\":", first ? "" : ",", names[i]);
				write_value(out, depth - 1);
				first = 0;
			}
		}
		dal_buffer_byte(out, '}');
	}
}

static void write_event(struct dal_buffer *out)
{
	dal_buffer_printf(out, "{\"id\":\"1\",\"source\":\"s\",\"type\":\"%s\"", PICK(texts));
	if (random_below(2)) {
		dal_buffer_printf(out, ",\"subject\":\"%s\"", PICK(texts));
	}
	if (random_below(4)) {
		dal_buffer_text(out, ",\"data\":");
		write_value(out, 3);
	}
	if (random_below(2)) {
		dal_buffer_text(out, ",\"extra\":");
		write_value(out, 2);
	}
	dal_buffer_byte(out, '}');
}

/* Patterns, and which events each matches. */
struct fixture {
	struct dal_pattern *patterns[PATTERNS];
	uint8_t matches[PATTERNS][EVENTS];
	uint32_t claims, found, handed;
};

static void print_both(const struct dal_pattern *a, const struct dal_pattern *b)
{
	struct dal_buffer text = {0};
	dal_pattern_print(a, &text);
	dal_buffer_text(&text, "\n");
	dal_pattern_print(b, &text);
	print_message("%s\n", dal_buffer_cstr(&text));
	dal_buffer_deinit(&text);
}

static struct fixture *new_fixture(void)
{
	struct fixture *f = dal_calloc(1, sizeof(*f));
	struct dal_buffer text = {0};
	struct dal_json *json = dal_json_new();
	for (uint32_t i = 0; i < PATTERNS;) {
		struct dal_error error;
		dal_buffer_clear(&text);
		write_object(&text, 2, true);
		i += dal_pattern_parse(dal_buffer_slice(&text), 0, &f->patterns[i], &error) == 0;
	}
	for (uint32_t e = 0; e < EVENTS; e++) {
		dal_buffer_clear(&text);
		write_event(&text);
		assert_int_equal(dal_json_parse(json, dal_buffer_slice(&text), 0, NULL), 0);
		for (uint32_t i = 0; i < PATTERNS; i++) {
			f->matches[i][e] = dal_pattern_test(f->patterns[i], json, DAL_JSON_ROOT);
		}
	}
	dal_json_free(json);
	dal_buffer_deinit(&text);
	return f;
}

static void free_fixture(struct fixture *f)
{
	for (uint32_t i = 0; i < PATTERNS; i++) {
		dal_pattern_free(f->patterns[i]);
	}
	free(f);
}

static bool covers_all_events(const struct fixture *f, uint32_t narrow, uint32_t wide)
{
	for (uint32_t e = 0; e < EVENTS; e++) {
		if (f->matches[narrow][e] && !f->matches[wide][e]) {
			return false;
		}
	}
	return true;
}

static bool hand(void *own, uint32_t narrow, uint32_t wide)
{
	struct fixture *f = own;
	assert_true(dal_pattern_covers(f->patterns[wide], f->patterns[narrow]));
	f->handed++;
	return false;
}

static void claims_only_what_is_so(void **state)
{
	(void)state;
	struct fixture *f = new_fixture();
	uint32_t impossible = 0, equal = 0, first[PATTERNS];
	struct dal_buffer field = {0}, why = {0};
	const struct dal_pattern *const *all = (const struct dal_pattern *const *)f->patterns;

	dal_patterns_equal(all, PATTERNS, first);
	for (uint32_t i = 0; i < PATTERNS; i++) {
		bool dead = dal_pattern_impossible(f->patterns[i], &field, &why);
		impossible += dead;
		for (uint32_t e = 0; e < EVENTS; e++) {
			if (dead && f->matches[i][e]) {
				print_both(f->patterns[i], f->patterns[i]);
				fail_msg("%s %s", dal_buffer_cstr(&field), dal_buffer_cstr(&why));
			}
		}
		for (uint32_t j = 0; j < PATTERNS; j++) {
			bool same = first[i] == first[j];
			if (i == j || !dal_pattern_covers(f->patterns[j], f->patterns[i])) {
				assert_true(i == j || !same);
				continue;
			}
			f->claims += !same;
			equal += same;
			if (!covers_all_events(f, i, j)) {
				print_both(f->patterns[i], f->patterns[j]);
				fail_msg("the second does not cover the first");
			}
		}
	}
	/* The index finds each pair that is found by looking at all. */
	assert_true(dal_patterns_shadowed(all, PATTERNS, hand, f));
	print_message("%u impossible, %u equal, %u pairs\n", impossible, equal, f->claims);
	assert_int_equal(f->handed, f->claims);
	assert_true(impossible > 20 && f->claims > 1000);
	dal_buffer_deinit(&field);
	dal_buffer_deinit(&why);
	free_fixture(f);
}

/* Of this process: others may be busy. */
static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool count_one(void *own, uint32_t narrow, uint32_t wide)
{
	(void)narrow;
	(void)wide;
	++*(uint32_t *)own;
	return true;
}

/* Each format makes a set of patterns of the numbers 0, 1, 2 ... */
static const struct {
	const char *format;
	uint32_t shadowed;
} sets[] = {
	{"{\"type\":[\"t%1$u\"]}", 0},
	{"{\"type\":[\"t\"],\"data\":{\"a\":[\"x%1$u\"]}}", 0},
	{"{\"type\":[{\"prefix\":\"t%1$05u\"}]}", 0},
	{"{\"type\":[{\"prefix\":\"t%1$u\"}]}", MANY - 10},
	{"{\"type\":[{\"suffix\":\"%1$05u.t\"}]}", 0},
	{"{\"type\":[{\"equals-ignore-case\":\"t%1$u\"}]}", 0},
	{"{\"data\":{\"a\":[{\"numeric\":[\">\",%1$u]}]}}", MANY - 1},
	{"{\"data\":{\"a\":[{\"numeric\":[\">\",%1$u,\"<=\",%1$u.5]}]}}", 0},
	{"{\"type\":[{\"wildcard\":\"a*%1$05u*\"}]}", 0},
	{"{\"type\":[\"t\"],\"data\":{\"a\":[{\"exists\":true}],\"b\":[%1$u]}}", 0},
	{"{\"data\":{\"a\":[{\"numeric\":[\"<\",%1$u]}]}}", MANY - 1},
	{"{\"time\":[{\"before\":\"%1$04u-01-01T00:00:00Z\"}]}", MANY - 1},
	{"{\"time\":[{\"after\":\"%1$04u-01-01T00:00:00Z\"}]}", MANY - 1},
	{"{\"data\":{\"a\":[{\"numeric\":[\"<\",%1$u]}],\"b\":[{\"numeric\":[\">\",%1$u]}]}}", 0},
	{"{\"$or\":[{\"data\":{\"a\":[%1$u]}},{\"data\":{\"b\":[%1$u]}}]}", 0},
};

static void takes_ten_thousand(void **state)
{
	(void)state;
	struct dal_pattern **patterns = dal_calloc(MANY, sizeof(struct dal_pattern *));
	for (size_t s = 0; s < sizeof(sets) / sizeof(sets[0]); s++) {
		struct dal_buffer text = {0};
		for (uint32_t i = 0; i < MANY; i++) {
			struct dal_error error;
			dal_buffer_clear(&text);
			dal_buffer_printf(&text, sets[s].format, i);
			assert_int_equal(dal_pattern_parse(dal_buffer_slice(&text), 0, &patterns[i],
							   &error),
					 0);
		}
		uint32_t count = 0;
		double start = seconds();
		bool all = dal_patterns_shadowed((const struct dal_pattern *const *)patterns, MANY,
						 count_one, &count);
		double took = seconds() - start;
		print_message("%s: %u in %.3f s%s\n", sets[s].format, count, took,
			      all ? "" : ", not all");
		assert_true(took < 60);
		assert_true(!all || count == sets[s].shadowed);
		for (uint32_t i = 0; i < MANY; i++) {
			dal_pattern_free(patterns[i]);
		}
		dal_buffer_deinit(&text);
	}
	free(patterns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(claims_only_what_is_so),
		cmocka_unit_test(takes_ten_thousand),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
