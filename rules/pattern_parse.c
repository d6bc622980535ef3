/*
 * From JSON text to a pattern's tree. All that EventBridge refuses is refused here.
 */
#include <stdarg.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "rules/pattern_reader.h"

static void fail_at(struct dal_pattern_reader *reader, size_t position, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void fail_at(struct dal_pattern_reader *reader, size_t position, const char *format, ...)
{
	struct dal_buffer text = {0};
	va_list args;
	int line, column;

	if (reader->path.size > 0) {
		dal_buffer_printf(&text, "%s: ", dal_buffer_cstr(&reader->path));
	}
	va_start(args, format);
	dal_buffer_vprintf(&text, format, args);
	va_end(args);
	dal_json_place(reader->source, position, &line, &column);
	dal_error_at(reader->error, "", line, "%s", dal_buffer_cstr(&text));
	if (reader->error) {
		reader->error->column = column;
	}
	dal_buffer_deinit(&text);
}

/* Where in a string as it was written, quotes and escapes included, a byte of its content stands.
 */
static size_t written_position(struct dal_slice raw, size_t position)
{
	size_t at = 1;
	for (size_t done = 0; done < position && at + 1 < raw.size;) {
		if (raw.data[at] != '\\') {
			at++;
			done++;
		} else if (raw.data[at + 1] != 'u') {
			at += 2;
			done++;
		} else {
			char hex[5] = {0};
			memcpy(hex, raw.data + at + 2, 4);
			unsigned long code = strtoul(hex, NULL, 16);
			bool pair = code >= 0xD800 && code < 0xE000;
			at += pair ? 12 : 6;
			done += pair ? 4 : code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
		}
	}
	return at;
}

static void refuse(struct dal_pattern_reader *reader, size_t position, const char *format,
		   va_list args)
{
	struct dal_buffer text = {0};
	dal_buffer_vprintf(&text, format, args);
	fail_at(reader, position, "%s", dal_buffer_cstr(&text));
	dal_buffer_deinit(&text);
}

bool dal_pattern_refuse(struct dal_pattern_reader *reader, uint32_t node, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	/* dal_json_raw includes a string's quotes, so the place is where the value begins. */
	refuse(reader, (size_t)(dal_json_raw(reader->json, node).data - reader->json->text), format,
	       args);
	va_end(args);
	return false;
}

bool dal_pattern_refuse_inside(struct dal_pattern_reader *reader, uint32_t node, size_t position,
			       const char *format, ...)
{
	struct dal_slice raw = dal_json_raw(reader->json, node);
	va_list args;
	va_start(args, format);
	refuse(reader, (size_t)(raw.data - reader->json->text) + written_position(raw, position),
	       format, args);
	va_end(args);
	return false;
}

static bool read_object(struct dal_pattern_reader *reader, uint32_t node,
			struct dal_pattern_object *object);

static struct dal_pattern_field *find_field(const struct dal_pattern_object *object,
					    struct dal_slice name)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		if (dal_slice_equal(object->fields[i].name, name)) {
			return &object->fields[i];
		}
	}
	return NULL;
}

static void reserve_fields(struct dal_arena *arena, struct dal_pattern_object *object,
			   uint32_t capacity)
{
	if (capacity <= object->field_capacity) {
		return;
	}
	struct dal_pattern_field *fields = dal_arena_take(arena, capacity * sizeof(*fields));
	if (object->field_count) {
		memcpy(fields, object->fields, object->field_count * sizeof(*fields));
	}
	object->fields = fields;
	object->field_capacity = capacity;
}

static struct dal_pattern_field *add_field(struct dal_arena *arena,
					   struct dal_pattern_object *object, struct dal_slice name)
{
	if (object->field_count == object->field_capacity) {
		reserve_fields(arena, object, object->field_count * 2 + 1);
	}
	struct dal_pattern_field *field = &object->fields[object->field_count++];
	field->name = dal_arena_copy(arena, name);
	return field;
}

static bool read_leaf(struct dal_pattern_reader *reader, uint32_t list,
		      struct dal_pattern_field *field)
{
	const struct dal_json *json = reader->json;
	uint32_t count = dal_json_count(json, list);
	if (count == 0) {
		return dal_pattern_refuse(
			reader, list,
			"an empty list matches nothing; name a value, or leave the "
			"field out");
	}
	field->operators = dal_arena_take(reader->arena, count * sizeof(*field->operators));
	field->operator_count = count;
	uint32_t node = list + 1;
	for (uint32_t i = 0; i < count; i++, node = dal_json_next(json, node)) {
		if (!dal_operator_read(reader, node, &field->operators[i])) {
			return false;
		}
	}
	return true;
}

static bool read_or(struct dal_pattern_reader *reader, uint32_t list, struct dal_pattern_or * or)
{
	const struct dal_json *json = reader->json;
	uint32_t count = dal_json_count(json, list);
	if (dal_json_kind(json, list) != DAL_JSON_ARRAY || count == 0) {
		return dal_pattern_refuse(reader, list,
					  "$or wants a list of patterns: [{...}, {...}]");
	}
	or->alternatives = dal_arena_take(reader->arena, count * sizeof(* or->alternatives));
	or->count = count;
	reader->ors++;
	uint32_t node = list + 1;
	for (uint32_t i = 0; i < count; i++, node = dal_json_next(json, node)) {
		if (dal_json_kind(json, node) != DAL_JSON_OBJECT) {
			return dal_pattern_refuse(reader, node,
						  "each alternative of $or is a pattern: {...}");
		}
		if (!read_object(reader, node, & or->alternatives[i])) {
			return false;
		}
	}
	reader->ors--;
	return true;
}

/* EventBridge's names of the envelope's fields, at the top only. */
static struct dal_slice translate(const struct dal_pattern_reader *reader, struct dal_slice name)
{
	if (!(reader->flags & DAL_PATTERN_EVENTBRIDGE) || reader->path.size > 0) {
		return name;
	}
	return dal_slice_is(name, "detail-type") ? dal_slice_text("type")
	       : dal_slice_is(name, "detail")    ? dal_slice_text("data")
						 : name;
}

static void enter_path(struct dal_pattern_reader *reader, struct dal_slice name)
{
	if (reader->path.size > 0) {
		dal_buffer_byte(&reader->path, '.');
	}
	dal_buffer_slice_append(&reader->path, name);
}

/* The end of a key's way: the field is new, or an object that dotted keys share ("a.b", "a.c"). */
static bool read_field(struct dal_pattern_reader *reader, uint32_t key, struct dal_slice name,
		       struct dal_pattern_object *object)
{
	const struct dal_json *json = reader->json;
	uint32_t value = key + 1;
	struct dal_pattern_field *field = find_field(object, name);
	enum dal_json_kind kind = dal_json_kind(json, value);

	if (field && (field->operators || kind == DAL_JSON_ARRAY)) {
		return dal_pattern_refuse(
			reader, key,
			"duplicate key: the field is named twice; join both lists, "
			"or use $or");
	}
	if (kind == DAL_JSON_ARRAY) {
		return read_leaf(reader, value, add_field(reader->arena, object, name));
	}
	if (kind != DAL_JSON_OBJECT) {
		struct dal_slice raw = dal_json_raw(json, value);
		return dal_pattern_refuse(
			reader, value, "values stand in a list: write [%.*s] instead of %.*s",
			(int)(raw.size > 64 ? 3 : raw.size), raw.size > 64 ? "..." : raw.data,
			(int)(raw.size > 64 ? 3 : raw.size), raw.size > 64 ? "..." : raw.data);
	}
	if (!field) {
		field = add_field(reader->arena, object, name);
		field->object = dal_arena_take(reader->arena, sizeof(*field->object));
	}
	return read_object(reader, value, field->object);
}

/* A key of an object: with dots it leads through objects of its own. */
static bool read_key(struct dal_pattern_reader *reader, uint32_t key, struct dal_slice name,
		     struct dal_pattern_object *object)
{
	struct dal_slice head, tail;
	size_t path = reader->path.size;
	bool nested = !(reader->flags & DAL_PATTERN_LITERAL_DOTS) &&
		      dal_slice_cut(name, '.', &head, &tail);
	if (nested && (head.size == 0 || tail.size == 0)) {
		return dal_pattern_refuse(
			reader, key,
			"a name is missing beside a dot: \"a.b\" means the field b "
			"in a");
	}
	if (nested && (dal_slice_is(head, "$or") || dal_slice_is(tail, "$or"))) {
		return dal_pattern_refuse(reader, key, "$or is a key of its own, without dots");
	}
	/* Not behind a dot. */
	bool whole = dal_slice_equal(name, dal_json_string(reader->json, key));
	if (whole && reader->ors > 0 && !(reader->flags & DAL_PATTERN_LITERAL_DOTS) &&
	    dal_operator_reserved(name)) {
		return dal_pattern_refuse(
			reader, key,
			"%.*s is an operator: its place is in a field's list, "
			"{\"$or\": [{\"field\": [{\"%.*s\": ...}]}]}; no field of that name can "
			"stand inside $or",
			(int)name.size, name.data, (int)name.size, name.data);
	}
	head = translate(reader, nested ? head : name);
	enter_path(reader, head);
	bool read;
	if (!nested) {
		read = read_field(reader, key, head, object);
	} else if (++reader->depth > DAL_LIMIT_PATTERN_DEPTH) {
		read = dal_pattern_refuse(reader, key, "nested deeper than %d objects",
					  DAL_LIMIT_PATTERN_DEPTH);
	} else {
		struct dal_pattern_field *field = find_field(object, head);
		if (field && field->operators) {
			return dal_pattern_refuse(
				reader, key,
				"the field has values and fields of its own; it can "
				"have only one of them, use $or");
		}
		if (!field) {
			field = add_field(reader->arena, object, head);
			field->object = dal_arena_take(reader->arena, sizeof(*field->object));
		}
		read = read_key(reader, key, tail, field->object);
		reader->depth--;
	}
	reader->path.size = read ? path : reader->path.size;
	return read;
}

static bool read_members(struct dal_pattern_reader *reader, uint32_t node,
			 struct dal_pattern_object *object)
{
	const struct dal_json *json = reader->json;
	uint32_t end = dal_json_next(json, node);
	reserve_fields(reader->arena, object, object->field_count + dal_json_count(json, node));
	for (uint32_t key = node + 1; key < end; key = dal_json_next(json, key + 1)) {
		struct dal_slice name = dal_json_string(json, key);
		bool read;
		if (dal_slice_is(name, "$or")) {
			struct dal_pattern_or *ors = dal_arena_take(
				reader->arena, (object->or_count + 1) * sizeof(*ors));
			if (object->or_count) {
				memcpy(ors, object->ors, object->or_count * sizeof(*ors));
			}
			object->ors = ors;
			read = read_or(reader, key + 1, &ors[object->or_count++]);
		} else {
			read = read_key(reader, key, name, object);
		}
		if (!read) {
			return false;
		}
	}
	return true;
}

static bool read_object(struct dal_pattern_reader *reader, uint32_t node,
			struct dal_pattern_object *object)
{
	if (dal_json_count(reader->json, node) == 0) {
		return dal_pattern_refuse(reader, node,
					  "an empty object says nothing; {\"type\": [{\"exists\": "
					  "true}]} is every event that has a type");
	}
	if (++reader->depth > DAL_LIMIT_PATTERN_DEPTH) {
		return dal_pattern_refuse(reader, node, "nested deeper than %d objects",
					  DAL_LIMIT_PATTERN_DEPTH);
	}
	bool read = read_members(reader, node, object);
	reader->depth--;
	return read;
}

static bool read_pattern(struct dal_pattern_reader *reader, struct dal_json *json,
			 struct dal_pattern_object *root)
{
	struct dal_json_error error;
	if (dal_json_parse(json, reader->source, 0, &error) != 0) {
		fail_at(reader, error.position, "not a pattern: %s", error.reason);
		return false;
	}
	reader->json = json;
	if (dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		return dal_pattern_refuse(reader, DAL_JSON_ROOT,
					  "a pattern is an object: {\"field\": [\"value\"]}");
	}
	return read_object(reader, DAL_JSON_ROOT, root);
}

int dal_pattern_parse_with(struct dal_json *json, struct dal_slice text, int flags,
			   struct dal_pattern **pattern, struct dal_error *error)
{
	struct dal_pattern *new = dal_calloc(1, sizeof(*new));
	struct dal_pattern_reader reader = {
		.arena = &new->arena, .source = text, .flags = flags, .error = error};

	bool read = read_pattern(&reader, json, &new->root);
	dal_buffer_deinit(&reader.path);
	if (!read) {
		dal_pattern_free(new);
		return DAL_PATTERN_INVALID;
	}
	*pattern = new;
	return 0;
}

int dal_pattern_parse(struct dal_slice text, int flags, struct dal_pattern **pattern,
		      struct dal_error *error)
{
	struct dal_json *json = dal_json_new();
	int r = dal_pattern_parse_with(json, text, flags, pattern, error);
	dal_json_free(json);
	return r;
}

void dal_pattern_free(struct dal_pattern *pattern)
{
	if (pattern) {
		dal_arena_deinit(&pattern->arena);
		free(pattern);
	}
}
