/* From a gathered body to the sink, and what is answered. */
#include "connectors/ingress_private.h"

#include "engine/event/json_write.h"

struct dal_slice dal_post_text(const struct dal_post *post)
{
	return dal_ingress_trim(dal_buffer_slice(&post->gathered.body));
}

void dal_post_refuse(struct dal_post *post, const struct dal_fault *fault, size_t at, long index)
{
	struct dal_buffer detail = {0}, more = {0};
	int line = 0, column = 0;

	dal_metric_add(post->ingress->counts.refused, 1);
	if (index >= 0) {
		dal_buffer_printf(&detail, "event %ld of the batch (from 0): ", index);
		dal_buffer_printf(&more, "\"index\":%ld", index);
	}
	if (fault->placed) {
		dal_json_place(dal_buffer_slice(&post->gathered.body), at + fault->position, &line,
			       &column);
		dal_buffer_printf(&detail, "line %d, column %d: ", line, column);
		dal_buffer_printf(&more, "%s\"position\":%zu,\"line\":%d,\"column\":%d",
				  index >= 0 ? "," : "", at + fault->position, line, column);
	}
	dal_buffer_text(&detail, fault->error.text);
	dal_http_problem_with(post->request, fault->status, dal_buffer_cstr(&detail),
			      more.size ? dal_buffer_cstr(&more) : NULL);
	dal_buffer_deinit(&detail);
	dal_buffer_deinit(&more);
}

void dal_post_keep_one(struct dal_post *post, struct dal_slice text, const struct dal_event *event)
{
	if (post->idempotency_key.size == 0) {
		dal_ingress_dedup(event, &post->dedup);
	}
	post->one = (struct dal_sink_item){
		.topic = post->topic, .event = text, .dedup = dal_buffer_slice(&post->dedup)};
	post->batch.items = &post->one;
	post->batch.count = 1;
}

static void put_position(struct dal_json_writer *writer, const struct dal_place *place)
{
	struct dal_buffer text = {0};

	dal_place_format(place, &text);
	dal_json_put_slice(writer, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void write_answer(const struct dal_post *post, struct dal_buffer *out)
{
	struct dal_json_writer writer = {.out = out};

	dal_json_begin_object(&writer);
	if (post->many == NULL) {
		dal_json_key(&writer, "position");
		put_position(&writer, &post->one.place);
		if (post->one.repeated) {
			dal_json_key(&writer, "repeated");
			dal_json_put_boolean(&writer, true);
		}
	} else {
		dal_json_key(&writer, "positions");
		dal_json_begin_array(&writer);
		for (size_t i = 0; i < post->batch.count; i++) {
			put_position(&writer, &post->many[i].place);
		}
		dal_json_end_array(&writer);
	}
	dal_json_end_object(&writer);
	dal_buffer_byte(out, '\n');
}

/* The sink's thread. After the reply the post may be gone. */
static void answer(struct dal_sink_batch *batch, int result)
{
	struct dal_post *post = batch->own;
	struct dal_buffer body = {0};

	if (result != 0) {
		dal_metric_add(post->ingress->counts.refused, (int64_t)batch->count);
		dal_sink_explain(result, batch->reason, &body);
		dal_http_problem(post->request, dal_sink_status(result), "%s",
				 dal_buffer_cstr(&body));
		dal_buffer_deinit(&body);
		return;
	}
	dal_counts_kept(&post->ingress->counts, batch);
	write_answer(post, &body);
	dal_http_reply_take(post->request, 200, "application/json", NULL, &body);
}

/* The same key with the same body but for another topic is another request. */
static struct dal_digest digest_request(const struct dal_post *post, struct dal_slice body)
{
	struct dal_digester *digester = dal_digester_new();

	dal_digester_add(digester, post->topic);
	dal_digester_add(digester, body);
	return dal_digester_finish_take(digester);
}

void dal_post_append(struct dal_post *post, struct dal_slice body)
{
	const struct dal_sink *sink = &post->ingress->sink;

	if (post->idempotency_key.size > 0) {
		post->digest = digest_request(post, body);
		post->batch.request_key = post->idempotency_key;
		post->batch.request_body = dal_slice(post->digest.bytes, DAL_DIGEST_BYTES);
	}
	post->batch.done = answer;
	post->batch.own = post;
	int result = sink->append(sink->own, &post->batch);
	if (result != 0) {
		answer(&post->batch, result);
	}
}
