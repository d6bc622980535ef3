/* May a request go on to its handler? Everything that is known once the headers are there. */
#include "engine/http/internal.h"

#include "engine/base/memory.h"

static enum MHD_Result gather_header(void *data, enum MHD_ValueKind kind, const char *name,
				     size_t name_size, const char *value, size_t value_size)
{
	struct dal_http_request *request = data;

	(void)kind;
	DAL_GROW(request->headers, request->header_count, request->header_capacity);
	request->headers[request->header_count++] = (struct dal_http_pair){
		dal_slice(name, name_size), dal_slice(value, value_size)};
	return MHD_YES;
}

static bool refuse(struct dal_http_request *request, int status, const char *text)
{
	request->close = true;
	dal_http_problem_with(request, status, text, NULL);
	return false;
}

/* Bytes that libmicrohttpd hides: see dal_http_guard_layout. The request line is "METHOD target
 * HTTP/1.1". */
static bool admit_layout(struct dal_http_request *request, const char *method, const char *version)
{
#if MHD_VERSION < 0x01000000
	size_t size = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)
			      ->header_size;
	const char *line_end = version + 8;

	if (request->uri != method + request->method.size + 1 ||
	    version != request->uri + request->raw.size + 1) {
		return refuse(request, 400,
			      "the request line is not \"METHOD TARGET HTTP/1.1\" with single "
			      "spaces and no control bytes");
	}
	if (!dal_http_guard_layout(line_end, method + size, request->headers,
				   request->header_count)) {
		return refuse(request, 400,
			      "the headers have a NUL, a line that ends without CR, or a "
			      "folded line");
	}
#else
	(void)request;
	(void)method;
	(void)version;
#endif
	return true;
}

static bool admit_form(struct dal_http_request *request, const char *method, const char *version)
{
	bool one_one = strcmp(version, "HTTP/1.1") == 0;
	struct dal_http_refusal refusal;
	const char *wrong;

	if (!one_one && strcmp(version, "HTTP/1.0") != 0) {
		return refuse(request, 505, "the version is neither HTTP/1.1 nor HTTP/1.0");
	}
	if (!admit_layout(request, method, version)) {
		return false;
	}
	refusal = dal_http_guard_headers(request->headers, request->header_count, one_one);
	if (refusal.status != 0) {
		return refuse(request, refusal.status, refusal.text);
	}
	for (size_t i = 0; i < request->header_count; i++) {
		request->headers[i].value = dal_slice_trim(request->headers[i].value);
	}
	wrong = dal_http_target_parse(&request->target, dal_buffer_slice(&request->raw));
	return wrong == NULL || refuse(request, 400, wrong);
}

static bool admit_route(struct dal_http_request *request)
{
	struct dal_http_server *server = request->connection->server;
	struct dal_buffer allow = {0};
	int outcome = dal_http_router_find(server->router, request->method, request->target.path,
					   &request->match);

	if (outcome == DAL_HTTP_NO_PATH) {
		dal_http_problem(request, 404, "there is nothing at %.*s",
				 (int)(request->target.path.size > 200 ? 200
								       : request->target.path.size),
				 request->target.path.data);
		return false;
	}
	if (outcome == DAL_HTTP_NO_METHOD) {
		dal_buffer_text(&request->reply.headers, "Allow");
		dal_buffer_byte(&request->reply.headers, 0);
		dal_http_router_allow(server->router, request->target.path,
				      &request->reply.headers);
		dal_buffer_byte(&request->reply.headers, 0);
		dal_http_router_allow(server->router, request->target.path, &allow);
		dal_http_problem(request, 405, "this path knows %s", dal_buffer_cstr(&allow));
		dal_buffer_deinit(&allow);
		return false;
	}
	return true;
}

static bool admit_token(struct dal_http_request *request)
{
	const struct dal_http_options *options = &request->connection->server->options;
	int wanted = request->match.route->scope, scopes = 0;
	struct dal_slice value, token;

	if (wanted == DAL_HTTP_OPEN) {
		return true;
	}
	if (dal_http_header(request, "Authorization", &value) &&
	    dal_http_guard_bearer(value, &token)) {
		scopes = options->authorize(token, options->data);
	}
	if (scopes <= 0) {
		dal_buffer_append(&request->reply.headers, "WWW-Authenticate\0Bearer", 24);
		dal_http_problem(request, 401,
				 "a token is needed: send Authorization: Bearer TOKEN; `dalamb "
				 "token` makes one");
		return false;
	}
	if ((scopes & wanted) != wanted) {
		dal_http_problem(request, 403,
				 "this token lacks the scope for this: make one with "
				 "dalamb token NAME --scope ...");
		return false;
	}
	return true;
}

static bool admit_caller(struct dal_http_request *request)
{
	struct connection *connection = request->connection;
	struct dal_http_server *server = connection->server;
	struct dal_http_refusal refusal;

	if (request->match.route->scope == DAL_HTTP_SELF) {
		return true;
	}
	if (server->options.authorize != NULL) {
		return admit_token(request);
	}
	if (server->options.trusted || connection->listener->local) {
		return true;
	}
	refusal = dal_http_guard_origin(request->headers, request->header_count,
					request->target.authority, server->host);
	if (refusal.status != 0) {
		dal_http_problem_with(request, refusal.status, refusal.text, NULL);
		return false;
	}
	return true;
}

static bool admit_parameters(struct dal_http_request *request)
{
	struct dal_buffer *out = &request->decoded;

	dal_buffer_reserve(out, request->target.path.size + DAL_HTTP_PARAMETERS);
	for (size_t i = 0; i < request->match.count; i++) {
		size_t start = out->size;
		if (!dal_http_decode(request->match.raw[i], false, out)) {
			dal_http_problem(request, 400,
					 "{%.*s} in the path has a \"%%\" without two "
					 "hexadecimal digits, or \"%%00\"",
					 (int)request->match.names[i].size,
					 request->match.names[i].data);
			return false;
		}
		request->parameters[i] = dal_slice(out->data + start, out->size - start);
	}
	return true;
}

static bool admit_body(struct dal_http_request *request)
{
	const struct dal_http_route *route = request->match.route;
	struct dal_http_server *server = request->connection->server;

	if (route->body_limit == 0 && request->expected <= DAL_HTTP_SWALLOW_BYTES) {
		request->discard = true;
	} else if (request->expected > route->body_limit) {
		request->close = true;
		dal_http_problem(request, 413, "the body is larger than %llu bytes",
				 (unsigned long long)route->body_limit);
		return false;
	} else if (route->on_body == NULL && request->expected > 0) {
		dal_buffer_reserve(&request->body,
				   request->expected < DAL_MIB ? request->expected : DAL_MIB);
		atomic_store(&request->connection->deadline_us,
			     deadline_after(server, request->expected));
	}
	return true;
}

static void look_at_body(struct dal_http_request *request)
{
	struct dal_slice value;

	request->has_expect = dal_http_header(request, "Expect", &value);
	request->has_body = dal_http_header(request, "Transfer-Encoding", &value);
	if (dal_http_header(request, "Content-Length", &value)) {
		dal_slice_to_u64(dal_slice_trim(value), &request->expected);
		request->has_body = request->expected > 0;
	}
}

bool request_admit(struct dal_http_request *request, const char *method, const char *version)
{
	request->method = dal_slice_text(method);
	MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, gather_header, request);
	look_at_body(request);
	return admit_form(request, method, version) && admit_route(request) &&
	       admit_caller(request) && admit_parameters(request) && admit_body(request);
}
