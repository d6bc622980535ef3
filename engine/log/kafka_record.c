#include "engine/log/kafka_record.h"

#include "engine/base/digest.h"
#include "engine/event/json_write.h"
#include "engine/event/utf8.h"

#define STRUCTURED "application/cloudevents"
#define BATCHED "application/cloudevents-batch"
#define ESCAPED 6 /* bytes that one may become in a JSON string */
#define PREFIX_BYTES (sizeof(DAL_KAFKA_ATTRIBUTE_PREFIX) - 1)

enum mode { WRAPPED, BINARY, AS_IT_IS, REFUSED };

struct reading {
	const struct dal_kafka_record *record;
	struct dal_json *json;
	struct dal_kafka_arena *arena;
	struct dal_log_record *out;
	struct dal_slice content_type; /* of the header, or empty */
	size_t header_bytes;           /* of the attributes' names and values */
};

static bool starts_nocase(struct dal_slice text, const char *prefix)
{
	size_t size = strlen(prefix);

	return text.size >= size &&
	       dal_slice_equal_nocase(dal_slice(text.data, size), dal_slice_text(prefix));
}

bool dal_kafka_is_event(struct dal_slice content_type)
{
	return starts_nocase(content_type, STRUCTURED);
}

bool dal_kafka_is_json(struct dal_slice content_type)
{
	struct dal_slice type = content_type, parameters;

	dal_slice_cut(content_type, ';', &type, &parameters);
	type = dal_slice_trim(type);
	return dal_slice_equal_nocase(type, dal_slice_text("application/json")) ||
	       dal_slice_equal_nocase(type, dal_slice_text("text/json")) ||
	       (type.size > 5 && dal_slice_equal_nocase(dal_slice(type.data + type.size - 5, 5),
							dal_slice_text("+json")));
}

/* Text that an attribute may hold: UTF-8, not empty, no control characters. */
static bool is_plain(struct dal_slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		unsigned char behind = i + 1 < text.size ? (unsigned char)text.data[i + 1] : 0xFF;
		if (c < 0x20 || c == 0x7F || (c == 0xC2 && behind < 0xA0)) {
			return false;
		}
	}
	return text.size > 0 && dal_utf8_valid(text);
}

static void place_set(const struct dal_kafka_record *record, struct dal_log_record *out)
{
	*out = (struct dal_log_record){
		.place = {.topic = dal_slice_text(record->topic->name),
			  .partition = record->partition,
			  .offset = record->offset},
		.appended_us = record->time_ms > 0 ? record->time_ms * 1000 : 0,
		.untrusted = true,
		.foreign = !record->topic->own,
	};
}

void dal_kafka_record_refuse(const struct dal_kafka_record *record, struct dal_kafka_arena *arena,
			     struct dal_log_record *out, const char *format, ...)
{
	struct dal_buffer why = {0};
	va_list args;

	va_start(args, format);
	dal_buffer_vprintf(&why, format, args);
	va_end(args);
	place_set(record, out);
	out->refused = dal_kafka_arena_copy(arena, dal_buffer_slice(&why));
	out->size_bytes = record->value.size;
	dal_buffer_deinit(&why);
}

/* --- headers --- */

static bool is_attribute(struct dal_slice name)
{
	return name.size > PREFIX_BYTES && dal_slice_starts(name, DAL_KAFKA_ATTRIBUTE_PREFIX);
}

static void dedup_read(struct reading *r, struct dal_slice text)
{
	struct dal_buffer bytes = dal_kafka_arena_reserve(r->arena, DAL_KAFKA_DEDUP_BYTES);

	if (text.size == 2 * DAL_KAFKA_DEDUP_BYTES && dal_hex_decode(text, &bytes)) {
		r->out->dedup = dal_kafka_arena_keep(r->arena, &bytes, 0);
	}
}

static enum mode refuse(struct reading *r, const char *reason)
{
	dal_kafka_record_refuse(r->record, r->arena, r->out, "%s", reason);
	return REFUSED;
}

/* Which mode they say it is; sums up what the attributes need. */
static enum mode headers_read(struct reading *r)
{
	enum mode mode = WRAPPED;

	for (size_t i = 0; i < r->record->header_count; i++) {
		const struct dal_kafka_header *header = &r->record->headers[i];
		if (is_attribute(header->name)) {
			mode = BINARY;
			r->header_bytes += header->name.size + header->value.size + 8;
		} else if (dal_slice_equal_nocase(header->name,
						  dal_slice_text(DAL_KAFKA_CONTENT_TYPE))) {
			r->content_type = header->value;
		} else if (dal_slice_is(header->name, DAL_KAFKA_DEDUP_HEADER)) {
			dedup_read(r, header->value);
		}
	}
	if (starts_nocase(r->content_type, BATCHED)) {
		return refuse(r, "a batch of CloudEvents in one record: send one event a record");
	}
	if (dal_kafka_is_event(r->content_type)) {
		return dal_kafka_is_json(r->content_type)
			       ? AS_IT_IS
			       : refuse(r, "a structured CloudEvent that is not JSON: send "
					   "application/cloudevents+json");
	}
	return mode;
}

/* --- binary mode --- */

static bool is_hops(struct dal_slice name, struct dal_slice value)
{
	uint64_t number;

	return dal_slice_is(name, "dalambhops") && dal_slice_to_u64(value, &number) &&
	       number <= INT32_MAX && (value.size == 1 || value.data[0] != '0');
}

/* Into what was reserved, of which there is enough. */
static void put(struct dal_buffer *out, const char *bytes, size_t size)
{
	memcpy(out->data + out->size, bytes, size);
	out->size += size;
}

/* Most text needs no second look: no escapes, no UTF-8 beyond ASCII. */
static bool is_simple(struct dal_slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		if (c < 0x20 || c >= 0x7F || c == '"' || c == '\\') {
			return false;
		}
	}
	return true;
}

/* False: it is not UTF-8. */
static bool put_string(struct dal_buffer *out, struct dal_slice text)
{
	if (is_simple(text)) {
		put(out, "\"", 1);
		if (text.size > 0) {
			put(out, text.data, text.size);
		}
		put(out, "\"", 1);
		return true;
	}
	if (!dal_utf8_valid(text)) {
		return false;
	}
	dal_json_append_string(out, text);
	return true;
}

static bool put_attribute(struct dal_buffer *out, struct dal_slice name, struct dal_slice value)
{
	put(out, out->size == 0 ? "{" : ",", 1);
	if (!put_string(out, name)) {
		return false;
	}
	put(out, ":", 1);
	if (is_hops(name, value)) {
		put(out, value.data, value.size);
		return true;
	}
	return put_string(out, value);
}

/* The attributes that the headers are; content-type goes before a ce_datacontenttype. */
static bool put_headers(struct reading *r, struct dal_buffer *out)
{
	for (size_t i = 0; i < r->record->header_count; i++) {
		const struct dal_kafka_header *header = &r->record->headers[i];
		struct dal_slice name = header->name;
		if (!is_attribute(name) || header->null) {
			continue;
		}
		name.data += PREFIX_BYTES;
		name.size -= PREFIX_BYTES;
		if (dal_slice_starts(name, "data") &&
		    (name.size == 4 || dal_slice_is(name, "data_base64"))) {
			refuse(r, "a header ce_data: the payload is the record's value");
			return false;
		}
		if (dal_slice_is(name, "datacontenttype")) {
			r->content_type = r->content_type.size ? r->content_type : header->value;
		} else if (!put_attribute(out, name, header->value)) {
			refuse(r, "a ce_ header whose text is not UTF-8");
			return false;
		}
	}
	if (r->content_type.size &&
	    !put_attribute(out, dal_slice_text("datacontenttype"), r->content_type)) {
		refuse(r, "a content-type whose text is not UTF-8");
		return false;
	}
	return true;
}

static void put_member(struct dal_buffer *out, const char *name)
{
	dal_buffer_text(out, out->size == 0 ? "{\"" : ",\"");
	dal_buffer_text(out, name);
	dal_buffer_text(out, "\":");
}

static void put_base64(struct dal_buffer *out, struct dal_slice bytes)
{
	put_member(out, "data_base64");
	dal_buffer_byte(out, '"');
	dal_base64_encode(bytes, out);
	dal_buffer_byte(out, '"');
}

static void keep(struct reading *r, const struct dal_buffer *event)
{
	r->out->event = dal_kafka_arena_keep(r->arena, event, DAL_JSON_PADDING);
}

/* How much room an event of `text` bytes beside the value may need. */
static struct dal_buffer reserve(struct reading *r, size_t text)
{
	size_t value = r->record->value.size;

	return dal_kafka_arena_reserve(r->arena,
				       ESCAPED * text + value + value / 3 + 256 + DAL_JSON_PADDING);
}

/* The value is spliced in as it is: accept sees to it that it is one JSON value. */
static void read_binary(struct reading *r)
{
	struct dal_buffer event = reserve(r, r->header_bytes + r->content_type.size);
	struct dal_slice value = r->record->value;

	if (!put_headers(r, &event)) {
		return;
	}
	if (r->content_type.size && !dal_kafka_is_json(r->content_type)) {
		if (r->record->valued) {
			put_base64(&event, value);
		}
	} else if (value.size > 0) {
		put_member(&event, "data");
		dal_buffer_slice_append(&event, value);
		r->out->size_bytes = value.size;
	}
	dal_buffer_byte(&event, '}');
	keep(r, &event);
}

/* --- structured --- */

static void read_as_it_is(struct reading *r)
{
	struct dal_slice value = r->record->value;
	struct dal_buffer event;

	if (value.size == 0) {
		refuse(r, "its content-type says it is a CloudEvent, but it has no value");
		return;
	}
	event = dal_kafka_arena_reserve(r->arena, value.size + DAL_JSON_PADDING);
	dal_buffer_slice_append(&event, value);
	keep(r, &event);
}

/* Whoever begins an object with it means a CloudEvent: it need not be parsed to know. */
static bool begins_as_event(struct dal_slice value)
{
	return dal_slice_starts(value, "{\"specversion\":\"");
}

static bool has_text(const struct dal_json *json, const char *name)
{
	uint32_t node = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(name));

	return node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_STRING;
}

static bool is_event(const struct dal_json *json)
{
	return has_text(json, "specversion") && has_text(json, "id") && has_text(json, "source") &&
	       has_text(json, "type");
}

/* --- wrapped --- */

static void put_number(struct dal_buffer *out, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	put(out, digits + at, sizeof(digits) - at);
}

/* What people declared may be anything. */
static void put_declared(struct dal_buffer *out, const char *text)
{
	if (!put_string(out, dal_slice_text(text))) {
		dal_json_append_string(out, dal_slice_text(text));
	}
}

#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)

/* The names of topics and the times need no escapes. */
static void put_envelope(struct reading *r, struct dal_buffer *event)
{
	const struct dal_kafka_record *record = r->record;
	const struct dal_kafka_topic *topic = record->topic;

	PUT(event, "{\"specversion\":\"1.0\",\"id\":\"");
	put(event, topic->name, strlen(topic->name));
	PUT(event, "/");
	put_number(event, (uint64_t)record->partition);
	PUT(event, "/");
	put_number(event, record->offset);
	PUT(event, "\",\"source\":");
	put_declared(event, topic->source);
	PUT(event, ",\"type\":");
	put_declared(event, topic->type);
	if (record->keyed && is_plain(record->key)) {
		PUT(event, ",\"subject\":");
		put_string(event, record->key);
	}
	if (record->time_ms >= 0) {
		const char *time = dal_kafka_arena_time(r->arena, record->time_ms);
		PUT(event, ",\"time\":\"");
		put(event, time, strlen(time));
		PUT(event, "\"");
	}
}

/* It is parsed where it will lie: behind it is room to read. */
static void read_wrapped(struct reading *r)
{
	const struct dal_kafka_record *record = r->record;
	struct dal_slice value = record->value;
	struct dal_buffer event = reserve(r, record->key.size + strlen(record->topic->name) +
						     strlen(record->topic->source) +
						     strlen(record->topic->type) + 160);
	size_t bare;

	put_envelope(r, &event);
	bare = event.size;
	if (record->valued && value.size > 0) {
		put_member(&event, "data");
		struct dal_slice in_place = dal_slice(event.data + event.size, value.size);
		dal_buffer_slice_append(&event, value);
		if (dal_json_parse(r->json, in_place, DAL_JSON_PADDED | DAL_JSON_LAST_WINS, NULL)) {
			event.size = bare;
			put_base64(&event, value);
		} else if (is_event(r->json)) {
			read_as_it_is(r);
			return;
		}
	} else if (record->valued) {
		put_base64(&event, value);
	}
	dal_buffer_byte(&event, '}');
	keep(r, &event);
}

void dal_kafka_record_read(const struct dal_kafka_record *record, struct dal_json *json,
			   struct dal_kafka_arena *arena, struct dal_log_record *out)
{
	struct reading r = {.record = record, .json = json, .arena = arena, .out = out};
	enum mode mode;

	if (record->value.size > DAL_KAFKA_VALUE_BYTES) {
		dal_kafka_record_refuse(record, arena, out, "larger than %llu bytes",
					(unsigned long long)DAL_KAFKA_VALUE_BYTES);
		return;
	}
	place_set(record, out);
	out->keyed = record->keyed;
	out->key = dal_kafka_arena_copy(arena, record->key);
	mode = headers_read(&r);
	if (mode == BINARY) {
		read_binary(&r);
	} else if (mode == AS_IT_IS || (mode == WRAPPED && begins_as_event(record->value))) {
		read_as_it_is(&r);
	} else if (mode == WRAPPED) {
		read_wrapped(&r);
	}
}
