#include "engine/http/guard.h"

#include "engine/base/limits.h"

/* RFC 9110 section 5.6.2: tchar. */
static bool is_token(struct dal_slice text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.data[i];
		bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			      (c >= 'A' && c <= 'Z');
		if (!letter && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
			return false;
		}
	}
	return text.size > 0;
}

bool dal_http_guard_value(struct dal_slice value)
{
	for (size_t i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.data[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f) {
			return false;
		}
	}
	return true;
}

static size_t count_of(const struct dal_http_pair *headers, size_t count, const char *name)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		found += dal_slice_equal_nocase(headers[i].name, dal_slice_text(name));
	}
	return found;
}

bool dal_http_guard_find(const struct dal_http_pair *headers, size_t count, const char *name,
			 struct dal_slice *value)
{
	struct dal_slice wanted = dal_slice_text(name);

	for (size_t i = 0; i < count; i++) {
		if (dal_slice_equal_nocase(headers[i].name, wanted)) {
			*value = headers[i].value;
			return true;
		}
	}
	return false;
}

static struct dal_http_refusal refuse(int status, const char *text)
{
	return (struct dal_http_refusal){status, text};
}

static struct dal_http_refusal guard_lengths(const struct dal_http_pair *headers, size_t count,
					     bool one_one)
{
	size_t lengths = count_of(headers, count, "Content-Length");
	size_t codings = count_of(headers, count, "Transfer-Encoding");
	struct dal_slice value = {NULL, 0};
	uint64_t length;

	if (lengths > 0 && codings > 0) {
		return refuse(400, "both Content-Length and Transfer-Encoding: send one of them");
	}
	if (lengths > 1) {
		return refuse(400, "more than one Content-Length: send one");
	}
	if (dal_http_guard_find(headers, count, "Content-Length", &value) &&
	    !dal_slice_to_u64(dal_slice_trim(value), &length)) {
		return refuse(400, "Content-Length is not a number");
	}
	if (codings == 0) {
		return refuse(0, NULL);
	}
	dal_http_guard_find(headers, count, "Transfer-Encoding", &value);
	if (!one_one) {
		return refuse(400, "Transfer-Encoding needs HTTP/1.1");
	}
	if (codings > 1 ||
	    !dal_slice_equal_nocase(dal_slice_trim(value), dal_slice_text("chunked"))) {
		return refuse(501, "the only Transfer-Encoding understood is \"chunked\"");
	}
	return refuse(0, NULL);
}

struct dal_http_refusal dal_http_guard_headers(const struct dal_http_pair *headers, size_t count,
					       bool one_one)
{
	size_t bytes = 0, hosts = count_of(headers, count, "Host");
	struct dal_slice value;

	for (size_t i = 0; i < count; i++) {
		bytes += headers[i].name.size + headers[i].value.size + 4;
		if (!is_token(headers[i].name)) {
			return refuse(400,
				      "a header's name has a byte that is not allowed in names");
		}
		if (!dal_http_guard_value(headers[i].value)) {
			return refuse(400, "a header's value has a control byte");
		}
	}
	if (bytes > DAL_LIMIT_HTTP_HEADER_BYTES) {
		return refuse(431,
			      "the headers are larger than 32 KiB: send fewer or shorter ones");
	}
	if (hosts > 1) {
		return refuse(400, "more than one Host: send one");
	}
	if (hosts == 0 && one_one) {
		return refuse(400, "no Host: HTTP/1.1 requires it");
	}
	if (dal_http_guard_find(headers, count, "Expect", &value) &&
	    !dal_slice_equal_nocase(dal_slice_trim(value), dal_slice_text("100-continue"))) {
		return refuse(417, "the only Expect understood is \"100-continue\"");
	}
	return guard_lengths(headers, count, one_one);
}

/* "[::1]:8080" to "[::1]", "localhost:8080" to "localhost". */
static struct dal_slice without_port(struct dal_slice host)
{
	size_t end = host.size;

	while (end > 0 && host.data[end - 1] >= '0' && host.data[end - 1] <= '9') {
		end--;
	}
	return end > 0 && host.data[end - 1] == ':' ? dal_slice(host.data, end - 1) : host;
}

static bool is_ours(struct dal_slice host, const char *own)
{
	static const char *const loopback[] = {"localhost", "127.0.0.1", "[::1]"};
	struct dal_slice name = without_port(host);

	for (size_t i = 0; i < sizeof(loopback) / sizeof(*loopback); i++) {
		if (dal_slice_equal_nocase(name, dal_slice_text(loopback[i]))) {
			return true;
		}
	}
	return own != NULL && name.size > 0 && dal_slice_equal_nocase(name, dal_slice_text(own));
}

struct dal_http_refusal dal_http_guard_origin(const struct dal_http_pair *headers, size_t count,
					      struct dal_slice authority, const char *own)
{
	struct dal_slice host = {NULL, 0}, origin;

	dal_http_guard_find(headers, count, "Host", &host);
	if (authority.size > 0) {
		host = authority;
	}
	host = dal_slice_trim(host);
	if (!is_ours(host, own)) {
		return refuse(403,
			      "this Host is not served without tokens: use localhost or the "
			      "listening address, or make a token (dalamb token NAME --scope ...)");
	}
	if (!dal_http_guard_find(headers, count, "Origin", &origin)) {
		return refuse(0, NULL);
	}
	origin = dal_slice_trim(origin);
	for (const char *scheme = "http://"; scheme != NULL;
	     scheme = strcmp(scheme, "http://") == 0 ? "https://" : NULL) {
		size_t size = strlen(scheme);
		if (dal_slice_starts(origin, scheme) &&
		    dal_slice_equal_nocase(dal_slice(origin.data + size, origin.size - size),
					   host)) {
			return refuse(0, NULL);
		}
	}
	return refuse(403,
		      "a web page of another origin may not call this without a token: make one "
		      "(dalamb token NAME --scope ...) and send it as Authorization: Bearer");
}

bool dal_http_guard_bearer(struct dal_slice authorization, struct dal_slice *token)
{
	struct dal_slice scheme;

	if (!dal_slice_cut(dal_slice_trim(authorization), ' ', &scheme, token)) {
		return false;
	}
	*token = dal_slice_trim(*token);
	return token->size > 0 && dal_slice_equal_nocase(scheme, dal_slice_text("Bearer"));
}

bool dal_http_guard_layout(const char *at, const char *end, const struct dal_http_pair *headers,
			   size_t count)
{
	if (end - at < 2 || at[0] != 0 || at[1] != 0) {
		return false;
	}
	at += 2;
	for (size_t i = 0; i < count; i++) {
		const char *name_end = headers[i].name.data + headers[i].name.size;
		const char *value = headers[i].value.data;
		const char *value_end = value + headers[i].value.size;

		if (headers[i].name.data != at || value <= name_end || value_end + 2 > end) {
			return false;
		}
		for (const char *space = name_end + 1; space < value; space++) {
			if (*space != ' ' && *space != '\t') {
				return false;
			}
		}
		if (value_end[0] != 0 || value_end[1] != 0) {
			return false;
		}
		at = value_end + 2;
	}
	return end - at == 2 && at[0] == 0 && at[1] == 0;
}
