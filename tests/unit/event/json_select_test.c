/*
 * Selected tapes: real cases by hand, strings at each place of a block, and random documents whose
 * selected tape must be what the full one projects to. Each with every scan that was built.
 */
#include "tests/unit/event/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/event/json_select.h"
#include "tests/unit/event/projection.h"
#include "tests/cases/tape.h"

static uint64_t seed = 42;

static uint32_t random_below(uint32_t limit)
{
	seed ^= seed << 13; /* xorshift64 */
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % limit;
}

/* Each name of a path in its own argument; the last is a leaf. */
static uint32_t add_path(struct dal_json_names *names, const char *path)
{
	uint32_t id = DAL_JSON_NAMES_ROOT;
	struct dal_slice rest = dal_slice_text(path), name;
	while (dal_slice_cut(rest, '/', &name, &rest)) {
		id = dal_json_names_add(names, id, name, false);
	}
	return dal_json_names_add(names, id, rest, true);
}

/* `paths` are separated by spaces, the names in a path by '/'. */
static struct dal_json_names *names_of(const char *paths)
{
	struct dal_json_names *names = dal_json_names_new();
	struct dal_slice rest = dal_slice_text(paths), path;
	while (rest.size) {
		if (!dal_slice_cut(rest, ' ', &path, &rest)) {
			path = rest;
			rest.size = 0;
		}
		char *text = dal_slice_dup(path);
		add_path(names, text);
		free(text);
	}
	return names;
}

/*
 * The text is put where a page ends that nobody may read behind: the padding that is allowed, and
 * no byte more. The padding is hostile: it would go on with the text.
 */
struct edge {
	char *map;
	size_t size;
};

static struct dal_slice put_at_edge(struct edge *edge, struct dal_slice text)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (text.size + DAL_JSON_PADDING + page - 1) / page * page;
	if (edge->size < size) {
		if (edge->size) {
			munmap(edge->map, edge->size + page);
		}
		edge->map = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(edge->map != MAP_FAILED);
		assert_int_equal(mprotect(edge->map + size, page, PROT_NONE), 0);
		edge->size = size;
	}
	char *start = edge->map + edge->size - DAL_JSON_PADDING - text.size;
	memcpy(start, text.data, text.size);
	for (size_t i = 0; i < DAL_JSON_PADDING; i++) {
		start[text.size + i] = "1\"}]"[random_below(4)];
	}
	return dal_slice(start, text.size);
}

static struct edge edge;

static void check_names(struct dal_slice text, const struct dal_json_names *names,
			const char *expected)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer got = {0};
	text = put_at_edge(&edge, text);
	for (int i = 0; dal_projection_scan(i); i++) {
		assert_int_equal(dal_projection_scan(i)(json, text, names), 0);
		dal_projection_check(json, names);
		dal_buffer_clear(&got);
		dal_tape_write(json, DAL_JSON_ROOT, &got);
		assert_slice(dal_buffer_slice(&got), expected);
	}
	dal_buffer_deinit(&got);
	dal_json_free(json);
}

static void check(const char *paths, const char *text, const char *expected)
{
	struct dal_json_names *names = names_of(paths);
	check_names(dal_slice_text(text), names, expected);
	dal_json_names_free(names);
}

static void names_form_a_tree(void **state)
{
	(void)state;
	struct dal_json_names *names = dal_json_names_new();
	struct dal_slice data = dal_slice_text("data"), empty = dal_slice_text("");
	assert_int_equal(dal_json_names_count(names), 1);
	assert_int_equal(dal_json_names_find(names, 0, data), DAL_JSON_NONE);
	uint32_t id = dal_json_names_add(names, 0, data, false);
	assert_int_equal(id, 1);
	assert_int_equal(dal_json_names_add(names, 0, data, true), 1);
	assert_int_equal(dal_json_names_add(names, 0, data, false), 1);
	assert_true(dal_json_names_leaf(names, 1));
	assert_false(dal_json_names_leaf(names, 0));
	assert_int_equal(dal_json_names_add(names, id, data, false), 2);
	assert_int_equal(dal_json_names_add(names, id, empty, false), 3);
	assert_int_equal(dal_json_names_find(names, 0, empty), DAL_JSON_NONE);
	assert_int_equal(dal_json_names_find(names, 1, empty), 3);
	assert_int_equal(dal_json_names_children(names, 0), 1);
	assert_int_equal(dal_json_names_children(names, 1), 2);
	assert_int_equal(dal_json_names_children(names, 3), 0);
	dal_json_names_free(names);
	dal_json_names_free(NULL);
}

/* Of all sizes, and many that differ in one byte at any place. */
static void many_names(void **state)
{
	(void)state;
	struct dal_json_names *names = dal_json_names_new();
	char name[32];
	for (uint32_t size = 0; size < sizeof(name); size++) {
		memset(name, 'a', sizeof(name));
		uint32_t id = dal_json_names_add(names, 0, dal_slice(name, size), false);
		assert_int_equal(id + 1, dal_json_names_count(names));
		for (uint32_t i = 0; i < size; i++) {
			name[i] = '\0';
			id = dal_json_names_add(names, 0, dal_slice(name, size), false);
			assert_int_equal(id + 1, dal_json_names_count(names));
			name[i] = 'a';
		}
	}
	uint32_t id = 1;
	for (uint32_t size = 0; size < sizeof(name); size++) {
		assert_int_equal(dal_json_names_find(names, 0, dal_slice(name, size)), id++);
		for (uint32_t i = 0; i < size; i++) {
			name[i] = '\0';
			assert_int_equal(dal_json_names_find(names, 0, dal_slice(name, size)),
					 id++);
			name[i] = 'b';
			assert_int_equal(dal_json_names_find(names, 0, dal_slice(name, size)),
					 DAL_JSON_NONE);
			name[i] = 'a';
		}
	}
	assert_int_equal(dal_json_names_children(names, 0), id - 1);
	dal_json_names_free(names);
}

static void keeps_what_is_named(void **state)
{
	(void)state;
	const char *text = "{\"type\":\"Feature\",\"properties\":{\"LOT\":\"17\",\"n\":-0,"
			   "\"f\":1.5e3, \"t\" : true ,\"no\":false,\"nil\":null},\"geo\":{\"c\":"
			   "[[{\"x\":1,\"y\":2},{\"y\":3},{\"x\":4,\"x2\":5}],[],3]},\"id\":7}";
	check("type", text, "{\"type\":\"Feature\"}");
	check("id", text, "{\"id\":7}");
	check("properties/LOT", text, "{\"properties\":{\"LOT\":\"17\"}}");
	check("properties/n properties/f properties/t properties/no properties/nil", text,
	      "{\"properties\":{\"n\":-0.0,\"f\":1500.0,\"t\":true,\"no\":false,\"nil\":null}}");
	check("properties geo id", text, "{\"properties\":{},\"geo\":{},\"id\":7}");
	check("geo/c/x", text, "{\"geo\":{\"c\":[[{\"x\":1},{},{\"x\":4}],[]]}}");
	check("geo/c geo/c/x id", text,
	      "{\"geo\":{\"c\":[[{\"x\":1},{},{\"x\":4}],[],3]},\"id\":7}");
	check("type/x id", text, "{\"id\":7}");
	check("none no/n", text, "{}");
	check("", text, "{}");
}

static void containers(void **state)
{
	(void)state;
	check("a/b", "{\"a\":{}}", "{\"a\":{}}");
	check("a/b", " { \"a\" : [ ] } ", "{\"a\":[]}");
	check("a", "{\"a\":[[],{},[{}],[[1]], \"s\" ,{\"a\":[1]} , 2 ]}",
	      "{\"a\":[[],{},[{}],[[1]],\"s\",{},2]}");
	check("a/b", "[{\"a\":{\"b\":1}},[{\"a\":{\"b\":2,\"b2\":3}}],4]",
	      "[{\"a\":{\"b\":1}},[{\"a\":{\"b\":2}}]]");
	check("a a/b", "{\"a\":{\"b\":[1,{\"c\":2}]}}", "{\"a\":{\"b\":[1,{}]}}");
	check("a", "\"a\"", "\"a\"");
	check("a", " -17 ", "-17");
	check("a", "true", "true");
	check("a", "[]", "[]");
	check("z", "{\"a\":[{\"z\":1}],\"b\":{\"z\":[[]]},\"c\":\"]}\",\"z\":2}", "{\"z\":2}");
}

static void first_of_two_counts(void **state)
{
	(void)state;
	check("a b", "{\"a\":1,\"a\":2,\"b\":3}", "{\"a\":1,\"b\":3}");
	check("a/b c", "{\"a\":1,\"a\":{\"b\":2},\"c\":3}", "{\"c\":3}");
	check("a/b c", "{\"a\":[{\"b\":1},{\"b\":2,\"b\":3}],\"c\":3,\"a\":4}",
	      "{\"a\":[{\"b\":1},{\"b\":2}],\"c\":3}");
}

static void escapes(void **state)
{
	(void)state;
	check("ab", "{\"a\\u0062\":1}", "{\"ab\":1}");
	check("ab z", "{\"\\u0061b\":\"\\\\\\\"\",\"ab\":2,\"z\":\"\\u0000\"}",
	      "{\"ab\":\"\\\\\\\"\",\"z\":\"\\u0000\"}");
	check("b x", "{\"a\\\"b\":1,\"\\\\\":2,\"b\":3,\"x\":4}", "{\"b\":3,\"x\":4}");
	check("a.b \xC3\xA9", "{\"a\":{\"b\":1},\"a.b\":2,\"\\u00e9\":3}",
	      "{\"a.b\":2,\"\xC3\xA9\":3}");
	struct dal_json_names *names = dal_json_names_new();
	dal_json_names_add(names, 0, dal_slice("a\0", 2), true);
	dal_json_names_add(names, 0, dal_slice("", 0), true);
	check_names(dal_slice_text("{\"a\":1,\"a\\u0000\":2,\"\":3}"), names,
		    "{\"a\\u0000\":2,\"\":3}");
	dal_json_names_free(names);
}

/* What is asked twice is the same twice, and a full tape after a selected one is a full one. */
static void one_parser_for_both(void **state)
{
	(void)state;
	struct dal_json *json = dal_json_new();
	struct dal_json_names *names = names_of("a\nb");
	struct dal_slice text = dal_slice_text("{\"x\":\"\\n\",\"a\\nb\":\"c\\nd\"}");
	struct dal_buffer padded = {0};
	dal_buffer_slice_append(&padded, text);
	dal_buffer_reserve(&padded, DAL_JSON_PADDING);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(dal_json_select(json, dal_buffer_slice(&padded), names), 0);
		for (int j = 0; j < 2; j++) {
			assert_slice(dal_json_string(json, 1), "a\nb");
			assert_slice(dal_json_string(json, 2), "c\nd");
			assert_int_equal(dal_json_field(json, 1), 1);
		}
		assert_int_equal(dal_json_parse(json, text, 0, NULL), 0);
		for (int j = 0; j < 2; j++) {
			assert_slice(dal_json_string(json, 3), "a\nb");
			assert_slice(dal_json_string(json, 4), "c\nd");
		}
	}
	dal_buffer_deinit(&padded);
	dal_json_names_free(names);
	dal_json_free(json);
}

/* Strings with all that could mislead, begun at each place of a block. */
static void strings_at_each_place(void **state)
{
	(void)state;
	static const char *const strings[] = {
		"",
		"\\\"",
		"\\\\",
		"\\\\\\\"",
		"{",
		"}]",
		"\\\":{[",
		"a",
		"\\\\\\\\",
		"a\\\"b:\\\"{\\\\",
		"\\n\\\"",
		"\\u0022}",
		"\\\\\\\"\\\\\\\"\\\\",
	};
	struct dal_json_names *names = names_of("k/e o z \\");
	struct dal_json *full = dal_json_new();
	struct dal_buffer text = {0}, expected = {0};
	for (size_t i = 0; i < sizeof(strings) / sizeof(*strings); i++) {
		for (int place = 0; place < 200; place++) {
			const char *s = strings[i];
			dal_buffer_clear(&text);
			dal_buffer_clear(&expected);
			dal_buffer_printf(&text,
					  "{%*s\"%sx\":[\"%s\",{\"z\":\"%s\"}],\"k\":{\"%s\":{},"
					  "\"e\":\"%s\"},\"o\" : [\"%s\",\"%s\" ], \"z\": 12.5}",
					  place, "", s, s, s, s, s, s, s);
			assert_int_equal(dal_json_parse(full, dal_buffer_slice(&text), 0, NULL), 0);
			dal_projection_root(full, names, &expected);
			check_names(dal_buffer_slice(&text), names, dal_buffer_cstr(&expected));
		}
	}
	dal_buffer_deinit(&text);
	dal_buffer_deinit(&expected);
	dal_json_names_free(names);
	dal_json_free(full);
}

static void nested_deep(void **state)
{
	(void)state;
	struct dal_buffer text = {0};
	struct dal_json *json = dal_json_new();
	struct dal_json_names *names = names_of("a z");
	for (int depth = 90; depth < 300; depth++) {
		dal_buffer_clear(&text);
		dal_buffer_text(&text, "{\"skipped\":");
		for (int i = 0; i < depth; i++) {
			dal_buffer_byte(&text, i % 3 ? '[' : '{');
		}
		for (int i = depth; i-- > 0;) {
			dal_buffer_byte(&text, i % 3 ? ']' : '}');
		}
		dal_buffer_text(&text, ",\"z\":1,\"a\":");
		for (int i = 0; i < depth; i++) {
			dal_buffer_byte(&text, '[');
		}
		for (int i = 0; i < depth; i++) {
			dal_buffer_byte(&text, ']');
		}
		dal_buffer_byte(&text, '}');
		struct dal_slice at = put_at_edge(&edge, dal_buffer_slice(&text));
		for (int i = 0; dal_projection_scan(i); i++) {
			assert_int_equal(dal_projection_scan(i)(json, at, names),
					 depth <= 95 ? 0 : DAL_JSON_INVALID);
			assert_int_equal(json->count, depth <= 95 ? depth + 4 : 0);
		}
	}
	dal_buffer_deinit(&text);
	dal_json_names_free(names);
	dal_json_free(json);
}

/* A text that ends anywhere, or has another byte anywhere: some tape or none, and no byte too far.
 */
static void broken_texts(void **state)
{
	(void)state;
	struct dal_slice text = dal_slice_text(
		"{\"a\":[{\"b\":\"c\\\"\"},true,-1.5e+3],\"skip\":{\"a\":[\"]\"]},"
		"\"n\" : null,\"b\":{\"a\\u0061\":false,\"b\":[1, 2,\"x\"]}}");
	struct dal_json_names *names = names_of("a a/b b/b b/aa n zz");
	struct dal_json *json = dal_json_new();
	for (size_t size = 0; size < text.size; size++) {
		for (uint32_t c = 0; c < 256; c++) {
			struct dal_slice at = put_at_edge(&edge, text);
			((char *)at.data)[size] = (char)c;
			struct dal_slice cut = {at.data, c ? text.size : size};
			cut.data += text.size - cut.size;
			memmove((char *)cut.data, at.data, cut.size);
			for (int i = 0; dal_projection_scan(i); i++) {
				int r = dal_projection_scan(i)(json, cut, names);
				assert_true(r == 0 || r == DAL_JSON_INVALID);
				assert_int_equal(r == 0, json->count > 0);
			}
		}
	}
	dal_json_names_free(names);
	dal_json_free(json);
}

static void large_ones(void **state)
{
	(void)state;
	struct dal_json_names *names = names_of("a");
	struct dal_json *json = dal_json_new();
	struct dal_buffer text = {0};
	dal_buffer_text(&text, "{\"a\":[0");
	for (int i = 0; i < 1000000; i++) {
		dal_buffer_text(&text, ",1");
	}
	dal_buffer_text(&text, "]}");
	dal_buffer_reserve(&text, DAL_JSON_PADDING);
	assert_int_equal(dal_json_select(json, dal_buffer_slice(&text), names), 0);
	assert_int_equal(dal_json_count(json, 2), 1000001);
	assert_int_equal(json->count, 1000004);
	text.size = 0;
	dal_buffer_text(&text, "{\"a\":1}");
	assert_int_equal(dal_json_select(json, dal_buffer_slice(&text), names), 0);
	assert_int_equal(dal_json_integer(json, 2), 1);
	assert_int_equal(dal_json_select(json, dal_slice(text.data, (64u << 20) + 1), names),
			 DAL_JSON_INVALID);
	assert_int_equal(dal_json_select(json, dal_slice(NULL, 0), names), DAL_JSON_INVALID);
	dal_buffer_deinit(&text);
	dal_json_names_free(names);
	dal_json_free(json);
}

/* Random documents, with space and escapes. */
static void put_space(struct dal_buffer *out)
{
	for (uint32_t i = random_below(4) ? 0 : random_below(4); i > 0; i--) {
		dal_buffer_byte(out, " \n\t\r"[random_below(4)]);
	}
}

static void put_text(struct dal_buffer *out)
{
	static const char *const some[] = {"a", "b",       "\\\"", "\\\\",     "{",
					   "}", "[",       "]",    ":",        ",",
					   " ", "\\u0061", "\\n",  "\xC3\xA9", "lorem ipsum "};
	for (uint32_t i = random_below(random_below(8) ? 6 : 60); i > 0; i--) {
		dal_buffer_text(out, some[random_below(sizeof(some) / sizeof(*some))]);
	}
}

static const char *const keys[] = {"a",
				   "b",
				   "ab",
				   "key",
				   "longer_name",
				   "",
				   "a_long_name_of_many_letters",
				   "a_long_name_if_many_letters"};

#define KEYS (sizeof(keys) / sizeof(*keys))

/* Different ones in one object: `taken` has a bit for each. */
static void put_key(struct dal_buffer *out, uint32_t *taken)
{
	uint32_t which = random_below(KEYS);
	dal_buffer_byte(out, '"');
	if (*taken & 1u << which) {
		put_text(out);
		dal_buffer_printf(out, "%u", random_below(UINT32_MAX));
	} else if (keys[which][0] && random_below(4) == 0) {
		dal_buffer_printf(out, "\\u%04x%s", keys[which][0], keys[which] + 1);
	} else {
		dal_buffer_text(out, keys[which]);
	}
	*taken |= 1u << which;
	dal_buffer_byte(out, '"');
}

static void put_value(struct dal_buffer *out, int depth)
{
	static const char *const scalars[] = {
		"0", "-0", "12", "-3.25", "1e-7", "true", "false", "null", "123456789012345678"};
	uint32_t kind = random_below(depth < 5 ? 8 : 4);
	uint32_t taken = 0;
	put_space(out);
	if (kind < 2) {
		dal_buffer_text(out, scalars[random_below(sizeof(scalars) / sizeof(*scalars))]);
	} else if (kind < 4) {
		dal_buffer_byte(out, '"');
		put_text(out);
		dal_buffer_byte(out, '"');
	} else {
		dal_buffer_byte(out, kind & 1 ? '{' : '[');
		for (uint32_t i = random_below(random_below(8) ? 5 : 30), all = i; i > 0; i--) {
			dal_buffer_text(out, i == all ? "" : ",");
			if (kind & 1) {
				put_space(out);
				put_key(out, &taken);
				put_space(out);
				dal_buffer_byte(out, ':');
			}
			put_value(out, depth + 1);
		}
		dal_buffer_byte(out, kind & 1 ? '}' : ']');
	}
	put_space(out);
}

static struct dal_json_names *random_names(void)
{
	struct dal_json_names *names = dal_json_names_new();
	for (uint32_t i = random_below(12); i > 0; i--) {
		uint32_t parent = random_below(dal_json_names_count(names));
		dal_json_names_add(names, parent, dal_slice_text(keys[random_below(KEYS)]),
				   random_below(2));
	}
	return names;
}

static void random_documents(void **state)
{
	(void)state;
	struct dal_json *full = dal_json_new();
	struct dal_buffer text = {0}, expected = {0};
	for (int i = 0; i < 20000; i++) {
		dal_buffer_clear(&text);
		put_value(&text, 0);
		assert_int_equal(dal_json_parse(full, dal_buffer_slice(&text), 0, NULL), 0);
		for (int j = 0; j < 3; j++) {
			struct dal_json_names *names = random_names();
			dal_buffer_clear(&expected);
			dal_projection_root(full, names, &expected);
			check_names(dal_buffer_slice(&text), names, dal_buffer_cstr(&expected));
			dal_json_names_free(names);
		}
	}
	dal_buffer_deinit(&text);
	dal_buffer_deinit(&expected);
	dal_json_free(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_form_a_tree),   cmocka_unit_test(many_names),
		cmocka_unit_test(keeps_what_is_named), cmocka_unit_test(containers),
		cmocka_unit_test(first_of_two_counts), cmocka_unit_test(escapes),
		cmocka_unit_test(one_parser_for_both), cmocka_unit_test(strings_at_each_place),
		cmocka_unit_test(nested_deep),         cmocka_unit_test(broken_texts),
		cmocka_unit_test(large_ones),          cmocka_unit_test(random_documents),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
