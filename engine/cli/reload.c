/* dalamb reload: a running engine reads its app's folder again, all or nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/print.h"
#include "engine/cli/remote.h"

#define TIMEOUT_MS (24ull * 3600 * 1000) /* new projections are built from the whole log first */
enum { UNPROCESSABLE = 422 };

/* Entries of `errors` or `warnings`, as `dalamb check` prints them. */
static void print_list(const struct dal_json *json, const char *member, const char *kind)
{
	uint32_t list = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(member));

	for (uint32_t i = 0; list != DAL_JSON_NONE && i < dal_json_count(json, list); i++) {
		uint32_t node = dal_json_at(json, list, i);
		struct dal_slice file = dal_member_text(json, node, "file");
		long long line = (long long)dal_member_integer(json, node, "line");

		dal_print(stderr, file);
		if (line > 0) {
			fprintf(stderr, ":%lld", line);
		}
		fprintf(stderr, "%s%s", file.size > 0 ? ": " : "", kind);
		dal_print(stderr, dal_member_text(json, node, "text"));
		fprintf(stderr, "\n");
	}
}

static void print_done(const struct dal_json *json)
{
	print_list(json, "warnings", "warning: ");
	printf("generation %lld runs%s: %lld rules, %lld projections, %lld functions\n",
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "generation_number"),
	       dal_member_true(json, DAL_JSON_ROOT, "changed") ? "" : ", its files are as before",
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "rules"),
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "projections"),
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "functions"));
}

static int print_answer(struct dal_remote *remote, const struct dal_http_answer *answer)
{
	struct dal_json *json = dal_json_new();
	int status = DAL_EXIT_DONE;

	if (dal_json_parse(json, dal_buffer_slice(&answer->body), 0, NULL) != 0) {
		status = dal_remote_refused(remote, answer);
	} else if (answer->status == UNPROCESSABLE) {
		print_list(json, "errors", "");
		status = dal_remote_refused(remote, answer);
	} else if (answer->status / 100 != 2) {
		status = dal_remote_refused(remote, answer);
	} else {
		print_done(json);
	}
	dal_json_free(json);
	return status;
}

static int ask(const struct dal_command *command, const char *url, bool as_json)
{
	struct dal_remote remote;
	struct dal_http_answer answer;
	int status = dal_remote_open(&remote, command, url, TIMEOUT_MS);

	if (status == DAL_EXIT_DONE) {
		status = dal_remote_try(
			&remote, &(struct dal_http_ask){.method = "POST", .target = "/v1/reload"},
			&answer);
	}
	if (status == DAL_EXIT_DONE) {
		if (as_json && answer.status / 100 == 2) {
			printf("%s\n", dal_buffer_cstr(&answer.body));
		} else {
			status = print_answer(&remote, &answer);
		}
		dal_http_answer_deinit(&answer);
	}
	dal_remote_close(&remote);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *url = NULL, *format = NULL;
	struct dal_option options[] = {
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &url},
		{"format", "json", "the answer as it came, instead of text", &format},
		{0},
	};
	bool json;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 1) {
		return dal_usage(command, "it takes no arguments: the engine knows its folder");
	}
	return ask(command, url, json);
}

const struct dal_command dal_command_reload = {
	.name = "reload",
	.arguments = "",
	.summary = "a running engine reads its app's files again, all or nothing",
	.example = "  dalamb check examples/shop && dalamb reload\n",
	.run = run,
};
