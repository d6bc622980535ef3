#include "engine/cli/difference.h"

#include "engine/base/error.h"
#include "engine/event/json.h"

struct comparison {
	struct dal_json *expected, *found;
	bool part;
	struct dal_buffer field;
	dal_difference_each *each;
	void *own;
	size_t count;
};

static struct dal_slice raw(const struct dal_json *json, uint32_t node)
{
	return node == DAL_JSON_NONE ? (struct dal_slice){0} : dal_json_raw(json, node);
}

static void differ(struct comparison *c, uint32_t expected, uint32_t found)
{
	c->count++;
	if (c->each) {
		c->each(c->own, dal_buffer_slice(&c->field), raw(c->expected, expected),
			raw(c->found, found));
	}
}

static void compare(struct comparison *c, uint32_t expected, uint32_t found);

/* Goes one step deeper: "a" to "a.b" or "a[1]", and back. */
static void compare_member(struct comparison *c, struct dal_slice key, uint32_t expected,
			   uint32_t found)
{
	size_t size = c->field.size;

	dal_buffer_printf(&c->field, "%s%.*s", size > 0 ? "." : "", (int)key.size, key.data);
	compare(c, expected, found);
	c->field.size = size;
}

static void compare_element(struct comparison *c, uint32_t index, uint32_t expected, uint32_t found)
{
	size_t size = c->field.size;

	dal_buffer_printf(&c->field, "[%u]", index + 1);
	compare(c, expected, found);
	c->field.size = size;
}

static void compare_objects(struct comparison *c, uint32_t expected, uint32_t found)
{
	uint32_t key = expected + 1;

	for (uint32_t i = 0; i < dal_json_count(c->expected, expected); i++) {
		struct dal_slice name = dal_json_string(c->expected, key);
		compare_member(c, name, key + 1, dal_json_find(c->found, found, name));
		key = dal_json_next(c->expected, key + 1);
	}
	if (c->part) {
		return;
	}
	key = found + 1;
	for (uint32_t i = 0; i < dal_json_count(c->found, found); i++) {
		struct dal_slice name = dal_json_string(c->found, key);
		if (dal_json_find(c->expected, expected, name) == DAL_JSON_NONE) {
			compare_member(c, name, DAL_JSON_NONE, key + 1);
		}
		key = dal_json_next(c->found, key + 1);
	}
}

static void compare_arrays(struct comparison *c, uint32_t expected, uint32_t found)
{
	uint32_t many = dal_json_count(c->expected, expected);
	uint32_t more = dal_json_count(c->found, found);
	uint32_t a = expected + 1, b = found + 1;

	for (uint32_t i = 0; i < (many > more ? many : more); i++) {
		compare_element(c, i, i < many ? a : DAL_JSON_NONE, i < more ? b : DAL_JSON_NONE);
		a = i < many ? dal_json_next(c->expected, a) : a;
		b = i < more ? dal_json_next(c->found, b) : b;
	}
}

static bool is_number(enum dal_json_kind kind)
{
	return kind == DAL_JSON_INTEGER || kind == DAL_JSON_FLOAT;
}

static bool same_scalar(struct comparison *c, uint32_t expected, uint32_t found)
{
	enum dal_json_kind a = dal_json_kind(c->expected, expected);
	enum dal_json_kind b = dal_json_kind(c->found, found);

	if (is_number(a) && is_number(b)) {
		return a == DAL_JSON_INTEGER && b == DAL_JSON_INTEGER
			       ? dal_json_integer(c->expected, expected) ==
					 dal_json_integer(c->found, found)
			       : dal_json_double(c->expected, expected) ==
					 dal_json_double(c->found, found);
	}
	if (a >= DAL_JSON_ARRAY && b >= DAL_JSON_ARRAY) { /* {} and [] */
		return dal_json_count(c->expected, expected) == 0 &&
		       dal_json_count(c->found, found) == 0;
	}
	return a == b &&
	       (a != DAL_JSON_STRING || dal_slice_equal(dal_json_string(c->expected, expected),
							dal_json_string(c->found, found)));
}

static void compare(struct comparison *c, uint32_t expected, uint32_t found)
{
	enum dal_json_kind a, b;

	if (expected == DAL_JSON_NONE || found == DAL_JSON_NONE) {
		differ(c, expected, found);
		return;
	}
	a = dal_json_kind(c->expected, expected);
	b = dal_json_kind(c->found, found);
	if (a == DAL_JSON_OBJECT && b == DAL_JSON_OBJECT) {
		compare_objects(c, expected, found);
	} else if (a == DAL_JSON_ARRAY && b == DAL_JSON_ARRAY) {
		compare_arrays(c, expected, found);
	} else if (!same_scalar(c, expected, found)) {
		differ(c, expected, found);
	}
}

size_t dal_difference(struct dal_slice expected, struct dal_slice found, bool part,
		      dal_difference_each *each, void *own)
{
	struct comparison c = {.expected = dal_json_new(),
			       .found = dal_json_new(),
			       .part = part,
			       .each = each,
			       .own = own};

	DAL_ASSERT(dal_json_parse(c.expected, expected, 0, NULL) == 0);
	DAL_ASSERT(dal_json_parse(c.found, found, 0, NULL) == 0);
	compare(&c, DAL_JSON_ROOT, DAL_JSON_ROOT);
	dal_json_free(c.expected);
	dal_json_free(c.found);
	dal_buffer_deinit(&c.field);
	return c.count;
}
