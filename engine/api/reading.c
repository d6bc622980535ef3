#include "engine/api/reading.h"

#include "engine/api/cursor.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"

#define READ_EVENTS 256
#define READ_BYTES (256 * DAL_KIB)
#define PIECE_EVENTS 4096 /* looked at in one call */
#define PIECE_BYTES (64 * DAL_KIB)
#define RETRY_MS 1000 /* an EventSource comes back after this */

int dal_reading_open(struct dal_reading *reading)
{
	struct dal_log_mark mark = {dal_slice_text("*"), reading->next};

	return dal_log_reader_new(dal_engine_log(reading->api->engine), DAL_API_LANE, &mark, 1,
				  reading->topic, &reading->reader);
}

void dal_reading_release(void *own)
{
	struct dal_reading *reading = own;

	dal_api_sleeper_remove(reading->api, &reading->sleeper);
	dal_log_batch_release(&reading->batch);
	dal_log_reader_free(reading->reader);
	dal_json_free(reading->json);
	free(reading->topic);
	free(reading->type);
	free(reading->subject);
	dal_api_unref(reading->api);
	free(reading);
}

/* --- which --- */

/* The next record, or NULL: *outcome 0 at the end of the range, DAL_LOG_END, or negative. */
static const struct dal_log_record *record_next(struct dal_reading *reading, int *outcome)
{
	const struct dal_log_record *record;

	if (reading->index == reading->batch.count) {
		*outcome = dal_log_read(reading->reader, READ_EVENTS, READ_BYTES, &reading->batch);
		reading->index = 0;
		if (*outcome != 0) {
			dal_log_batch_release(&reading->batch);
			return NULL;
		}
	}
	record = &reading->batch.records[reading->index];
	if (record->place.offset >= reading->to) {
		*outcome = 0;
		return NULL;
	}
	reading->index++;
	reading->next = record->place.offset + 1;
	return record;
}

static bool matches(struct dal_reading *reading, const struct dal_log_record *record)
{
	struct dal_event event;

	if (!reading->type && !reading->subject) {
		return true;
	}
	if (!reading->json) {
		reading->json = dal_json_new();
	}
	if (dal_json_parse(reading->json, record->event, DAL_JSON_PADDED | DAL_JSON_TRUSTED,
			   NULL) != 0) {
		return false;
	}
	dal_event_view(&event, reading->json);
	return (!reading->type || dal_slice_is(event.type, reading->type)) &&
	       (!reading->subject || dal_slice_is(event.subject, reading->subject));
}

/* --- in which form --- */

/* Line breaks in JSON are white space between tokens that separates nothing. */
static void append_line(struct dal_buffer *out, struct dal_slice json)
{
	size_t start = 0;

	for (size_t i = 0; i < json.size; i++) {
		if (json.data[i] == '\n' || json.data[i] == '\r') {
			dal_buffer_append(out, json.data + start, i - start);
			start = i + 1;
		}
	}
	dal_buffer_append(out, json.data + start, json.size - start);
}

static void put_record(const struct dal_log_record *record, struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "position");
	dal_api_put_place(&w, &record->place);
	dal_json_key(&w, "appended");
	dal_json_put_time(&w, record->appended_us);
	dal_json_key(&w, "event");
	append_line(out, record->event);
	dal_json_end_object(&w);
}

static void put_cursor(const struct dal_reading *reading, uint64_t offset, struct dal_buffer *out)
{
	dal_cursor_write_event(dal_log_id(dal_engine_log(reading->api->engine)), offset, out);
}

static void begin(struct dal_reading *reading, struct dal_buffer *out)
{
	if (reading->form == DAL_READING_JSON) {
		dal_buffer_text(out, "{\"events\":[");
	} else if (reading->form == DAL_READING_TAIL) {
		dal_buffer_printf(out, "retry: %d\n\n", RETRY_MS);
	}
	reading->begun = true;
}

static void give(struct dal_reading *reading, const struct dal_log_record *record,
		 struct dal_buffer *out)
{
	switch (reading->form) {
	case DAL_READING_JSON:
		dal_buffer_text(out, reading->given > 0 ? ",\n" : "\n");
		put_record(record, out);
		break;
	case DAL_READING_NDJSON:
		put_record(record, out);
		dal_buffer_byte(out, '\n');
		break;
	case DAL_READING_TAIL:
		dal_buffer_text(out, "id: ");
		put_cursor(reading, reading->next, out);
		dal_buffer_text(out, "\ndata: ");
		put_record(record, out);
		dal_buffer_text(out, "\n\n");
		break;
	}
	reading->given++;
}

/* `cursor`: the next page's first offset; 0: this is the last page. */
static int end(const struct dal_reading *reading, uint64_t cursor, struct dal_buffer *out)
{
	if (reading->form == DAL_READING_JSON) {
		dal_buffer_text(out, "\n]");
		if (cursor > 0) {
			dal_buffer_text(out, ",\"cursor\":\"");
			put_cursor(reading, cursor, out);
			dal_buffer_byte(out, '"');
		}
		dal_buffer_text(out, "}\n");
	}
	return DAL_HTTP_STREAM_END;
}

/* --- a piece --- */

/* Has the client all that it asked for? A page goes on until it knows whether there is another. */
static bool is_full(const struct dal_reading *reading)
{
	return reading->limit > 0 && reading->given == reading->limit;
}

static int no_record(struct dal_reading *reading, int outcome, struct dal_buffer *out)
{
	if (outcome < 0) {
		dal_logger_write(DAL_LOGGER_ERROR, "api", "the log can't be read at offset %llu",
				 (unsigned long long)reading->next);
		return outcome;
	}
	if (outcome == DAL_LOG_END && reading->form == DAL_READING_TAIL) {
		return DAL_HTTP_STREAM_WAIT;
	}
	return end(reading, 0, out);
}

/* More is there, but others have their turn first. */
static int yield_turn(struct dal_reading *reading, const struct dal_buffer *out)
{
	if (out->size > 0) {
		return 0;
	}
	dal_http_stream_wake(reading->sleeper.stream);
	return DAL_HTTP_STREAM_WAIT;
}

int dal_reading_fill(struct dal_buffer *out, void *own)
{
	struct dal_reading *reading = own;
	const struct dal_log_record *record;
	int outcome = 0;

	atomic_store(&reading->sleeper.asleep, true);
	if (!reading->begun) {
		begin(reading, out);
	}
	for (size_t i = 0; i < PIECE_EVENTS && out->size < PIECE_BYTES; i++) {
		if (is_full(reading) && reading->form != DAL_READING_JSON) {
			return end(reading, 0, out);
		}
		record = record_next(reading, &outcome);
		if (!record) {
			return no_record(reading, outcome, out);
		}
		if (!matches(reading, record)) {
			continue;
		}
		if (is_full(reading)) {
			return end(reading, record->place.offset, out);
		}
		give(reading, record, out);
	}
	return yield_turn(reading, out);
}
