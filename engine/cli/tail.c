/* dalamb tail: events of a running engine, one line each, and those that follow. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/print.h"
#include "engine/cli/remote.h"
#include "engine/cli/stream.h"

enum { LAST_EVENTS = 20, DATA_BYTES = 120 };

#define LAST_EVENTS_FROM "-20" /* of each partition, if there are several */

struct tail {
	struct dal_remote remote;
	const char *topic, *type, *subject, *since, *limit;
	bool json;
	struct dal_json *reader;
	struct dal_splitter lines;
	struct dal_sse sse;
	bool connected; /* something came */
	/* The last few, of filtered events and of several partitions, are known at the end only: a
	 * ring of their lines. */
	bool keeping;
	struct dal_buffer kept[LAST_EVENTS];
	size_t count;
};

static void print_event(struct tail *tail)
{
	struct dal_json *json = tail->reader;
	uint32_t event = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("event"));
	struct dal_slice subject = dal_member_text(json, event, "subject");

	dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "position"));
	printf("  ");
	dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "appended"));
	printf("  ");
	dal_print(stdout, dal_member_text(json, event, "type"));
	printf("  ");
	dal_print(stdout, subject.size > 0 ? subject : dal_slice_text("-"));
	printf("  ");
	dal_print_short(stdout, dal_member_raw(json, event, "data"), DATA_BYTES);
	printf("\n");
}

static int print_line(struct tail *tail, struct dal_slice line)
{
	if (tail->json) {
		fwrite(line.data, 1, line.size, stdout);
		fputc('\n', stdout);
	} else if (dal_json_parse(tail->reader, line, DAL_JSON_TRUSTED, NULL) == 0) {
		print_event(tail);
	} else {
		fprintf(stderr, "dalamb tail: the engine sent a line that is no event\n");
		return -1;
	}
	return fflush(stdout) == 0 ? 0 : -1;
}

static int on_event(void *own, struct dal_slice line)
{
	struct tail *tail = own;
	struct dal_buffer *kept = &tail->kept[tail->count % LAST_EVENTS];

	if (line.size == 0) {
		return 0;
	}
	if (!tail->keeping) {
		return print_line(tail, line);
	}
	dal_buffer_clear(kept);
	dal_buffer_slice_append(kept, line);
	tail->count++;
	return 0;
}

static void print_kept(struct tail *tail)
{
	size_t i = tail->count > LAST_EVENTS ? tail->count - LAST_EVENTS : 0;

	for (; i < tail->count; i++) {
		print_line(tail, dal_buffer_slice(&tail->kept[i % LAST_EVENTS]));
	}
}

static int on_lines(struct dal_slice piece, void *own)
{
	struct tail *tail = own;

	return dal_splitter_feed(&tail->lines, piece, on_event, tail);
}

static int on_sse(struct dal_slice piece, void *own)
{
	struct tail *tail = own;

	tail->connected = true;
	tail->remote.silent = false;
	return dal_sse_feed(&tail->sse, piece);
}

static int ask(struct tail *tail, const char *target, const char *accept,
	       int (*write)(struct dal_slice piece, void *own))
{
	struct dal_http_header_line headers[] = {{"Accept", accept}, {NULL, NULL}, {NULL, NULL}};
	struct dal_http_answer answer;
	int status;

	if (tail->sse.id.size > 0) {
		headers[1] = (struct dal_http_header_line){"Last-Event-ID",
							   dal_buffer_cstr(&tail->sse.id)};
	}
	status = dal_remote_ask(&tail->remote,
				&(struct dal_http_ask){.method = "GET",
						       .target = target,
						       .headers = headers,
						       .write = write,
						       .own = tail},
				&answer);
	if (status == DAL_EXIT_DONE) {
		dal_http_answer_deinit(&answer);
	}
	return status;
}

/* Until it is interrupted: a connection that was lost is taken up where it ended. */
static int follow(struct tail *tail, const char *target)
{
	bool ever = false;
	int status;

	for (;;) {
		tail->connected = false;
		dal_sse_restart(&tail->sse);
		status = ask(tail, target, "text/event-stream", on_sse);
		if (ferror(stdout)) {
			return DAL_EXIT_DONE; /* nobody reads any more */
		}
		ever = ever || tail->connected;
		if (!tail->connected && (!ever || status != DAL_EXIT_UNREACHABLE)) {
			return status;
		}
		dal_remote_again(&tail->remote);
	}
}

static int show(struct tail *tail, bool following)
{
	struct dal_buffer target = {0};
	bool filtered = tail->topic || tail->type || tail->subject;
	int status;

	tail->keeping = !tail->since && !following && !tail->limit;
	dal_buffer_text(&target, "/v1/events");
	if (tail->since || !tail->keeping || !filtered) {
		dal_target_add(&target, "from", tail->since ? tail->since : LAST_EVENTS_FROM);
	}
	dal_target_add(&target, "topic", tail->topic);
	dal_target_add(&target, "type", tail->type);
	dal_target_add(&target, "subject", tail->subject);
	dal_target_add(&target, "limit", tail->limit);
	status = following ? follow(tail, dal_buffer_cstr(&target))
			   : ask(tail, dal_buffer_cstr(&target), "application/x-ndjson", on_lines);
	print_kept(tail);
	dal_buffer_deinit(&target);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct tail tail = {0};
	const char *format = NULL, *following = NULL, *url = NULL;
	struct dal_option options[] = {
		{"topic", "NAME", "only this topic", &tail.topic},
		{"type", "TYPE", "only events of this type", &tail.type},
		{"subject", "TEXT", "only events with this subject", &tail.subject},
		{"since", "WHEN", "a position, an RFC 3339 time, or -1h; default: the last 20",
		 &tail.since},
		{"limit", "N", "at most so many", &tail.limit},
		{"follow", NULL, "shows what comes, until it is interrupted", &following},
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &url},
		{"format", "json", "a JSON object a line: position, appended, event", &format},
		{0},
	};
	uint64_t limit;
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &tail.json) < 0 ||
	    (tail.limit && dal_number_parse(command, "limit", tail.limit, &limit) < 0)) {
		return DAL_EXIT_USAGE;
	}
	if (argc > 1) {
		return dal_usage(command, "\"%s\" is one word too many", argv[1]);
	}
	tail.reader = dal_json_new();
	tail.sse.each = on_event;
	tail.sse.own = &tail;
	status = dal_remote_open(&tail.remote, command, url, UINT64_MAX);
	if (status == DAL_EXIT_DONE) {
		status = show(&tail, following != NULL);
	}
	dal_remote_close(&tail.remote);
	for (size_t i = 0; i < LAST_EVENTS; i++) {
		dal_buffer_deinit(&tail.kept[i]);
	}
	dal_splitter_deinit(&tail.lines);
	dal_sse_deinit(&tail.sse);
	dal_json_free(tail.reader);
	return status;
}

const struct dal_command dal_command_tail = {
	.name = "tail",
	.arguments = "",
	.summary = "shows events, one a line, as they come with --follow",
	.example = "  dalamb tail --type order.placed --follow\n"
		   "  dalamb tail --since -1h --format json > last-hour.ndjson\n",
	.run = run,
};
