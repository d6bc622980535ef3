/* dalamb emit: sends events to a running engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/cli/input.h"
#include "engine/cli/print.h"
#include "engine/cli/progress.h"
#include "engine/cli/remote.h"
#include "engine/event/event.h"

#define MB 1000000u

struct sending {
	const struct dal_command *command;
	const char *type, *data, *subject, *source, *id, *topic, *file, *key, *url;
	bool json;
};

/* --- one event --- */

/* --data: JSON, or @FILE with JSON. */
static int data_read(const struct sending *s, struct dal_buffer *out)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	int r = 0, status = DAL_EXIT_DONE;

	if (s->data[0] == '@') {
		r = dal_input_read(s->data + 1, out);
	} else {
		dal_buffer_text(out, s->data);
	}
	if (r < 0) {
		status = dal_fail(s->command, DAL_EXIT_UNREACHABLE, "%s: %s", s->data + 1,
				  strerror(-r));
	} else if (dal_json_parse(json, dal_buffer_slice(out), 0, &error) != 0) {
		status = dal_usage(s->command,
				   "--data is no JSON: %s at byte %zu (a text needs its quotes: "
				   "--data '\"text\"')",
				   error.reason, error.position);
	}
	dal_json_free(json);
	return status;
}

static int event_make(const struct sending *s, struct dal_buffer *out)
{
	char id[DAL_UUID_TEXT_BYTES], time[DAL_CLOCK_TEXT_BYTES];
	struct dal_buffer data = {0};
	int status = s->data ? data_read(s, &data) : DAL_EXIT_DONE;

	dal_uuid_random(id);
	dal_clock_format(dal_clock_now_us(), time);
	struct dal_attribute attributes[] = {
		{dal_slice_text("id"), dal_slice_text(s->id ? s->id : id), false},
		{dal_slice_text("source"), dal_slice_text(s->source ? s->source : "/cli"), false},
		{dal_slice_text("type"), dal_slice_text(s->type), false},
		{dal_slice_text("subject"), dal_slice_text(s->subject), false},
		{dal_slice_text("time"), dal_slice_text(time), false},
	};
	dal_event_build(&(struct dal_event_parts){.attributes = attributes,
						  .count = 5,
						  .data = dal_buffer_slice(&data)},
			out);
	dal_buffer_deinit(&data);
	return status;
}

static void print_position(const struct sending *s, struct dal_slice answer)
{
	struct dal_json *json = dal_json_new();

	if (s->json || dal_json_parse(json, answer, DAL_JSON_TRUSTED, NULL) != 0) {
		fwrite(answer.data, 1, answer.size, stdout);
	} else {
		dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "position"));
		printf("%s\n", dal_member_true(json, DAL_JSON_ROOT, "repeated")
				       ? " (a repeat: it was there already)"
				       : "");
	}
	dal_json_free(json);
}

static int send_one(const struct sending *s, struct dal_remote *remote, const char *target)
{
	struct dal_http_answer answer;
	struct dal_buffer event = {0};
	int status = event_make(s, &event);

	if (status == DAL_EXIT_DONE) {
		status = dal_remote_ask(
			remote,
			&(struct dal_http_ask){.method = "POST",
					       .target = target,
					       .type = "application/cloudevents+json",
					       .body = dal_buffer_slice(&event)},
			&answer);
	}
	if (status == DAL_EXIT_DONE) {
		print_position(s, dal_buffer_slice(&answer.body));
		dal_http_answer_deinit(&answer);
	}
	dal_buffer_deinit(&event);
	return status;
}

/* --- a file of any length --- */

struct upload {
	FILE *file;
	uint64_t sent; /* bytes */
	struct dal_progress progress;
};

static void upload_begin(struct upload *upload)
{
	struct stat st;
	bool sized = fstat(fileno(upload->file), &st) == 0 && S_ISREG(st.st_mode);

	dal_progress_begin(&upload->progress, "MB", sized ? (uint64_t)st.st_size / MB : 0, false);
	upload->progress.shown = upload->progress.shown && sized;
}

static long on_read(char *to, size_t size, void *own)
{
	struct upload *upload = own;
	size_t got = fread(to, 1, size, upload->file);

	upload->sent += got;
	dal_progress_show(&upload->progress, upload->sent / MB);
	return got == 0 && ferror(upload->file) ? -1 : (long)got;
}

static void print_errors(const struct dal_json *json, const char *file)
{
	uint32_t errors = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("errors"));

	for (uint32_t i = 0; errors != DAL_JSON_NONE && i < dal_json_count(json, errors); i++) {
		uint32_t node = dal_json_at(json, errors, i);
		fprintf(stderr, "%s:%lld: ", file,
			(long long)dal_member_integer(json, node, "line"));
		dal_print(stderr, dal_member_text(json, node, "detail"));
		fputc('\n', stderr);
	}
}

/* The answer of an NDJSON body, also one of 400: what was accepted is kept. */
static int counts_print(const struct sending *s, struct dal_remote *remote,
			const struct dal_http_answer *answer, const char *file)
{
	struct dal_json *json = dal_json_new();
	struct dal_slice body = dal_buffer_slice(&answer->body);
	int64_t refused;

	if (dal_json_parse(json, body, DAL_JSON_TRUSTED, NULL) != 0 ||
	    dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("accepted")) == DAL_JSON_NONE) {
		dal_json_free(json);
		return dal_remote_refused(remote, answer);
	}
	refused = dal_member_integer(json, DAL_JSON_ROOT, "refused");
	if (s->json) {
		fwrite(body.data, 1, body.size, stdout);
	} else {
		print_errors(json, file);
		printf("%lld accepted, %lld repeated, %lld refused; ",
		       (long long)dal_member_integer(json, DAL_JSON_ROOT, "accepted"),
		       (long long)dal_member_integer(json, DAL_JSON_ROOT, "repeated"),
		       (long long)refused);
		dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "first"));
		printf(" to ");
		dal_print(stdout, dal_member_text(json, DAL_JSON_ROOT, "last"));
		printf("\n");
	}
	dal_json_free(json);
	return refused > 0 || answer->status / 100 != 2 ? DAL_EXIT_NO : DAL_EXIT_DONE;
}

static int send_file(const struct sending *s, struct dal_remote *remote, const char *target)
{
	struct dal_http_header_line headers[] = {{"Idempotency-Key", s->key}, {NULL, NULL}};
	struct dal_http_answer answer;
	struct upload upload = {0};
	struct dal_input lines;
	int r = dal_input_open(&lines, s->file), status;

	if (r < 0) {
		return dal_fail(s->command, DAL_EXIT_UNREACHABLE, "%s: %s", s->file, strerror(-r));
	}
	upload.file = lines.file;
	upload_begin(&upload);
	status = dal_remote_try(remote,
				&(struct dal_http_ask){.method = "POST",
						       .target = target,
						       .type = "application/x-ndjson",
						       .headers = s->key ? headers : NULL,
						       .read = on_read,
						       .own = &upload},
				&answer);
	dal_progress_end(&upload.progress);
	if (status == DAL_EXIT_DONE) {
		status = counts_print(s, remote, &answer, lines.name);
		dal_http_answer_deinit(&answer);
	}
	dal_input_close(&lines);
	return status;
}

static int send_any(const struct sending *s)
{
	struct dal_buffer target = {0};
	struct dal_remote remote;
	int status = dal_remote_open(&remote, s->command, s->url, s->file ? UINT64_MAX : 0);

	if (status == DAL_EXIT_DONE) {
		dal_buffer_text(&target, "/v1/events");
		dal_target_add(&target, "topic", s->topic);
		status = (s->file ? send_file : send_one)(s, &remote, dal_buffer_cstr(&target));
	}
	dal_remote_close(&remote);
	dal_buffer_deinit(&target);
	return status;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct sending s = {.command = command};
	const char *format = NULL;
	struct dal_option options[] = {
		{"data", "JSON", "its payload; @FILE reads a file", &s.data},
		{"subject", "TEXT", "what it is about", &s.subject},
		{"source", "URI", "where it comes from; default /cli", &s.source},
		{"id", "TEXT", "its id; default a new one (the same id again is a repeat)", &s.id},
		{"topic", "NAME", "another topic than events", &s.topic},
		{"file", "FILE", "sends CloudEvents, one a line (NDJSON); - is stdin", &s.file},
		{"key", "TEXT", "of --file: an Idempotency-Key, so that it can be sent again",
		 &s.key},
		{"url", DAL_REMOTE_OPTION, DAL_REMOTE_HELP, &s.url},
		{"format", "json", "prints the engine's answer", &format},
		{0},
	};

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &s.json) < 0) {
		return DAL_EXIT_USAGE;
	}
	s.type = argc > 1 ? argv[1] : NULL;
	if (argc > 2 || (s.type != NULL) == (s.file != NULL)) {
		return dal_usage(command, "give a type, or --file");
	}
	if (s.file && (s.data || s.subject || s.source || s.id)) {
		return dal_usage(command, "--file holds whole events: only --topic, --key and "
					  "--url go with it");
	}
	if (s.key && !s.file) {
		return dal_usage(command, "--key goes with --file; one event is told by --id");
	}
	return send_any(&s);
}

const struct dal_command dal_command_emit = {
	.name = "emit",
	.arguments = "[TYPE]",
	.summary = "sends an event, or a file of them",
	.example = "  dalamb emit order.placed --subject o1 --data '{\"total\": 1200}'\n"
		   "  dalamb emit --file history.ndjson\n",
	.run = run,
};
