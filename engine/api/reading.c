#include "engine/api/reading.h"

#include <errno.h>

#include "engine/api/cursor.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"

#define READ_EVENTS 256
#define READ_BYTES (256 * DAL_KIB)
#define PIECE_EVENTS 4096 /* looked at in one call */
#define PIECE_BYTES (64 * DAL_KIB)
#define RETRY_MS 1000             /* an EventSource comes back after this */
#define STALL_US (30 * 1000000ll) /* nothing of what must be there comes: the brokers are away */

int dal_reading_open(struct dal_reading *reading)
{
	reading->read_us = dal_clock_monotonic_us();
	dal_position_copy(&reading->batch.position, &reading->next);
	return dal_log_browse(dal_engine_log(reading->api->engine), reading->lane, &reading->next,
			      reading->topic, &reading->reader);
}

void dal_reading_drop(struct dal_reading *reading)
{
	dal_log_batch_release(&reading->batch);
	dal_log_reader_free(reading->reader);
	dal_json_free(reading->json);
	dal_position_deinit(&reading->next);
	dal_position_deinit(&reading->to);
	free(reading->topic);
	free(reading->type);
	free(reading->subject);
	dal_api_unref(reading->api);
	free(reading);
}

void dal_reading_release(void *own)
{
	struct dal_reading *reading = own;

	dal_api_sleeper_remove(reading->api, &reading->sleeper);
	dal_reading_drop(reading);
}

/* --- which --- */

/* Of a log with partitions a range ends in each of them on its own. */
static bool is_over(const struct dal_reading *reading)
{
	return reading->form != DAL_READING_TAIL &&
	       dal_position_reached(&reading->batch.position, &reading->to);
}

/* The next record, or NULL: *outcome 0 at the end of the range, DAL_LOG_END (there is nothing now),
 * or negative. */
static const struct dal_log_record *record_next(struct dal_reading *reading, int *outcome)
{
	while (reading->index == reading->batch.count) {
		*outcome = 0;
		if (is_over(reading)) {
			return NULL;
		}
		*outcome = dal_log_read(reading->reader, READ_EVENTS, READ_BYTES, &reading->batch);
		reading->index = 0;
		if (*outcome != 0) {
			*outcome = *outcome == DAL_LOG_END && is_over(reading) ? 0 : *outcome;
			return NULL;
		}
		reading->read_us = dal_clock_monotonic_us();
	}
	return &reading->batch.records[reading->index++];
}

static bool is_before_end(const struct dal_reading *reading, const struct dal_log_record *record)
{
	return reading->form == DAL_READING_TAIL || dal_position_has(&reading->to, &record->place);
}

/* An event, and one that was asked for? What others wrote to Kafka may be none: the worker has
 * reported it (dalamb.record.refused). */
static bool matches(struct dal_reading *reading, const struct dal_log_record *record)
{
	unsigned flags = DAL_JSON_PADDED |
			 (record->untrusted ? DAL_JSON_LAST_WINS : DAL_JSON_TRUSTED);
	struct dal_error why;
	struct dal_event event;
	bool halt;

	if (record->refused.size > 0) {
		return false;
	}
	if (!reading->type && !reading->subject && !record->untrusted) {
		return true;
	}
	if (!reading->json) {
		reading->json = dal_json_new();
	}
	if (dal_json_parse(reading->json, record->event, flags, NULL) != 0) {
		return false;
	}
	dal_event_view(&event, reading->json);
	event.place = record->place;
	return (!record->untrusted || dal_log_accept(dal_engine_log(reading->api->engine), record,
						     &event, &halt, &why)) &&
	       (!reading->type || dal_slice_is(event.type, reading->type)) &&
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

/* What a repeat is told by, where it is left to the reader to do so (Kafka). */
static void put_dedup(struct dal_json_writer *w, struct dal_slice dedup)
{
	struct dal_buffer hex = {0};

	if (dedup.size > 0) {
		dal_hex_encode(dedup, &hex);
		dal_json_key(w, "dedup");
		dal_json_put_slice(w, dal_buffer_slice(&hex));
		dal_buffer_deinit(&hex);
	}
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
	w.comma = true; /* a value was written, though not by it */
	put_dedup(&w, record->dedup);
	dal_json_end_object(&w);
}

static void put_cursor(const struct dal_reading *reading, struct dal_buffer *out)
{
	dal_cursor_write_position(dal_log_id(dal_engine_log(reading->api->engine)), reading->lane,
				  &reading->next, out);
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
		put_cursor(reading, out);
		dal_buffer_text(out, "\ndata: ");
		put_record(record, out);
		dal_buffer_text(out, "\n\n");
		break;
	}
	reading->given++;
}

/* `more`: the next page has something. */
static int end(const struct dal_reading *reading, bool more, struct dal_buffer *out)
{
	if (reading->form == DAL_READING_JSON) {
		dal_buffer_text(out, "\n]");
		if (more) {
			dal_buffer_text(out, ",\"cursor\":\"");
			put_cursor(reading, out);
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
	if (outcome == 0) {
		return end(reading, false, out);
	}
	if (outcome == DAL_LOG_END && reading->form != DAL_READING_TAIL &&
	    dal_clock_monotonic_us() - reading->read_us > STALL_US) {
		outcome = -EHOSTUNREACH;
	}
	if (outcome < 0) {
		dal_logger_write(DAL_LOGGER_ERROR, "api", "the log can't be read: %s",
				 strerror(-outcome));
		return outcome;
	}
	return DAL_HTTP_STREAM_WAIT;
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
	bool wanted;

	atomic_store(&reading->sleeper.asleep, true);
	if (!reading->begun) {
		begin(reading, out);
	}
	for (size_t i = 0; i < PIECE_EVENTS && out->size < PIECE_BYTES; i++) {
		if (is_full(reading) && reading->form != DAL_READING_JSON) {
			return end(reading, false, out);
		}
		record = record_next(reading, &outcome);
		if (!record) {
			return no_record(reading, outcome, out);
		}
		if (!is_before_end(reading, record)) {
			continue; /* of a partition that has been read to its end */
		}
		wanted = matches(reading, record);
		if (wanted && is_full(reading)) {
			return end(reading, true, out);
		}
		dal_position_pass(&reading->next, &record->place);
		if (wanted) {
			give(reading, record, out);
		}
	}
	return yield_turn(reading, out);
}
