/* NDJSON: groups of events to the sink, in order, and the answer when all are done. */
#include "connectors/ndjson.h"

#include <errno.h>

#include "engine/base/memory.h"
#include "engine/event/json_write.h"

static void group_free(struct dal_group *group)
{
	if (group == NULL) {
		return;
	}
	dal_buffer_deinit(&group->text);
	dal_buffer_deinit(&group->dedup);
	free(group->batch.items);
	free(group);
}

static void span_deinit(struct dal_span *span)
{
	dal_buffer_deinit(&span->first);
	dal_buffer_deinit(&span->last);
}

static void stream_free(struct dal_ndjson *stream)
{
	struct dal_ingress *ingress = stream->ingress;

	group_free(stream->filling);
	while (stream->idle != NULL) {
		struct dal_group *next = stream->idle->next;
		group_free(stream->idle);
		stream->idle = next;
	}
	dal_buffer_deinit(&stream->topic);
	dal_buffer_deinit(&stream->key);
	dal_buffer_deinit(&stream->errors);
	span_deinit(&stream->kept);
	span_deinit(&stream->known);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
	pthread_mutex_lock(&ingress->lock);
	atomic_fetch_sub(&ingress->streams, 1);
	pthread_cond_broadcast(&ingress->changed);
	pthread_mutex_unlock(&ingress->lock);
}

void dal_ndjson_unref(struct dal_ndjson *stream)
{
	pthread_mutex_lock(&stream->lock);
	bool last = --stream->refs == 0;
	pthread_mutex_unlock(&stream->lock);
	if (last) {
		stream_free(stream);
	}
}

/* --- under the stream's lock --- */

static bool is_full(const struct dal_ndjson *stream)
{
	const struct dal_group *group = stream->filling;
	size_t share = DAL_NDJSON_BYTES / DAL_GROUPS / (atomic_load(&stream->ingress->streams) + 1);

	share = share > DAL_GROUP_BYTES_MOST ? DAL_GROUP_BYTES_MOST : share;
	share = share < DAL_GROUP_BYTES_LEAST ? DAL_GROUP_BYTES_LEAST : share;
	return group->batch.count >= DAL_GROUP_EVENTS || group->line >= share;
}

static struct dal_group *group_take(struct dal_ndjson *stream)
{
	struct dal_group *group = stream->idle;

	if (group == NULL) {
		group = dal_calloc(1, sizeof(*group));
		group->stream = stream;
		return group;
	}
	stream->idle = group->next;
	return group;
}

static void group_done(struct dal_sink_batch *batch, int result);

/* The filling group is queued; the line without an end goes to the next one. */
static void send_off(struct dal_ndjson *stream)
{
	struct dal_group *group = stream->filling, *next = group_take(stream);
	const char *at = group->dedup.data;

	dal_buffer_reserve(&next->text, group->text.size - group->line + DAL_JSON_PADDING);
	dal_buffer_append(&next->text, group->text.data + group->line,
			  group->text.size - group->line);
	next->seen = next->text.size;
	for (size_t i = 0; i < group->batch.count; i++) {
		group->batch.items[i].dedup.data = at;
		at += group->batch.items[i].dedup.size;
	}
	group->batch.done = group_done;
	group->batch.own = group;
	group->sequence = stream->sequence++;
	group->next = NULL;
	*stream->queue_end = group;
	stream->queue_end = &group->next;
	stream->flying++;
	stream->refs++;
	stream->filling = next;
}

/* While one group is with the sink the next one fills up; if none is, it goes at once. */
static void advance(struct dal_ndjson *stream)
{
	while (!stream->busy && stream->failure == 0 && stream->filling->batch.count > 0 &&
	       stream->flying < DAL_GROUPS - 1 &&
	       (stream->flying == 0 || stream->ended || is_full(stream))) {
		send_off(stream);
	}
}

static void put_back(struct dal_ndjson *stream, struct dal_group *group)
{
	struct dal_group **at = &stream->queue;

	while (*at != NULL && (*at)->sequence < group->sequence) {
		at = &(*at)->next;
	}
	group->next = *at;
	*at = group;
	if (group->next == NULL) {
		stream->queue_end = &group->next;
	}
}

static struct dal_group *take_front(struct dal_ndjson *stream)
{
	struct dal_group *group = stream->queue;

	if (group != NULL) {
		stream->queue = group->next;
		if (stream->queue == NULL) {
			stream->queue_end = &stream->queue;
		}
	}
	return group;
}

static void put_place(struct dal_buffer *out, const struct dal_place *place)
{
	dal_buffer_clear(out);
	dal_place_format(place, out);
}

static void span_add(struct dal_span *span, uint64_t sequence, const struct dal_sink_item *item)
{
	if (!span->any || sequence < span->first_sequence) {
		span->first_sequence = sequence;
		put_place(&span->first, &item->place);
	}
	if (!span->any || sequence >= span->last_sequence) {
		span->last_sequence = sequence;
		put_place(&span->last, &item->place);
	}
	span->any = true;
}

/* The outermost items of a kind, as only these can be the first or last of the stream. */
static void span_add_group(struct dal_span *span, const struct dal_group *group, bool repeated)
{
	const struct dal_sink_batch *batch = &group->batch;
	size_t first = 0, last = batch->count;

	while (first < last && batch->items[first].repeated != repeated) {
		first++;
	}
	while (last > first && batch->items[last - 1].repeated != repeated) {
		last--;
	}
	if (first < last) {
		span_add(span, group->sequence, &batch->items[first]);
		span_add(span, group->sequence, &batch->items[last - 1]);
	}
}

static void account(struct dal_ndjson *stream, struct dal_group *group, int result)
{
	if (result != 0) {
		dal_metric_add(stream->ingress->counts.refused, (int64_t)group->batch.count);
		if (stream->failure == 0 || group->first_line < stream->failed_line) {
			stream->failure = result;
			stream->reason = group->batch.reason;
			stream->failed_line = group->first_line;
		}
		return;
	}
	size_t repeated = dal_counts_kept(&stream->ingress->counts, &group->batch);
	stream->repeated += repeated;
	stream->accepted += group->batch.count - repeated;
	span_add_group(&stream->kept, group, false);
	span_add_group(&stream->known, group, true);
}

static void group_reset(struct dal_ndjson *stream, struct dal_group *group)
{
	dal_buffer_clear(&group->text);
	dal_buffer_clear(&group->dedup);
	group->line = group->seen = 0;
	group->batch.count = 0;
	group->next = stream->idle;
	stream->idle = group;
}

/* All is done, and whoever asks must answer. */
static bool is_due(struct dal_ndjson *stream)
{
	bool over = stream->ended || (stream->failure != 0 && stream->paused);
	bool due = over && !stream->busy && stream->flying == 0 && !stream->answered &&
		   stream->request != NULL &&
		   (stream->failure != 0 || stream->filling->batch.count == 0);

	stream->answered |= due;
	return due;
}

/* --- the answer --- */

static void put_summary(const struct dal_ndjson *stream, struct dal_buffer *out)
{
	const struct dal_span *span = stream->kept.any ? &stream->kept : &stream->known;

	dal_buffer_printf(out, "\"accepted\":%llu,\"repeated\":%llu,\"refused\":%llu",
			  (unsigned long long)stream->accepted,
			  (unsigned long long)stream->repeated,
			  (unsigned long long)stream->refused);
	if (span->any) {
		dal_buffer_text(out, ",\"first\":");
		dal_json_append_string(out, dal_buffer_slice(&span->first));
		dal_buffer_text(out, ",\"last\":");
		dal_json_append_string(out, dal_buffer_slice(&span->last));
	}
	dal_buffer_text(out, ",\"errors\":[");
	dal_buffer_slice_append(out, dal_buffer_slice(&stream->errors));
	dal_buffer_byte(out, ']');
}

/* Without the lock: nothing changes any more. */
static void answer(struct dal_ndjson *stream)
{
	struct dal_buffer summary = {0}, detail = {0}, body = {0};

	put_summary(stream, &summary);
	if (stream->failure != 0) {
		dal_sink_explain(stream->failure, stream->reason, &detail);
		dal_buffer_printf(&detail, "; what stands before line %llu is kept",
				  (unsigned long long)stream->failed_line);
		dal_http_problem_with(stream->request, dal_sink_status(stream->failure),
				      dal_buffer_cstr(&detail), dal_buffer_cstr(&summary));
	} else if (stream->refused > 0) {
		dal_buffer_printf(&detail, "%llu of the lines are no events; the others are kept",
				  (unsigned long long)stream->refused);
		dal_http_problem_with(stream->request, 400, dal_buffer_cstr(&detail),
				      dal_buffer_cstr(&summary));
	} else {
		dal_buffer_printf(&body, "{%s}\n", dal_buffer_cstr(&summary));
		dal_http_reply_take(stream->request, 200, "application/json", NULL, &body);
	}
	dal_buffer_deinit(&summary);
	dal_buffer_deinit(&detail);
}

/* --- any thread --- */

/* False: it is too late to wait. Under the lock. */
static bool wait_again(struct dal_ndjson *stream, struct dal_group *group)
{
	if (!stream->waiting) {
		stream->refs++;
		if (!dal_pacer_wait(stream)) {
			stream->refs--;
			return false;
		}
		stream->waiting = true;
	}
	put_back(stream, group);
	return true;
}

static void group_done(struct dal_sink_batch *batch, int result)
{
	struct dal_group *group = batch->own;
	struct dal_ndjson *stream = group->stream;

	pthread_mutex_lock(&stream->lock);
	if (result == DAL_SINK_FULL && stream->failure == 0 && wait_again(stream, group)) {
		pthread_mutex_unlock(&stream->lock);
		return;
	}
	account(stream, group, result);
	group_reset(stream, group);
	stream->flying--;
	advance(stream);
	struct dal_http_request *request = stream->request;
	bool resume = stream->paused && stream->failure == 0 && !is_full(stream);
	bool due = is_due(stream);
	stream->paused &= !resume;
	pthread_mutex_unlock(&stream->lock);
	dal_ndjson_pump(stream);
	if (due) {
		answer(stream);
	} else if (resume) {
		dal_http_resume(request);
	}
	dal_ndjson_unref(stream);
}

void dal_ndjson_pump(struct dal_ndjson *stream)
{
	const struct dal_sink *sink = &stream->ingress->sink;
	struct dal_group *group;

	pthread_mutex_lock(&stream->lock);
	if (stream->pumping) {
		pthread_mutex_unlock(&stream->lock);
		return;
	}
	stream->pumping = true;
	while (!stream->waiting && (group = take_front(stream)) != NULL) {
		int result = stream->failure;
		pthread_mutex_unlock(&stream->lock);
		if (result == 0) {
			result = sink->append(sink->own, &group->batch);
		}
		if (result != 0) {
			group_done(&group->batch, result);
		}
		pthread_mutex_lock(&stream->lock);
	}
	stream->pumping = false;
	pthread_mutex_unlock(&stream->lock);
}

/* --- the HTTP thread --- */

bool dal_ndjson_begin(struct dal_ndjson *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->busy = true;
	bool going = stream->failure == 0;
	pthread_mutex_unlock(&stream->lock);
	return going;
}

int dal_ndjson_turn(struct dal_ndjson *stream, bool last)
{
	pthread_mutex_lock(&stream->lock);
	stream->busy = false;
	stream->ended = last;
	advance(stream);
	stream->paused = !stream->ended && (stream->failure != 0 || is_full(stream));
	bool due = is_due(stream);
	int result = due ? -EIO : stream->paused ? DAL_HTTP_PAUSE : 0;
	pthread_mutex_unlock(&stream->lock);
	dal_ndjson_pump(stream);
	if (due) {
		answer(stream);
	}
	return result;
}

void dal_ndjson_release(struct dal_ndjson *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->request = NULL;
	stream->busy = false;
	stream->ended = true;
	advance(stream);
	pthread_mutex_unlock(&stream->lock);
	dal_ndjson_pump(stream);
	dal_ndjson_unref(stream);
}
