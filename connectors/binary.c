/*
 * Binary mode: attributes in ce- headers, the body is the data (HTTP binding 1.0.2, section 3.1).
 *
 * It becomes the structured form once. What a header says is text: a number stays a string, as its
 * type is not known here.
 */
#include "connectors/ingress_private.h"

#include "connectors/percent.h"
#include "engine/event/json_write.h"
#include "engine/event/utf8.h"

#define MOST_ATTRIBUTES 100

struct headers {
	struct dal_attribute attributes[MOST_ATTRIBUTES + 1]; /* and datacontenttype */
	size_t count;
	struct dal_buffer text;     /* names and values; its memory is reserved once */
	struct dal_buffer unquoted; /* the value at hand */
	bool version;
};

/* A quoted-string's content (RFC 9110, section 5.6.4), or the value as it is. */
static void unquote(struct dal_slice value, struct dal_buffer *out)
{
	if (value.size < 2 || value.data[0] != '"' || value.data[value.size - 1] != '"') {
		dal_buffer_slice_append(out, value);
		return;
	}
	for (size_t i = 1; i + 1 < value.size; i++) {
		i += value.data[i] == '\\' && i + 2 < value.size;
		dal_buffer_byte(out, value.data[i]);
	}
}

static struct dal_slice lower(struct dal_slice name, struct dal_buffer *out)
{
	size_t start = out->size;

	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		dal_buffer_byte(out, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
	return dal_slice(out->data + start, name.size);
}

static bool refuse(struct dal_fault *fault, struct dal_slice name, const char *text)
{
	*fault = (struct dal_fault){.status = 400};
	dal_error_set(&fault->error, "header ce-%.*s: %s", (int)(name.size < 64 ? name.size : 64),
		      name.data, text);
	return false;
}

static bool check_name(const struct headers *headers, struct dal_slice name,
		       struct dal_fault *fault)
{
	if (dal_slice_is(name, "data") || dal_slice_is(name, "data_base64")) {
		return refuse(fault, name, "the data is the body");
	}
	if (dal_slice_is(name, "datacontenttype")) {
		return refuse(fault, name, "the data's type is the Content-Type");
	}
	if (headers->count == MOST_ATTRIBUTES) {
		return refuse(fault, name, "more than 100 ce- headers");
	}
	for (size_t i = 0; i < headers->count; i++) {
		if (dal_slice_equal(headers->attributes[i].name, name)) {
			return refuse(fault, name, "given twice");
		}
	}
	return true;
}

static bool add(struct headers *headers, struct dal_slice name, struct dal_slice value,
		struct dal_fault *fault)
{
	size_t start = headers->text.size;

	dal_buffer_clear(&headers->unquoted);
	unquote(value, &headers->unquoted);
	if (!dal_percent_decode(dal_buffer_slice(&headers->unquoted), false, &headers->text)) {
		return refuse(fault, name,
			      "expected two hexadecimal digits after '%'; '%' itself is \"%25\"");
	}
	struct dal_slice decoded = dal_slice(headers->text.data + start,
					     headers->text.size - start);
	if (!dal_utf8_valid(decoded)) {
		return refuse(fault, name, "not UTF-8");
	}
	if (dal_slice_is(name, "specversion")) {
		bool known = dal_slice_is(decoded, "1.0");
		bool first = !headers->version;
		headers->version = true;
		return (known && first) ||
		       refuse(fault, name, known ? "given twice" : "expected \"1.0\"");
	}
	struct dal_attribute attribute = {name, decoded, false};
	if (decoded.size == 0) {
		/* dal_event_build leaves out what is empty; here it shall be seen, and judged. */
		attribute.value = dal_slice_text("\"\"");
		attribute.raw = true;
	}
	headers->attributes[headers->count++] = attribute;
	return true;
}

static bool read_headers(struct dal_http_request *request, struct headers *headers,
			 struct dal_fault *fault)
{
	struct dal_slice name, value;
	size_t bytes = 0;

	for (size_t i = 0; dal_http_header_at(request, i, &name, &value); i++) {
		bytes += name.size + value.size;
	}
	dal_buffer_reserve(&headers->text, bytes + 1); /* the decoder wants one more */
	for (size_t i = 0; dal_http_header_at(request, i, &name, &value); i++) {
		if (name.size < 3 ||
		    !dal_slice_equal_nocase(dal_slice(name.data, 3), dal_slice_text("ce-"))) {
			continue;
		}
		name = lower(dal_slice(name.data + 3, name.size - 3), &headers->text);
		if (!check_name(headers, name, fault) ||
		    !add(headers, name, dal_slice_trim(value), fault)) {
			return false;
		}
	}
	return true;
}

/*
 * The body by its Content-Type: JSON (also without one) is `data`, all else base64. The place of a
 * mistake is one in the body.
 */
static bool read_data(struct dal_post *post, struct dal_json *json, struct dal_event_parts *parts,
		      struct dal_slice type, struct dal_fault *fault)
{
	struct dal_media media = dal_media_read(type);
	struct dal_json_error why;

	if (post->gathered.body.size == 0) {
		return true;
	}
	if (media.type.size > 0 && !dal_media_is_json(&media)) {
		parts->binary = dal_buffer_slice(&post->gathered.body);
		parts->has_binary = true;
		return true;
	}
	parts->data = dal_post_text(post);
	if (dal_json_parse(json, parts->data, DAL_JSON_PADDED, &why) == 0) {
		return true;
	}
	size_t before = parts->data.size ? (size_t)(parts->data.data - post->gathered.body.data)
					 : 0;
	*fault = (struct dal_fault){
		.status = 400, .placed = true, .position = before + why.position};
	dal_error_set(&fault->error, "the body is not JSON: %s%s", why.reason,
		      media.type.size ? "" : "; for other data send its Content-Type");
	return false;
}

static bool make(struct dal_post *post, struct headers *headers, struct dal_json *json,
		 struct dal_event *event, struct dal_fault *fault)
{
	struct dal_event_parts parts = {.attributes = headers->attributes};
	struct dal_slice type = {0};

	dal_http_header(post->request, "content-type", &type);
	type = dal_slice_trim(type);
	if (!dal_utf8_valid(type)) {
		return refuse(fault, dal_slice_text("datacontenttype"), "not UTF-8");
	}
	if (!read_headers(post->request, headers, fault) ||
	    !read_data(post, json, &parts, type, fault)) {
		return false;
	}
	headers->attributes[headers->count++] = (struct dal_attribute){
		dal_slice_text("datacontenttype"), type, false};
	parts.count = headers->count;
	dal_event_build(&parts, &post->event);
	dal_buffer_reserve(&post->event, DAL_JSON_PADDING);
	if (!dal_ingress_check(post->ingress, json, dal_buffer_slice(&post->event),
			       DAL_JSON_PADDED | DAL_JSON_TRUSTED, event, fault)) {
		fault->placed = false; /* a place in what was built says nothing */
		return false;
	}
	return true;
}

void dal_post_binary(struct dal_post *post)
{
	struct dal_json *json = dal_ingress_parser(post->ingress);
	struct headers headers = {.count = 0};
	struct dal_fault fault;
	struct dal_event event;
	bool good = make(post, &headers, json, &event, &fault);

	if (good) {
		dal_post_keep_one(post, dal_buffer_slice(&post->event), &event);
	}
	dal_buffer_deinit(&headers.text);
	dal_buffer_deinit(&headers.unquoted);
	dal_ingress_parser_done(post->ingress, json);
	if (good) {
		dal_post_append(post, dal_buffer_slice(&post->event));
	} else {
		dal_post_refuse(post, &fault, 0, -1);
	}
}
