#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/event/event.h"

/* Names in messages are cut: they come from outside. */
#define SHOWN(name) (int)((name).size < 64 ? (name).size : 64), (name).data

static bool is_control(struct dal_slice text, size_t at)
{
	unsigned char c = (unsigned char)text.data[at];
	if (c == 0xC2 && at + 1 < text.size) {
		return (unsigned char)text.data[at + 1] < 0xA0; /* U+0080 to U+009F */
	}
	return c < 0x20 || c == 0x7F;
}

/* In a string's source: without an escape there is no control character below U+0020 in it. */
static bool may_have_control(struct dal_slice raw)
{
	return memchr(raw.data, '\\', raw.size) || memchr(raw.data, 0x7F, raw.size) ||
	       memchr(raw.data, 0xC2, raw.size);
}

static bool has_control(struct dal_slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		if (is_control(text, i)) {
			return true;
		}
	}
	return false;
}

static bool is_name(struct dal_slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9')) {
			return false;
		}
	}
	return name.size > 0;
}

static bool name_is(struct dal_slice name, const char *text)
{
	return memcmp(name.data, text, name.size) == 0;
}

/* The attributes of the specification itself, and partitionkey: text that is not empty. */
static bool is_text_attribute(struct dal_slice name)
{
	switch (name.size) {
	case 2:
		return name_is(name, "id");
	case 4:
		return name_is(name, "type") || name_is(name, "time");
	case 6:
		return name_is(name, "source");
	case 7:
		return name_is(name, "subject");
	case 10:
		return name_is(name, "dataschema");
	case 11:
		return name_is(name, "specversion");
	case 12:
		return name_is(name, "partitionkey");
	case 15:
		return name_is(name, "datacontenttype");
	default:
		return false;
	}
}

static bool refuse(struct dal_error *error, struct dal_slice name, const char *expected)
{
	dal_error_set(error, "attribute \"%.*s\": expected %s", SHOWN(name), expected);
	return false;
}

static bool check_value(const struct dal_json *json, struct dal_slice name, uint32_t value,
			struct dal_error *error)
{
	enum dal_json_kind kind = dal_json_kind(json, value);
	if (kind == DAL_JSON_STRING) {
		struct dal_slice text = dal_json_string(json, value);
		if (may_have_control(dal_json_raw(json, value)) && has_control(text)) {
			return refuse(error, name, "text without control characters");
		}
		if (text.size == 0 && is_text_attribute(name)) {
			return refuse(error, name, "text that is not empty");
		}
		return true;
	}
	if (is_text_attribute(name)) {
		return refuse(error, name, "a string");
	}
	if (kind == DAL_JSON_INTEGER) {
		int64_t number = dal_json_integer(json, value);
		return (number >= INT32_MIN && number <= INT32_MAX) ||
		       refuse(error, name, "an integer of 32 bits; write a larger one as a string");
	}
	return kind == DAL_JSON_TRUE || kind == DAL_JSON_FALSE ||
	       refuse(error, name,
		      "a string, an integer or a boolean; other values belong in \"data\"");
}

static bool check_base64(const struct dal_json *json, uint32_t value, struct dal_error *error)
{
	struct dal_buffer bytes = {0};
	bool good = dal_json_kind(json, value) == DAL_JSON_STRING &&
		    dal_base64_decode(dal_json_string(json, value), &bytes);
	dal_buffer_deinit(&bytes);
	if (!good) {
		dal_error_set(error,
			      "\"data_base64\": expected a string of base64 (RFC 4648 section 4, "
			      "with padding)");
	}
	return good;
}

static bool check_member(const struct dal_json *json, uint32_t key, struct dal_error *error)
{
	struct dal_slice name = dal_json_string(json, key);
	uint32_t value = key + 1;
	if (dal_slice_is(name, "data") || dal_json_kind(json, value) == DAL_JSON_NULL) {
		return true;
	}
	if (dal_slice_is(name, "data_base64")) {
		return check_base64(json, value, error);
	}
	if (!is_name(name)) {
		dal_error_set(error,
			      "attribute \"%.*s\": a name has lower-case letters and digits only; "
			      "the payload belongs in \"data\"",
			      SHOWN(name));
		return false;
	}
	return check_value(json, name, value, error);
}

static bool check_required(const struct dal_event *event, struct dal_error *error)
{
	const struct {
		const char *name;
		struct dal_slice value;
	} required[] = {{"id", event->id}, {"source", event->source}, {"type", event->type}};
	uint32_t version = dal_event_attribute(event, dal_slice_text("specversion"));
	if (version == DAL_JSON_NONE) {
		dal_error_set(error, "attribute \"specversion\" is missing: expected \"1.0\"");
		return false;
	}
	if (!dal_slice_is(dal_json_string(event->json, version), "1.0")) {
		return refuse(error, dal_slice_text("specversion"), "\"1.0\"");
	}
	for (size_t i = 0; i < sizeof(required) / sizeof(*required); i++) {
		if (required[i].value.size == 0) {
			dal_error_set(
				error,
				"attribute \"%s\" is missing: expected text that is not empty",
				required[i].name);
			return false;
		}
	}
	return true;
}

static bool check_payload(const struct dal_event *event, struct dal_error *error)
{
	if (event->data_base64 != DAL_JSON_NONE) { /* a view of such a one hides its data */
		uint32_t data = dal_json_find(event->json, DAL_JSON_ROOT, dal_slice_text("data"));
		if (data != DAL_JSON_NONE && dal_json_kind(event->json, data) != DAL_JSON_NULL) {
			dal_error_set(error,
				      "both \"data\" and \"data_base64\": expected one of them");
			return false;
		}
	}
	int64_t time_us;
	if (event->time.size && !dal_clock_parse(event->time, &time_us)) {
		return refuse(error, dal_slice_text("time"),
			      "RFC 3339 such as \"2026-11-24T10:13:26Z\"");
	}
	return true;
}

int dal_event_check(const struct dal_event *event, struct dal_error *error)
{
	const struct dal_json *json = event->json;
	if (json->count == 0 || dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		dal_error_set(
			error,
			"expected a JSON object: a CloudEvent with specversion, id, source, type");
		return DAL_EVENT_INVALID;
	}
	uint32_t end = dal_json_next(json, DAL_JSON_ROOT);
	for (uint32_t key = DAL_JSON_ROOT + 1; key < end; key = dal_json_next(json, key + 1)) {
		if (!check_member(json, key, error)) {
			return DAL_EVENT_INVALID;
		}
	}
	return check_required(event, error) && check_payload(event, error) ? 0 : DAL_EVENT_INVALID;
}

int dal_event_read(struct dal_event *event, const struct dal_json *json, struct dal_error *error)
{
	dal_event_view(event, json);
	return dal_event_check(event, error);
}
