/* dalamb status: how an engine is; what stands still comes first, with what to do. */
#include <stdio.h>

#include "engine/cli/print.h"
#include "engine/cli/remote.h"

static uint32_t find(const struct dal_json *json, uint32_t object, const char *key)
{
	return dal_json_find(json, object, dal_slice_text(key));
}

static size_t print_attention(const struct dal_json *json)
{
	uint32_t list = find(json, DAL_JSON_ROOT, "attention");
	size_t count = list == DAL_JSON_NONE ? 0 : dal_json_count(json, list);

	for (uint32_t i = 0; i < count; i++) {
		uint32_t node = dal_json_at(json, list, i);
		struct dal_slice since = dal_member_text(json, node, "since");
		struct dal_slice at = dal_member_text(json, node, "at");
		printf("! ");
		dal_print(stdout, dal_member_text(json, node, "what"));
		if (since.size > 0) {
			printf("\n    since ");
			dal_print(stdout, since);
		}
		if (at.size > 0) {
			printf("%sat ", since.size > 0 ? ", " : "\n    ");
			dal_print(stdout, at);
		}
		printf("\n    ");
		dal_print(stdout, dal_member_text(json, node, "remedy"));
		printf("\n");
		if (at.size > 0) {
			printf("    type: dalamb tail --limit 1 --since ");
			dal_print(stdout, at);
			printf("\n");
		}
	}
	if (dal_member_integer(json, DAL_JSON_ROOT, "dead_rows") > 0) {
		printf("    type: dalamb dead, then dalamb dead retry --all or dalamb dead drop "
		       "--all\n");
	}
	return count;
}

static void print_functions(const struct dal_json *json)
{
	uint32_t list = find(json, DAL_JSON_ROOT, "functions");

	for (uint32_t i = 0; list != DAL_JSON_NONE && i < dal_json_count(json, list); i++) {
		uint32_t node = dal_json_at(json, list, i);
		printf("function  ");
		dal_print(stdout, dal_member_text(json, node, "name"));
		printf(": %lld instances (%lld busy), %lld waiting, %lld running, %lld retrying; "
		       "%lld invocations, %lld failed, %lld cold starts\n",
		       (long long)dal_member_integer(json, node, "instances"),
		       (long long)dal_member_integer(json, node, "busy"),
		       (long long)dal_member_integer(json, node, "waiting"),
		       (long long)dal_member_integer(json, node, "running"),
		       (long long)dal_member_integer(json, node, "retrying"),
		       (long long)dal_member_integer(json, node, "invocations"),
		       (long long)dal_member_integer(json, node, "failures"),
		       (long long)dal_member_integer(json, node, "cold_starts"));
	}
}

static void print_building(const struct dal_json *json, uint32_t lane)
{
	uint32_t building = find(json, lane, "building");

	if (building != DAL_JSON_NONE) {
		printf("building  ");
		dal_print(stdout, dal_member_text(json, building, "projection"));
		printf(": %lld of %lld events\n",
		       (long long)dal_member_integer(json, building, "done"),
		       (long long)dal_member_integer(json, building, "end"));
	}
}

/* The embedded log's only one. */
static void print_lane(const struct dal_json *json, uint32_t lane)
{
	printf("worker    at ");
	dal_print(stdout, dal_member_text(json, lane, "at"));
	printf(", %lld events behind%s\n", (long long)dal_member_integer(json, lane, "lag_events"),
	       dal_member_true(json, lane, "caught_up") ? "" : ", catching up");
	print_building(json, lane);
}

static void print_partition(const struct dal_json *json, uint32_t node)
{
	printf("  ");
	dal_print(stdout, dal_member_text(json, node, "topic"));
	printf("/%lld at ", (long long)dal_member_integer(json, node, "partition"));
	dal_print(stdout, dal_member_text(json, node, "next"));
	printf(" of ");
	dal_print(stdout, dal_member_text(json, node, "end"));
	printf(", %lld behind", (long long)dal_member_integer(json, node, "lag_events"));
	if (dal_member_integer(json, node, "lag_events") > 0) {
		printf(" (at most ");
		dal_print(stdout, dal_member_raw(json, node, "lag_seconds"));
		printf(" s)");
	}
	printf("\n");
}

static void print_lanes(const struct dal_json *json)
{
	uint32_t lanes = find(json, DAL_JSON_ROOT, "lanes"), partitions;

	for (uint32_t i = 0; lanes != DAL_JSON_NONE && i < dal_json_count(json, lanes); i++) {
		uint32_t lane = dal_json_at(json, lanes, i);
		printf("lane %-4u %lld events folded, %lld behind%s%s\n", i,
		       (long long)dal_member_integer(json, lane, "events"),
		       (long long)dal_member_integer(json, lane, "lag_events"),
		       dal_member_true(json, lane, "caught_up") ? "" : ", catching up",
		       dal_member_true(json, lane, "paused") ? ", paused" : "");
		print_building(json, lane);
		partitions = find(json, lane, "partitions");
		for (uint32_t k = 0;
		     partitions != DAL_JSON_NONE && k < dal_json_count(json, partitions); k++) {
			print_partition(json, dal_json_at(json, partitions, k));
		}
	}
}

static void print_log(const struct dal_json *json)
{
	uint32_t log = find(json, DAL_JSON_ROOT, "log");
	uint32_t lane = find(json, DAL_JSON_ROOT, "lane");

	printf("log       ");
	if (lane != DAL_JSON_NONE) {
		printf("ends at ");
		dal_print(stdout, dal_member_text(json, log, "end"));
		printf(", %.1f MB\n", (double)dal_member_integer(json, log, "bytes") / 1e6);
		print_lane(json, lane);
		return;
	}
	dal_print(stdout, dal_member_text(json, log, "kind"));
	printf(", %s\n", dal_member_true(json, log, "away")     ? "away"
			 : dal_member_true(json, log, "paused") ? "not read"
								: "there");
	print_lanes(json);
}

static void print_text(const struct dal_json *json)
{
	size_t attention = print_attention(json);

	printf("%sapp       ", attention > 0 ? "\n" : "");
	dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "app"));
	printf(", up since ");
	dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "started"));
	printf(", %s\n", dal_member_true(json, DAL_JSON_ROOT, "ready") ? "ready" : "not ready yet");
	printf("rules     generation %lld, loaded ",
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "generation_number"));
	dal_print(stdout, dal_member_text(json, find(json, DAL_JSON_ROOT, "reload"), "loaded"));
	printf("\n");
	print_log(json);
	printf("outbox    %lld to deliver, %lld dead letters\n",
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "undelivered_rows"),
	       (long long)dal_member_integer(json, DAL_JSON_ROOT, "dead_rows"));
	print_functions(json);
	printf("%s", attention == 0 ? "nothing stands still\n" : "");
}

static int show(struct dal_remote *remote, bool as_json)
{
	struct dal_http_answer answer;
	struct dal_json *json;
	int status = dal_remote_get(remote, "/v1/status", &answer);

	if (status != DAL_EXIT_DONE) {
		return status;
	}
	json = dal_json_new();
	if (as_json) {
		dal_print_document(stdout, dal_buffer_slice(&answer.body));
	} else if (dal_json_parse(json, dal_buffer_slice(&answer.body), DAL_JSON_TRUSTED, NULL) !=
		   0) {
		status = dal_fail(remote->command, DAL_EXIT_UNREACHABLE, "the answer is no JSON");
	} else {
		print_text(json);
	}
	dal_json_free(json);
	dal_http_answer_deinit(&answer);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *format = NULL, *url = NULL;
	struct dal_option options[] = {
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &url},
		{"format", "json", "all that the engine says", &format},
		{0},
	};
	struct dal_remote remote;
	bool json;
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 1) {
		return dal_usage(command, "\"%s\" is one word too many", argv[1]);
	}
	status = dal_remote_open(&remote, command, url, 0);
	if (status == DAL_EXIT_DONE) {
		status = show(&remote, json);
	}
	dal_remote_close(&remote);
	return status;
}

const struct dal_command dal_command_status = {
	.name = "status",
	.arguments = "",
	.summary = "how an engine is: what stands still first, with what to do",
	.example = "  dalamb status --url http://127.0.0.1:8080\n",
	.run = run,
};
