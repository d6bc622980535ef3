/* Batch mode: a JSON array of events, all of them or none (JSON batch format, 1.0.2). */
#include "connectors/ingress_private.h"

#include "engine/base/memory.h"

static void refuse_whole(struct dal_post *post, const struct dal_fault *fault)
{
	struct dal_slice text = dal_post_text(post);

	dal_post_refuse(post, fault, text.size ? (size_t)(text.data - post->gathered.body.data) : 0,
			-1);
}

/* The array's elements become items. Each is parsed again by itself, as that is what is kept. */
static bool split(struct dal_post *post, struct dal_json *json)
{
	struct dal_fault fault = {.status = 400};
	struct dal_json_error why;

	if (dal_json_parse(json, dal_post_text(post), DAL_JSON_PADDED, &why) != 0) {
		fault.placed = true;
		fault.position = why.position;
		dal_error_set(&fault.error, "%s", why.reason);
		refuse_whole(post, &fault);
		return false;
	}
	if (dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_ARRAY) {
		dal_error_set(&fault.error, "a batch is a JSON array of events");
		refuse_whole(post, &fault);
		return false;
	}
	post->batch.count = dal_json_count(json, DAL_JSON_ROOT);
	if (post->batch.count > DAL_LIMIT_BATCH_EVENTS) {
		fault.status = 413;
		dal_error_set(&fault.error,
			      "%zu events, at most %d are taken at once: send them in parts, or as "
			      "application/x-ndjson, which may have any length",
			      post->batch.count, DAL_LIMIT_BATCH_EVENTS);
		refuse_whole(post, &fault);
		return false;
	}
	post->many = dal_calloc(post->batch.count, sizeof(*post->many));
	uint32_t node = DAL_JSON_ROOT + 1;
	for (size_t i = 0; i < post->batch.count; i++, node = dal_json_next(json, node)) {
		post->many[i] = (struct dal_sink_item){.topic = post->topic,
						       .event = dal_json_raw(json, node)};
	}
	post->batch.items = post->many;
	return true;
}

static bool check(struct dal_post *post, struct dal_json *json)
{
	struct dal_fault fault;
	struct dal_event event;

	for (size_t i = 0; i < post->batch.count; i++) {
		struct dal_sink_item *item = &post->many[i];
		if (!dal_ingress_check(post->ingress, json, item->event,
				       DAL_JSON_PADDED | DAL_JSON_TRUSTED, &event, &fault)) {
			if (!fault.placed) {
				fault.placed = true;
				fault.position = 0;
			}
			dal_post_refuse(post, &fault,
					(size_t)(item->event.data - post->gathered.body.data),
					(long)i);
			return false;
		}
		if (post->idempotency_key.size == 0) {
			size_t before = post->dedup.size;
			dal_ingress_dedup(&event, &post->dedup);
			item->dedup.size = post->dedup.size - before;
		}
	}
	return true;
}

/* They stand one behind the other, now that they no longer move. */
static void place_dedup(struct dal_post *post)
{
	const char *at = post->dedup.data;

	for (size_t i = 0; i < post->batch.count && at != NULL; i++) {
		post->many[i].dedup.data = at;
		at += post->many[i].dedup.size;
	}
}

void dal_post_batch(struct dal_post *post)
{
	struct dal_json *json = dal_ingress_parser(post->ingress);
	bool good = split(post, json) && check(post, json);

	dal_ingress_parser_done(post->ingress, json);
	if (!good) {
		return;
	}
	place_dedup(post);
	if (post->batch.count == 0) {
		dal_http_reply(post->request, 200, "application/json", NULL,
			       dal_slice_text("{\"positions\":[]}\n"));
		return;
	}
	dal_post_append(post, dal_post_text(post));
}
