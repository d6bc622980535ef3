#include "engine/http/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define TIMEOUT_MS 30000
#define CONNECT_MS 10000

struct dal_http_client {
	CURL *curl;
	char *base, *unix_socket, *authorization;
	const char *remedy;
	uint64_t timeout_ms;
	char reason[CURL_ERROR_SIZE];
};

/* One exchange. */
struct exchange {
	struct dal_http_client *client;
	const struct dal_http_ask *ask;
	struct dal_http_answer *answer;
	bool ended, too_large, unreadable;
};

static void curl_start(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

int dal_http_client_new(const struct dal_http_client_options *options, struct dal_http_client **out,
			struct dal_error *error)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct dal_http_client *client;
	size_t size = strlen(options->base);

	if (strncmp(options->base, "http://", 7) != 0 &&
	    strncmp(options->base, "https://", 8) != 0) {
		dal_error_set(error, "\"%s\" is no address of an engine: expected http://HOST:PORT",
			      options->base);
		return -EINVAL;
	}
	pthread_once(&once, curl_start);
	client = dal_calloc(1, sizeof(*client));
	client->curl = curl_easy_init();
	DAL_ASSERT(client->curl != NULL);
	while (size > 0 && options->base[size - 1] == '/') {
		size--;
	}
	client->base = dal_slice_dup(dal_slice(options->base, size));
	client->unix_socket = dal_strdup(options->unix_socket);
	client->authorization = options->token
					? dal_asprintf("Authorization: Bearer %s", options->token)
					: NULL;
	client->remedy = options->remedy;
	client->timeout_ms = options->timeout_ms ? options->timeout_ms : TIMEOUT_MS;
	*out = client;
	return 0;
}

void dal_http_client_free(struct dal_http_client *client)
{
	if (client == NULL) {
		return;
	}
	curl_easy_cleanup(client->curl);
	free(client->base);
	free(client->unix_socket);
	if (client->authorization != NULL) {
		explicit_bzero(client->authorization, strlen(client->authorization));
	}
	free(client->authorization);
	free(client);
}

static size_t on_write(char *data, size_t one, size_t size, void *own)
{
	struct exchange *exchange = own;
	struct dal_buffer *body = &exchange->answer->body;
	long status = 0;

	(void)one;
	curl_easy_getinfo(exchange->client->curl, CURLINFO_RESPONSE_CODE, &status);
	if (exchange->ask->write != NULL && status / 100 == 2) {
		exchange->ended = exchange->ask->write(dal_slice(data, size), exchange->ask->own) !=
				  0;
		return exchange->ended ? 0 : size;
	}
	exchange->too_large = body->size + size > DAL_LIMIT_JSON_BYTES;
	if (exchange->too_large) {
		return 0;
	}
	dal_buffer_append(body, data, size);
	return size;
}

static size_t on_read(char *to, size_t one, size_t size, void *own)
{
	struct exchange *exchange = own;
	long got = exchange->ask->read(to, one * size, exchange->ask->own);

	exchange->unreadable = got < 0;
	return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static struct curl_slist *make_headers(const struct exchange *exchange)
{
	const struct dal_http_ask *ask = exchange->ask;
	const struct dal_http_header_line *line = ask->headers;
	struct curl_slist *list = NULL;
	struct dal_buffer text = {0};

	if (exchange->client->authorization != NULL) {
		list = curl_slist_append(list, exchange->client->authorization);
	}
	dal_buffer_printf(&text, "Content-Type:%s%s", ask->type ? " " : "",
			  ask->type ? ask->type : "");
	list = curl_slist_append(list, dal_buffer_cstr(&text));
	if (ask->read != NULL) {
		list = curl_slist_append(list, "Transfer-Encoding: chunked");
	}
	for (; line != NULL && line->name != NULL; line++) {
		dal_buffer_clear(&text);
		dal_buffer_printf(&text, "%s: %s", line->name, line->value);
		list = curl_slist_append(list, dal_buffer_cstr(&text));
	}
	dal_buffer_deinit(&text);
	return list;
}

static void set_body(CURL *curl, struct exchange *exchange)
{
	const struct dal_http_ask *ask = exchange->ask;

	if (ask->read != NULL) {
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(curl, CURLOPT_READDATA, exchange);
	} else if (ask->body.size > 0 || strcmp(ask->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.size);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, ask->body.size ? ask->body.data : "");
	} else if (strcmp(ask->method, "HEAD") == 0) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
}

static void set_options(struct exchange *exchange, const char *url, struct curl_slist *headers)
{
	struct dal_http_client *client = exchange->client;
	CURL *curl = client->curl;

	curl_easy_reset(curl); /* keeps the connection */
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "dalamb");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->reason);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	if (client->timeout_ms != UINT64_MAX) {
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)client->timeout_ms);
	}
	if (client->unix_socket != NULL) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->unix_socket);
	}
	set_body(curl, exchange);
}

/* "connection refused" rather than curl's "Failed to connect to 127.0.0.1 port 8080 after 0 ms". */
static void explain(const struct exchange *exchange, CURLcode code, struct dal_error *error)
{
	const struct dal_http_client *client = exchange->client;
	const char *place = client->unix_socket ? client->unix_socket : client->base;
	const char *prefix = client->unix_socket ? "unix:" : "";
	long number = 0;

	curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &number);
	if (exchange->too_large) {
		dal_error_set(error,
			      "the answer of %s%s to %s %s is larger than 64 MiB: ask for less",
			      prefix, place, exchange->ask->method, exchange->ask->target);
	} else if (exchange->unreadable) {
		dal_error_set(error, "what was to be sent to %s%s could not be read", prefix,
			      place);
	} else if (code == CURLE_OPERATION_TIMEDOUT) {
		dal_error_set(error, "%s%s did not answer %s %s in %llu ms: %s", prefix, place,
			      exchange->ask->method, exchange->ask->target,
			      (unsigned long long)client->timeout_ms,
			      client->remedy ? client->remedy : "is the engine overloaded?");
	} else if (code == CURLE_COULDNT_CONNECT) {
		dal_error_set(error, "could not reach %s%s: %s; %s", prefix, place,
			      strerror(number ? (int)number : ECONNREFUSED),
			      client->remedy ? client->remedy
					     : "is `dalamb run` running? use --url or DALAMB_URL");
	} else {
		dal_error_set(error, "could not reach %s%s: %s; %s", prefix, place,
			      client->reason[0] ? client->reason : curl_easy_strerror(code),
			      client->remedy ? client->remedy : "use --url or DALAMB_URL");
	}
}

int dal_http_client_ask(struct dal_http_client *client, const struct dal_http_ask *ask,
			struct dal_http_answer *answer, struct dal_error *error)
{
	struct exchange exchange = {.client = client, .ask = ask, .answer = answer};
	struct curl_slist *headers = make_headers(&exchange);
	char *url = dal_asprintf("%s%s", client->base, ask->target), *type = NULL;
	long status = 0;
	CURLcode code;

	*answer = (struct dal_http_answer){0};
	client->reason[0] = 0;
	set_options(&exchange, url, headers);
	code = curl_easy_perform(client->curl);
	curl_slist_free_all(headers);
	free(url);
	if (code != CURLE_OK && !exchange.ended) {
		explain(&exchange, code, error);
		dal_http_answer_deinit(answer);
		return DAL_HTTP_UNREACHABLE;
	}
	curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
	answer->status = (int)status;
	dal_buffer_text(&answer->type, type ? type : "");
	return 0;
}

void dal_http_answer_deinit(struct dal_http_answer *answer)
{
	dal_buffer_deinit(&answer->body);
	dal_buffer_deinit(&answer->type);
	*answer = (struct dal_http_answer){0};
}
