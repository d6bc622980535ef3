#include "engine/cli/history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/settings.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/cli/print.h"
#include "engine/cli/stream.h"

/* --- a data folder --- */

static int folder_lock(struct dal_history *h, const char *data)
{
	char *path = dal_asprintf("%s/lock", data);
	int r = dal_file_lock(path, &h->lock);

	free(path);
	if (r == -EWOULDBLOCK) {
		return dal_fail(h->command, DAL_EXIT_UNREACHABLE,
				"an engine runs on %s: read its history over HTTP, with --url %s",
				data, dal_remote_default());
	}
	if (r < 0) {
		h->lock = -1; /* a folder that can't be written to: no engine can run there */
	}
	return DAL_EXIT_DONE;
}

static int log_open(struct dal_history *h, const struct dal_app *app)
{
	struct dal_log_options options = {.read_only = true};
	struct dal_error error = {0};

	dal_settings_log(app, &options);
	if (dal_log_open(&options, &h->log, &error) != 0) {
		return dal_fail(h->command, DAL_EXIT_UNREACHABLE, "%s: %s", options.path,
				error.text);
	}
	dal_log_end(h->log, 0, &h->end);
	return DAL_EXIT_DONE;
}

static int folder_open(struct dal_history *h, const struct dal_app *app)
{
	char *path = dal_asprintf("%s/log", app->data);
	int status;

	if (app->settings.log_kind != DAL_LOG_EMBEDDED) {
		status = dal_fail(h->command, DAL_EXIT_UNREACHABLE,
				  "this app's log is Kafka: read its history from the running "
				  "engine, with --url %s",
				  dal_remote_default());
	} else if (access(path, R_OK | X_OK) != 0) {
		status = dal_fail(h->command, DAL_EXIT_UNREACHABLE,
				  "%s: there is no log (%s); name the data folder with --data, or "
				  "a running engine with --url",
				  path, strerror(errno));
	} else {
		status = folder_lock(h, app->data);
		status = status == DAL_EXIT_DONE ? log_open(h, app) : status;
	}
	free(path);
	return status;
}

static int folder_read(struct dal_history *h, const struct dal_moment *to,
		       const struct dal_history_reader *reader)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *log;
	int r = dal_log_reader_new(h->log, 0, NULL, NULL, &log);

	while (r == 0) {
		r = dal_log_read(log, DAL_LIMIT_WORKER_BATCH_EVENTS, DAL_LIMIT_WORKER_BATCH_BYTES,
				 &batch);
		if (r != 0) {
			break;
		}
		r = reader->each(reader->own, &batch);
		if (r != 0) {
			dal_log_batch_release(&batch);
			dal_log_reader_free(log);
			return r;
		}
		if (to && !dal_moment_after(to, &batch.records[batch.count - 1])) {
			r = DAL_LOG_END;
		}
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(log);
	if (r < 0) {
		return dal_fail(h->command, DAL_EXIT_UNREACHABLE, "the log can't be read: %s",
				strerror(-r));
	}
	return 0;
}

/* --- a running engine --- */

/* Lines of NDJSON made into batches. */
struct gathering {
	const struct dal_history_reader *reader;
	struct dal_splitter lines;
	struct dal_json *json;
	struct dal_log_record *records; /* events as offsets into `text` until the batch is full */
	size_t count, capacity;
	struct dal_buffer text;
	struct dal_position position; /* behind all of them */
	bool one_sequence;
	char **topics;
	size_t topic_count;
	int result;  /* what `each` gave */
	bool broken; /* a line that is none of ours */
};

static struct dal_slice topic_keep(struct gathering *g, struct dal_slice topic)
{
	for (size_t i = 0; i < g->topic_count; i++) {
		if (dal_slice_is(topic, g->topics[i])) {
			return dal_slice_text(g->topics[i]);
		}
	}
	g->topics = dal_reallocarray(g->topics, g->topic_count + 1, sizeof(*g->topics));
	g->topics[g->topic_count] = dal_slice_dup(topic);
	return dal_slice_text(g->topics[g->topic_count++]);
}

static int flush(struct gathering *g)
{
	struct dal_log_batch batch = {
		.records = g->records, .count = g->count, .position = g->position};
	const char *at = g->text.data;

	if (g->count == 0) {
		return 0;
	}
	for (size_t i = 0; i < g->count; i++) {
		g->records[i].event.data = at;
		at += g->records[i].event.size + DAL_JSON_PADDING;
		if (g->records[i].dedup.size > 0) {
			g->records[i].dedup.data = at;
			at += g->records[i].dedup.size + DAL_JSON_PADDING;
		}
	}
	g->result = g->reader->each(g->reader->own, &batch);
	g->count = 0;
	dal_buffer_clear(&g->text);
	return g->result;
}

/* A line of GET /v1/events; the topic's text is kept. False: it is none. */
static bool record_read(struct gathering *g, struct dal_slice line, struct dal_log_record *record)
{
	if (dal_json_parse(g->json, line, DAL_JSON_TRUSTED, NULL) != 0 ||
	    !dal_place_parse(dal_member_text(g->json, DAL_JSON_ROOT, "position"), NULL,
			     &record->place) ||
	    !dal_clock_parse(dal_member_text(g->json, DAL_JSON_ROOT, "appended"),
			     &record->appended_us)) {
		return false;
	}
	record->place.topic = topic_keep(g, record->place.topic);
	record->foreign = !g->one_sequence &&
			  !dal_slice_is(record->place.topic, DAL_TOPIC_EVENTS) &&
			  !dal_slice_is(record->place.topic, DAL_TOPIC_SYSTEM);
	record->event = dal_member_raw(g->json, DAL_JSON_ROOT, "event");
	return true;
}

static void text_keep(struct gathering *g, struct dal_slice text)
{
	dal_buffer_slice_append(&g->text, text);
	memset(dal_buffer_reserve(&g->text, DAL_JSON_PADDING), 0, DAL_JSON_PADDING);
	g->text.size += DAL_JSON_PADDING;
}

/* What tells a repeat goes behind the event. */
static void dedup_keep(struct gathering *g, struct dal_log_record *record)
{
	struct dal_slice hex = dal_member_text(g->json, DAL_JSON_ROOT, "dedup");
	struct dal_buffer bytes = {0};

	if (hex.size > 0 && dal_hex_decode(hex, &bytes)) {
		text_keep(g, dal_buffer_slice(&bytes));
		record->dedup.size = bytes.size;
	}
	dal_buffer_deinit(&bytes);
}

static int on_line(void *own, struct dal_slice line)
{
	struct gathering *g = own;
	struct dal_log_record record = {0};

	if (line.size == 0) {
		return 0;
	}
	if (!record_read(g, line, &record)) {
		g->broken = true;
		return -1;
	}
	text_keep(g, record.event);
	dedup_keep(g, &record);
	dal_position_pass(&g->position, &record.place);
	DAL_GROW(g->records, g->count, g->capacity);
	g->records[g->count++] = record;
	return g->count >= DAL_LIMIT_WORKER_BATCH_EVENTS ||
			       g->text.size >= DAL_LIMIT_WORKER_BATCH_BYTES
		       ? flush(g)
		       : 0;
}

static int on_piece(struct dal_slice piece, void *own)
{
	struct gathering *g = own;

	return dal_splitter_feed(&g->lines, piece, on_line, g);
}

static void gathering_deinit(struct gathering *g)
{
	for (size_t i = 0; i < g->topic_count; i++) {
		free(g->topics[i]);
	}
	free(g->topics);
	free(g->records);
	dal_position_deinit(&g->position);
	dal_buffer_deinit(&g->text);
	dal_splitter_deinit(&g->lines);
	dal_json_free(g->json);
}

static int http_ask(struct dal_history *h, struct gathering *g, const char *target)
{
	static const struct dal_http_header_line headers[] = {{"Accept", "application/x-ndjson"},
							      {NULL, NULL}};
	struct dal_http_answer answer;
	int status = dal_remote_ask(&h->remote,
				    &(struct dal_http_ask){.method = "GET",
							   .target = target,
							   .headers = headers,
							   .write = on_piece,
							   .own = g},
				    &answer);

	if (status == DAL_EXIT_DONE) {
		dal_http_answer_deinit(&answer);
	}
	if (g->broken) {
		return dal_fail(h->command, DAL_EXIT_UNREACHABLE,
				"the engine's answer has a line that is no event");
	}
	return status;
}

static int http_read(struct dal_history *h, const struct dal_moment *to,
		     const struct dal_history_reader *reader)
{
	struct gathering g = {
		.reader = reader, .json = dal_json_new(), .one_sequence = h->one_sequence};
	struct dal_buffer target = {0}, text = {0};
	int status;

	if (h->one_sequence) {
		dal_position_copy(&g.position, DAL_POSITION_AT(1));
	}
	dal_buffer_text(&target, "/v1/events");
	if (to) {
		dal_moment_print(to, &text);
		dal_target_add(&target, "to", dal_buffer_cstr(&text));
	}
	status = http_ask(h, &g, dal_buffer_cstr(&target));
	if (status == DAL_EXIT_DONE && g.result == 0) {
		flush(&g);
	}
	status = g.result != 0 ? g.result : status;
	gathering_deinit(&g);
	dal_buffer_deinit(&target);
	dal_buffer_deinit(&text);
	return status;
}

/* "17", or {"events/3": "17", ...}. */
static void end_read(struct dal_history *h, const struct dal_json *json, uint32_t end)
{
	struct dal_place place;
	uint64_t offset;
	uint32_t key = end + 1;

	h->one_sequence = dal_json_kind(json, end) == DAL_JSON_STRING;
	if (h->one_sequence && dal_slice_to_u64(dal_json_string(json, end), &offset)) {
		dal_position_copy(&h->end, DAL_POSITION_AT(offset + 1));
	} else if (dal_json_kind(json, end) == DAL_JSON_OBJECT) {
		for (uint32_t i = 0; i < dal_json_count(json, end); i++) {
			char *text = dal_asprintf("%.*s/%.*s", (int)dal_json_string(json, key).size,
						  dal_json_string(json, key).data,
						  (int)dal_json_string(json, key + 1).size,
						  dal_json_string(json, key + 1).data);
			if (dal_place_parse(dal_slice_text(text), NULL, &place)) {
				dal_position_pass(&h->end, &place);
			}
			free(text);
			key = dal_json_next(json, key + 1);
		}
	}
}

static int http_open(struct dal_history *h, const char *url)
{
	struct dal_http_answer answer;
	struct dal_json *json;
	uint32_t log, end = DAL_JSON_NONE;
	int status = dal_remote_open(&h->remote, h->command, url, UINT64_MAX);

	h->over_http = true;
	if (status == DAL_EXIT_DONE) {
		status = dal_remote_get(&h->remote, "/v1/status", &answer);
	}
	if (status != DAL_EXIT_DONE) {
		return status;
	}
	json = dal_json_new();
	if (dal_json_parse(json, dal_buffer_slice(&answer.body), DAL_JSON_TRUSTED, NULL) == 0) {
		log = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("log"));
		end = log == DAL_JSON_NONE ? log : dal_json_find(json, log, dal_slice_text("end"));
	}
	if (end == DAL_JSON_NONE) {
		status = dal_fail(h->command, DAL_EXIT_UNREACHABLE,
				  "the engine's status does not say where its log ends");
	} else {
		end_read(h, json, end);
	}
	dal_json_free(json);
	dal_http_answer_deinit(&answer);
	return status;
}

/* --- either --- */

int dal_history_open(struct dal_history *history, const struct dal_command *command,
		     const struct dal_app *app, const char *url)
{
	*history = (struct dal_history){.command = command, .lock = -1, .one_sequence = true};
	return url ? http_open(history, url) : folder_open(history, app);
}

void dal_history_close(struct dal_history *history)
{
	dal_log_close(history->log);
	if (history->lock >= 0) {
		close(history->lock);
	}
	dal_remote_close(&history->remote);
	dal_position_deinit(&history->end);
}

int dal_history_read(struct dal_history *history, const struct dal_moment *to,
		     const struct dal_history_reader *reader)
{
	return (history->over_http ? http_read : folder_read)(history, to, reader);
}
