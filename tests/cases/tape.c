#include "tests/cases/tape.h"

#include "engine/event/json_write.h"

static void put(const struct dal_json *json, uint32_t node, struct dal_json_writer *writer);

static void put_members(const struct dal_json *json, uint32_t object,
			struct dal_json_writer *writer)
{
	uint32_t key = object + 1;
	dal_json_begin_object(writer);
	for (uint32_t i = dal_json_count(json, object); i > 0; i--) {
		dal_json_key_slice(writer, dal_json_string(json, key));
		put(json, key + 1, writer);
		key = dal_json_next(json, key + 1);
	}
	dal_json_end_object(writer);
}

static void put_elements(const struct dal_json *json, uint32_t array,
			 struct dal_json_writer *writer)
{
	uint32_t node = array + 1;
	dal_json_begin_array(writer);
	for (uint32_t i = dal_json_count(json, array); i > 0; i--) {
		put(json, node, writer);
		node = dal_json_next(json, node);
	}
	dal_json_end_array(writer);
}

static void put(const struct dal_json *json, uint32_t node, struct dal_json_writer *writer)
{
	switch (dal_json_kind(json, node)) {
	case DAL_JSON_NULL:
		dal_json_put_null(writer);
		break;
	case DAL_JSON_FALSE:
	case DAL_JSON_TRUE:
		dal_json_put_boolean(writer, dal_json_kind(json, node) == DAL_JSON_TRUE);
		break;
	case DAL_JSON_INTEGER:
		dal_json_put_integer(writer, dal_json_integer(json, node));
		break;
	case DAL_JSON_FLOAT:
		dal_json_put_double(writer, dal_json_double(json, node));
		break;
	case DAL_JSON_STRING:
		dal_json_put_slice(writer, dal_json_string(json, node));
		break;
	case DAL_JSON_ARRAY:
		put_elements(json, node, writer);
		break;
	case DAL_JSON_OBJECT:
		put_members(json, node, writer);
		break;
	}
}

void dal_tape_write(const struct dal_json *json, uint32_t node, struct dal_buffer *out)
{
	struct dal_json_writer writer = {.out = out};
	put(json, node, &writer);
}
