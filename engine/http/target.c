#include "engine/http/target.h"

#include "engine/http/client.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool dal_http_decode(struct dal_slice text, bool plus, struct dal_buffer *out)
{
	char *to = dal_buffer_reserve(out, text.size + 1);
	size_t size = 0;

	for (size_t i = 0; i < text.size; i++) {
		char c = text.data[i];
		if (c == '+' && plus) {
			c = ' ';
		} else if (c == '%') {
			int high = i + 2 < text.size ? hex_value(text.data[i + 1]) : -1;
			int low = i + 2 < text.size ? hex_value(text.data[i + 2]) : -1;
			if (high < 0 || low < 0 || high + low == 0) {
				return false;
			}
			c = (char)(high << 4 | low);
			i += 2;
		}
		to[size++] = c;
	}
	out->size += size;
	return true;
}

void dal_http_encode(struct dal_slice text, struct dal_buffer *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			     (c >= 'a' && c <= 'z') || (c != 0 && strchr("-._~", c) != NULL);
		if (plain) {
			dal_buffer_byte(out, (char)c);
		} else {
			char coded[3] = {'%', digits[c >> 4], digits[c & 15]};
			dal_buffer_append(out, coded, sizeof(coded));
		}
	}
}

/* Names and values lie behind each other in `decoded`, so it must not move: its room is taken
 * first. */
static const char *parse_query(struct dal_http_target *target, struct dal_slice query)
{
	dal_buffer_reserve(&target->decoded, query.size + 2);
	while (query.size > 0) {
		struct dal_slice pair = query, name, value = {NULL, 0};
		struct dal_http_pair *out = &target->pairs[target->pair_count];
		size_t start = target->decoded.size, middle;

		if (dal_slice_cut(query, '&', &pair, &value)) {
			query = value;
		} else {
			query.size = 0;
		}
		if (pair.size == 0) {
			continue;
		}
		if (target->pair_count == DAL_HTTP_QUERY_PAIRS) {
			return "the query has more than 64 parameters";
		}
		value = dal_slice(NULL, 0);
		if (!dal_slice_cut(pair, '=', &name, &value)) {
			name = pair;
		}
		if (!dal_http_decode(name, true, &target->decoded)) {
			return "the query has a \"%\" without two hexadecimal digits, or \"%00\"";
		}
		middle = target->decoded.size;
		if (!dal_http_decode(value, true, &target->decoded)) {
			return "the query has a \"%\" without two hexadecimal digits, or \"%00\"";
		}
		out->name = dal_slice(target->decoded.data + start, middle - start);
		out->value = dal_slice(target->decoded.data + middle,
				       target->decoded.size - middle);
		target->pair_count++;
	}
	return NULL;
}

static const char *check_bytes(struct dal_slice whole)
{
	for (size_t i = 0; i < whole.size; i++) {
		unsigned char c = (unsigned char)whole.data[i];
		if (c <= ' ' || c == 0x7f) {
			return "the target has a space or a control byte: percent-encode it";
		}
		if (c == '#') {
			return "the target has a \"#\": percent-encode it";
		}
	}
	return NULL;
}

/* "http://host:1/path?query" (RFC 9112 section 3.2.2): the authority stands for the Host header. */
static void cut_authority(struct dal_http_target *target, struct dal_slice *rest)
{
	size_t scheme = dal_slice_starts(*rest, "http://")    ? 7
			: dal_slice_starts(*rest, "https://") ? 8
							      : 0;
	size_t end = scheme;

	if (scheme == 0) {
		return;
	}
	while (end < rest->size && rest->data[end] != '/' && rest->data[end] != '?') {
		end++;
	}
	target->authority = dal_slice(rest->data + scheme, end - scheme);
	*rest = dal_slice(rest->data + end, rest->size - end);
}

const char *dal_http_target_parse(struct dal_http_target *target, struct dal_slice whole)
{
	struct dal_slice rest = whole, query = {NULL, 0};
	const char *wrong = check_bytes(whole);

	target->whole = whole;
	target->authority = target->path = dal_slice(NULL, 0);
	target->pair_count = 0;
	dal_buffer_clear(&target->decoded);
	if (wrong != NULL) {
		return wrong;
	}
	cut_authority(target, &rest);
	if (!dal_slice_cut(rest, '?', &target->path, &query)) {
		target->path = rest;
	}
	if (target->path.size == 0 && target->authority.size > 0) {
		target->path = dal_slice("/", 1);
	}
	if (target->path.size == 0 ||
	    (target->path.data[0] != '/' && !dal_slice_is(target->path, "*"))) {
		return "the request target must be a path that starts with \"/\"";
	}
	return parse_query(target, query);
}

void dal_http_target_deinit(struct dal_http_target *target)
{
	dal_buffer_deinit(&target->decoded);
}
