/* NDJSON: pieces of a body to lines, lines to events (the HTTP thread). */
#include "connectors/ndjson.h"

#include "engine/base/memory.h"
#include "engine/event/json_write.h"

struct dal_ndjson *dal_ndjson_new(struct dal_ingress *ingress, struct dal_http_request *request,
				  struct dal_slice topic, struct dal_slice key)
{
	struct dal_ndjson *stream = dal_calloc(1, sizeof(*stream));

	stream->ingress = ingress;
	stream->request = request;
	dal_buffer_slice_append(&stream->topic, topic);
	dal_buffer_slice_append(&stream->key, key);
	stream->refs = 1;
	stream->filling = dal_calloc(1, sizeof(*stream->filling));
	stream->filling->stream = stream;
	stream->queue_end = &stream->queue;
	pthread_mutex_init(&stream->lock, NULL);
	atomic_fetch_add(&ingress->streams, 1);
	return stream;
}

/* Room behind the text, padding included; the items follow the text where it goes. */
static void grow(struct dal_group *group, size_t more)
{
	struct dal_buffer old = group->text, wider = {0};

	more += DAL_JSON_PADDING;
	if (old.capacity - old.size >= more) {
		return;
	}
	dal_buffer_reserve(&wider, old.size + more + old.capacity);
	dal_buffer_append(&wider, old.data, old.size);
	for (size_t i = 0; i < group->batch.count; i++) {
		struct dal_slice *event = &group->batch.items[i].event;
		event->data = wider.data + (event->data - old.data);
	}
	dal_buffer_deinit(&old);
	group->text = wider;
}

static void refuse(struct dal_ndjson *stream, const struct dal_fault *fault, size_t at)
{
	struct dal_json_writer writer = {.out = &stream->errors};
	struct dal_buffer detail = {0};

	dal_metric_add(stream->ingress->counts.refused, 1);
	if (stream->refused++ >= DAL_NDJSON_ERRORS) {
		return;
	}
	if (fault->placed) {
		dal_buffer_printf(&detail, "column %zu: ", at + fault->position + 1);
	}
	dal_buffer_text(&detail, fault->error.text);
	writer.comma = stream->errors.size > 0;
	dal_json_begin_object(&writer);
	dal_json_key(&writer, "line");
	dal_json_put_integer(&writer, (int64_t)stream->lines);
	dal_json_key(&writer, "detail");
	dal_json_put_slice(&writer, dal_buffer_slice(&detail));
	dal_json_end_object(&writer);
	dal_buffer_deinit(&detail);
}

/* With an Idempotency-Key, line N of it is a repeat of its line N if it is the same event. */
static size_t put_dedup(const struct dal_ndjson *stream, const struct dal_event *event,
			struct dal_buffer *out)
{
	size_t before = out->size;

	if (stream->key.size > 0) {
		dal_buffer_slice_append(out, dal_buffer_slice(&stream->key));
		dal_buffer_byte(out, 0);
		dal_json_append_integer(out, (int64_t)stream->lines);
		dal_buffer_byte(out, 0);
	}
	dal_ingress_dedup(event, out);
	return out->size - before;
}

static void keep(struct dal_ndjson *stream, struct dal_slice text, const struct dal_event *event)
{
	struct dal_group *group = stream->filling;

	if (group->batch.count == 0) {
		group->first_line = stream->lines;
	}
	DAL_GROW(group->batch.items, group->batch.count, group->capacity);
	group->batch.items[group->batch.count++] = (struct dal_sink_item){
		.topic = dal_buffer_slice(&stream->topic),
		.event = text,
		.dedup.size = put_dedup(stream, event, &group->dedup),
	};
}

static void take_line(struct dal_ndjson *stream, struct dal_json *json, struct dal_slice line)
{
	struct dal_slice text = dal_ingress_trim(line);
	struct dal_event event;
	struct dal_fault fault;

	stream->lines++;
	if (text.size == 0) {
		return;
	}
	if (dal_ingress_check(stream->ingress, json, text, DAL_JSON_PADDED, &event, &fault)) {
		keep(stream, text, &event);
	} else {
		refuse(stream, &fault, (size_t)(text.data - line.data));
	}
}

/* Without an event nothing of the text is needed but the line that has no end. */
static void compact(struct dal_group *group)
{
	if (group->batch.count == 0 && group->line > 0) {
		group->text.size -= group->line;
		memmove(group->text.data, group->text.data + group->line, group->text.size);
		group->line = 0;
		group->seen = group->text.size;
	}
}

static void take_lines(struct dal_ndjson *stream)
{
	struct dal_group *group = stream->filling;
	struct dal_json *json = dal_ingress_parser(stream->ingress);
	const char *text = group->text.data, *end;

	while ((end = memchr(text + group->seen, '\n', group->text.size - group->seen)) != NULL) {
		size_t next = (size_t)(end - text) + 1;
		take_line(stream, json, dal_slice(text + group->line, next - 1 - group->line));
		group->line = group->seen = next;
	}
	group->seen = group->text.size;
	dal_ingress_parser_done(stream->ingress, json);
}

/* A line that has no end yet, and is too long already: what comes of it is not even kept. */
static void cut_long_line(struct dal_ndjson *stream)
{
	struct dal_group *group = stream->filling;
	struct dal_fault fault;

	if (group->text.size - group->line <= stream->ingress->event_bytes + DAL_JSON_PADDING) {
		return;
	}
	stream->lines++;
	dal_error_set(&fault.error, "the line is longer than %llu bytes (limits.event)",
		      (unsigned long long)stream->ingress->event_bytes);
	fault.placed = false;
	refuse(stream, &fault, 0);
	group->text.size = group->seen = group->line;
	stream->skipping = true;
}

static struct dal_slice skip(struct dal_ndjson *stream, struct dal_slice piece)
{
	struct dal_slice head, tail;

	if (!stream->skipping) {
		return piece;
	}
	if (!dal_slice_cut(piece, '\n', &head, &tail)) {
		return dal_slice(NULL, 0);
	}
	stream->skipping = false;
	return tail;
}

static void fill(struct dal_ndjson *stream, struct dal_slice piece)
{
	struct dal_group *group = stream->filling;

	piece = skip(stream, piece);
	if (piece.size == 0) {
		return;
	}
	grow(group, piece.size);
	dal_buffer_slice_append(&group->text, piece);
	take_lines(stream);
	cut_long_line(stream);
	compact(group);
}

int dal_ndjson_take(struct dal_ndjson *stream, struct dal_slice piece)
{
	if (dal_ndjson_begin(stream)) {
		fill(stream, piece);
	}
	return dal_ndjson_turn(stream, false);
}

void dal_ndjson_end(struct dal_ndjson *stream)
{
	if (dal_ndjson_begin(stream) && stream->filling->text.size > stream->filling->line) {
		fill(stream, dal_slice("\n", 1)); /* the last line may lack it */
	}
	dal_ndjson_turn(stream, true);
}
