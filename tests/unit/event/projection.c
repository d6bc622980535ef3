#include "tests/unit/event/projection.h"

#include "engine/base/error.h"
#include "engine/event/json_select_scan.h"
#include "engine/event/json_write.h"
#include "tests/cases/tape.h"

static void write_members(const struct dal_json *full, uint32_t object,
			  const struct dal_json_names *names, uint32_t field,
			  struct dal_buffer *out)
{
	struct dal_buffer value = {0};
	const char *between = "{";
	uint32_t key = object + 1;
	for (uint32_t i = dal_json_count(full, object); i > 0; i--) {
		struct dal_slice name = dal_json_string(full, key);
		uint32_t id = dal_json_names_find(names, field, name);
		dal_buffer_clear(&value);
		if (id != DAL_JSON_NONE) {
			dal_projection_write(full, key + 1, names, id, &value);
		}
		if (value.size) {
			struct dal_json_writer writer = {.out = out};
			dal_buffer_text(out, between);
			dal_json_put_slice(&writer, name);
			dal_buffer_byte(out, ':');
			dal_buffer_slice_append(out, dal_buffer_slice(&value));
			between = ",";
		}
		key = dal_json_next(full, key + 1);
	}
	dal_buffer_text(out, *between == '{' ? "{}" : "}");
	dal_buffer_deinit(&value);
}

static void write_elements(const struct dal_json *full, uint32_t array,
			   const struct dal_json_names *names, uint32_t field,
			   struct dal_buffer *out)
{
	const char *between = "[";
	uint32_t node = array + 1;
	for (uint32_t i = dal_json_count(full, array); i > 0; i--) {
		size_t before = out->size;
		dal_buffer_text(out, between);
		size_t empty = out->size;
		dal_projection_write(full, node, names, field, out);
		if (out->size == empty) {
			out->size = before;
		} else {
			between = ",";
		}
		node = dal_json_next(full, node);
	}
	dal_buffer_text(out, *between == '[' ? "[]" : "]");
}

void dal_projection_write(const struct dal_json *full, uint32_t node,
			  const struct dal_json_names *names, uint32_t field,
			  struct dal_buffer *out)
{
	if (dal_json_kind(full, node) == DAL_JSON_OBJECT) {
		write_members(full, node, names, field, out);
	} else if (dal_json_kind(full, node) == DAL_JSON_ARRAY) {
		write_elements(full, node, names, field, out);
	} else if (dal_json_names_leaf(names, field)) {
		dal_tape_write(full, node, out);
	}
}

void dal_projection_root(const struct dal_json *full, const struct dal_json_names *names,
			 struct dal_buffer *out)
{
	if (dal_json_kind(full, DAL_JSON_ROOT) < DAL_JSON_ARRAY) {
		dal_tape_write(full, DAL_JSON_ROOT, out);
	} else {
		dal_projection_write(full, DAL_JSON_ROOT, names, DAL_JSON_NAMES_ROOT, out);
	}
}

static void ask_scalar(const struct dal_json *json, uint32_t node)
{
	switch (dal_json_kind(json, node)) {
	case DAL_JSON_STRING:
		DAL_ASSERT(dal_json_string(json, node).size <= dal_json_raw(json, node).size - 2);
		break;
	case DAL_JSON_INTEGER:
		(void)dal_json_integer(json, node);
		(void)dal_json_double(json, node);
		break;
	case DAL_JSON_FLOAT:
		(void)dal_json_double(json, node);
		break;
	default:
		break;
	}
}

/* One value; its children's `next` lead just to its own. */
static void check_value(const struct dal_json *json, uint32_t node,
			const struct dal_json_names *names, uint32_t field)
{
	bool object = dal_json_kind(json, node) == DAL_JSON_OBJECT;
	struct dal_slice raw = dal_json_raw(json, node);
	DAL_ASSERT(raw.data >= json->text && raw.data + raw.size <= json->text + json->size);
	ask_scalar(json, node);
	uint32_t child = node + 1;
	for (uint32_t i = dal_json_count(json, node); i > 0; i--) {
		uint32_t id = field;
		if (object) {
			struct dal_slice key = dal_json_string(json, child);
			id = dal_json_field(json, child);
			DAL_ASSERT(id == dal_json_names_find(names, field, key));
			DAL_ASSERT(dal_json_find(json, node, key) == child + 1);
			DAL_ASSERT(dal_json_next(json, child) == child + 1);
			child++;
		}
		check_value(json, child, names, id);
		child = dal_json_next(json, child);
	}
	DAL_ASSERT(dal_json_next(json, node) == child && child <= json->count);
}

void dal_projection_check(const struct dal_json *json, const struct dal_json_names *names)
{
	check_value(json, DAL_JSON_ROOT, names, DAL_JSON_NAMES_ROOT);
	DAL_ASSERT(dal_json_next(json, DAL_JSON_ROOT) == json->count);
}

int (*dal_projection_scan(int index))(struct dal_json *json, struct dal_slice text,
				      const struct dal_json_names *names)
{
	switch (index) {
	case 0:
		return dal_json_select;
	case 1:
		return dal_json_select_plain;
#if defined(__x86_64__)
	case 2:
		return __builtin_cpu_supports("avx2") ? dal_json_select_avx2 : NULL;
	case 3:
		return __builtin_cpu_supports("avx512bw") ? dal_json_select_avx512 : NULL;
#endif
	default:
		return NULL;
	}
}
