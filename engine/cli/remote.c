#include "engine/cli/remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/event/json.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
enum { AGAIN_SECONDS = 1 };

const char *dal_remote_default(void)
{
	const char *url = getenv("DALAMB_URL");

	return url && url[0] ? url : DEFAULT_URL;
}

int dal_remote_open(struct dal_remote *remote, const struct dal_command *command, const char *url,
		    uint64_t timeout_ms)
{
	const char *token = getenv("DALAMB_TOKEN");
	struct dal_http_client_options options = {.timeout_ms = timeout_ms};
	struct dal_error error;

	*remote = (struct dal_remote){.command = command};
	url = url ? url : dal_remote_default();
	options.base = url;
	options.token = token && token[0] ? token : NULL;
	if (strncmp(url, "unix:", 5) == 0) {
		options.base = "http://localhost";
		options.unix_socket = url + 5;
	}
	if (dal_http_client_new(&options, &remote->client, &error) != 0) {
		return dal_usage(command, "%s", error.text);
	}
	return DAL_EXIT_DONE;
}

void dal_remote_close(struct dal_remote *remote)
{
	dal_http_client_free(remote->client);
	remote->client = NULL;
}

int dal_remote_try(struct dal_remote *remote, const struct dal_http_ask *ask,
		   struct dal_http_answer *answer)
{
	struct dal_error error;

	if (dal_http_client_ask(remote->client, ask, answer, &error) != 0) {
		if (remote->silent) {
			return DAL_EXIT_UNREACHABLE;
		}
		return dal_fail(remote->command, DAL_EXIT_UNREACHABLE, "%s", error.text);
	}
	return DAL_EXIT_DONE;
}

static int status_of(int http)
{
	switch (http) {
	case 400:
	case 413:
	case 415:
		return DAL_EXIT_USAGE;
	case 401:
	case 403:
		return DAL_EXIT_UNREACHABLE;
	default:
		return http >= 500 ? DAL_EXIT_UNREACHABLE : DAL_EXIT_NO;
	}
}

static const char *remedy(int http)
{
	switch (http) {
	case 401:
		return "; give it in DALAMB_TOKEN";
	case 403:
		return "; DALAMB_TOKEN needs a token with that scope";
	case 429:
	case 503:
		return "; try again in a moment";
	default:
		return "";
	}
}

int dal_remote_refused(struct dal_remote *remote, const struct dal_http_answer *answer)
{
	struct dal_slice detail = {0};
	struct dal_json *json = dal_json_new();
	int status = status_of(answer->status);

	if (dal_json_parse(json, dal_buffer_slice(&answer->body), DAL_JSON_TRUSTED, NULL) == 0) {
		uint32_t node = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("detail"));
		if (node == DAL_JSON_NONE) {
			node = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("title"));
		}
		if (node != DAL_JSON_NONE && dal_json_kind(json, node) == DAL_JSON_STRING) {
			detail = dal_json_string(json, node);
		}
	}
	if (detail.size > 0) {
		dal_fail(remote->command, status, "%.*s (HTTP %d)%s", (int)detail.size, detail.data,
			 answer->status, remedy(answer->status));
	} else {
		dal_fail(remote->command, status,
			 "the answer was HTTP %d, without a reason: is this a dalamb engine?",
			 answer->status);
	}
	dal_json_free(json);
	return status;
}

int dal_remote_ask(struct dal_remote *remote, const struct dal_http_ask *ask,
		   struct dal_http_answer *answer)
{
	int status = dal_remote_try(remote, ask, answer);

	if (status == DAL_EXIT_DONE && answer->status / 100 != 2) {
		status = dal_remote_refused(remote, answer);
		dal_http_answer_deinit(answer);
	}
	return status;
}

int dal_remote_get(struct dal_remote *remote, const char *target, struct dal_http_answer *answer)
{
	return dal_remote_ask(remote, &(struct dal_http_ask){.method = "GET", .target = target},
			      answer);
}

int dal_remote_post(struct dal_remote *remote, const char *target, struct dal_slice json,
		    struct dal_http_answer *answer)
{
	return dal_remote_ask(remote,
			      &(struct dal_http_ask){.method = "POST",
						     .target = target,
						     .type = "application/json",
						     .body = json},
			      answer);
}

void dal_remote_again(struct dal_remote *remote)
{
	if (!remote->silent) {
		dal_fail(remote->command, 0, "the engine ended the connection: trying again");
	}
	remote->silent = true;
	sleep(AGAIN_SECONDS);
}

void dal_target_add(struct dal_buffer *target, const char *name, const char *value)
{
	bool first = target->size == 0 || memchr(target->data, '?', target->size) == NULL;

	if (value) {
		dal_buffer_printf(target, "%c%s=", first ? '?' : '&', name);
		dal_http_encode(dal_slice_text(value), target);
	}
}
