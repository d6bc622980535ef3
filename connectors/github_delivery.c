/*
 * One delivery of a webhook: signature, form, ping, and the event that it becomes.
 *
 * A delivery's id is not signed, and a delivery that is sent again has the same body: so a repeat
 * is told by the event's name and the body's digest. That covers the same id (an id belongs to one
 * body), and a captured request that is played again under another id.
 */
#include "connectors/github_private.h"

#include <errno.h>
#include <stdio.h>

#include "connectors/github_map.h"
#include "connectors/media.h"
#include "connectors/percent.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"

#define SIGNATURE_PREFIX "sha256="

/* One request, attached to it. */
struct delivery {
	struct dal_github *github;
	struct dal_http_request *request;
	struct dal_slice name, id;
	struct dal_gathered gathered;
	struct dal_buffer form;  /* the payload of a form, decoded */
	struct dal_buffer event; /* structured */
	struct dal_buffer dedup;
	struct dal_sink_item item;
	struct dal_sink_batch batch;
};

static struct dal_slice header(const struct dal_http_request *request, const char *name)
{
	struct dal_slice value = {0};

	dal_http_header(request, name, &value);
	return dal_slice_trim(value);
}

/* Every secret is tried, so that the time does not tell which one it was. */
static bool is_signed(const struct dal_github *github, struct dal_slice signature,
		      struct dal_slice body)
{
	struct dal_buffer given = {0};
	bool good = false;

	if (!dal_slice_starts(signature, SIGNATURE_PREFIX) ||
	    !dal_hex_decode(dal_slice(signature.data + strlen(SIGNATURE_PREFIX),
				      signature.size - strlen(SIGNATURE_PREFIX)),
			    &given)) {
		return false;
	}
	for (size_t i = 0; i < github->secret_count; i++) {
		struct dal_digest digest = dal_digest_hmac(dal_slice_text(github->secrets[i]),
							   body);
		good |= dal_digest_equal(dal_buffer_slice(&given),
					 dal_slice(digest.bytes, DAL_DIGEST_BYTES));
	}
	dal_buffer_deinit(&given);
	return good;
}

static bool check_signature(const struct delivery *delivery)
{
	struct dal_slice signature = header(delivery->request, "x-hub-signature-256");

	if (is_signed(delivery->github, signature, dal_buffer_slice(&delivery->gathered.body))) {
		return true;
	}
	dal_http_problem(delivery->request, 401,
			 "X-Hub-Signature-256 does not fit: give the webhook the secret that the "
			 "app declares");
	return false;
}

/* Names come from a header, and become part of a type. */
static bool is_event_name(struct dal_slice name)
{
	for (size_t i = 0; i < name.size; i++) {
		char c = name.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_') {
			return false;
		}
	}
	return name.size > 0 && name.size <= DAL_LIMIT_NAME_BYTES;
}

/* The value of `payload` in a form. */
static bool form_payload(struct dal_slice body, struct dal_buffer *out)
{
	struct dal_slice pair, name, value;

	while (body.size > 0) {
		if (!dal_slice_cut(body, '&', &pair, &body)) {
			pair = body;
			body = dal_slice(NULL, 0);
		}
		if (dal_slice_cut(pair, '=', &name, &value) && dal_slice_is(name, "payload")) {
			return dal_percent_decode(value, true, out);
		}
	}
	return false;
}

static bool find_payload(struct delivery *delivery, struct dal_slice *payload)
{
	struct dal_media media = dal_media_read(header(delivery->request, "content-type"));

	*payload = dal_buffer_slice(&delivery->gathered.body);
	if (dal_media_is(&media, "application/json")) {
		return true;
	}
	if (!dal_media_is(&media, "application/x-www-form-urlencoded")) {
		dal_http_problem(delivery->request, 415,
				 "expected application/json or application/x-www-form-urlencoded: "
				 "choose one of them as the webhook's content type");
		return false;
	}
	if (!form_payload(*payload, &delivery->form)) {
		dal_http_problem(delivery->request, 400,
				 "the form has no field \"payload\" that can be decoded");
		return false;
	}
	*payload = dal_buffer_slice(&delivery->form);
	return true;
}

/* --- the event --- */

static void build(struct delivery *delivery, const struct dal_json *json, struct dal_slice payload)
{
	struct dal_github_event mapped = {.time = {0}};
	char now[DAL_CLOCK_TEXT_BYTES];

	dal_github_map(delivery->name, json, &mapped);
	dal_clock_format(dal_clock_now_us(), now);
	const struct dal_attribute attributes[] = {
		{dal_slice_text("id"), delivery->id, false},
		{dal_slice_text("source"), dal_buffer_slice(&mapped.source), false},
		{dal_slice_text("type"), dal_buffer_slice(&mapped.type), false},
		{dal_slice_text("subject"), dal_buffer_slice(&mapped.subject), false},
		{dal_slice_text("time"), mapped.time.size ? mapped.time : dal_slice_text(now),
		 false},
		{dal_slice_text("datacontenttype"), dal_slice_text("application/json"), false},
	};
	dal_event_build(&(struct dal_event_parts){.attributes = attributes,
						  .count = sizeof(attributes) / sizeof(*attributes),
						  .data = payload},
			&delivery->event);
	dal_github_event_deinit(&mapped);
}

/* False: answered. What was built is read back, as parts of it come from outside. */
static bool make_event(struct delivery *delivery, struct dal_json *json, struct dal_slice payload)
{
	struct dal_json_error why;
	struct dal_error error;
	struct dal_event event;
	char more[64];

	if (dal_json_parse(json, payload, 0, &why) != 0) {
		snprintf(more, sizeof(more), "\"position\":%zu", why.position);
		dal_http_problem_with(delivery->request, 400, why.reason, more);
		return false;
	}
	if (dal_json_kind(json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		dal_http_problem(delivery->request, 400, "the payload is no JSON object");
		return false;
	}
	build(delivery, json, payload);
	if (dal_json_parse(json, dal_buffer_slice(&delivery->event), DAL_JSON_TRUSTED, &why) != 0) {
		dal_http_problem(delivery->request, 400, "%s", why.reason);
		return false;
	}
	if (dal_event_read(&event, json, &error) != 0) {
		dal_http_problem(delivery->request, 400, "%s", error.text);
		return false;
	}
	return true;
}

/* The sink's thread. After the reply the delivery may be gone. */
static void answer(struct dal_sink_batch *batch, int result)
{
	struct delivery *delivery = batch->own;
	const struct dal_counts *counts = &delivery->github->counts;
	struct dal_buffer body = {0}, place = {0};

	if (result != 0) {
		dal_metric_add(counts->refused, 1);
		dal_sink_explain(result, batch->reason, &body);
		dal_http_problem(delivery->request, dal_sink_status(result), "%s",
				 dal_buffer_cstr(&body));
		dal_buffer_deinit(&body);
		return;
	}
	dal_counts_kept(counts, batch);
	dal_place_format(&delivery->item.place, &place);
	dal_buffer_text(&body, "{\"position\":");
	dal_json_append_string(&body, dal_buffer_slice(&place));
	dal_buffer_text(&body, delivery->item.repeated ? ",\"repeated\":true}\n" : "}\n");
	dal_buffer_deinit(&place);
	dal_http_reply_take(delivery->request, 202, "application/json", NULL, &body);
}

static void append(struct delivery *delivery)
{
	const struct dal_sink *sink = &delivery->github->sink;
	struct dal_digest digest = dal_digest_of(dal_buffer_slice(&delivery->gathered.body));

	dal_buffer_text(&delivery->dedup, "github");
	dal_buffer_byte(&delivery->dedup, 0);
	dal_buffer_slice_append(&delivery->dedup, delivery->name);
	dal_buffer_byte(&delivery->dedup, 0);
	dal_buffer_append(&delivery->dedup, digest.bytes, DAL_DIGEST_BYTES);
	delivery->item = (struct dal_sink_item){
		.topic = dal_slice_text(DAL_TOPIC_EVENTS),
		.event = dal_buffer_slice(&delivery->event),
		.dedup = dal_buffer_slice(&delivery->dedup),
	};
	delivery->batch = (struct dal_sink_batch){
		.items = &delivery->item, .count = 1, .done = answer, .own = delivery};
	int result = sink->append(sink->own, &delivery->batch);
	if (result != 0) {
		answer(&delivery->batch, result);
	}
}

static void delivery_free(void *own)
{
	struct delivery *delivery = own;

	dal_gather_release(&delivery->github->gatherer, &delivery->gathered);
	dal_buffer_deinit(&delivery->form);
	dal_buffer_deinit(&delivery->event);
	dal_buffer_deinit(&delivery->dedup);
	free(delivery);
}

/* What can be refused before the body is read, whoever sends it. */
static bool check_headers(const struct delivery *delivery)
{
	if (header(delivery->request, "x-hub-signature-256").size == 0) {
		dal_http_problem(delivery->request, 401,
				 "X-Hub-Signature-256 is missing: give the webhook a secret, the "
				 "one that the app declares");
		return false;
	}
	if (!is_event_name(delivery->name)) {
		dal_http_problem(delivery->request, 400,
				 "X-GitHub-Event: expected an event's name, such as \"push\"");
		return false;
	}
	if (delivery->id.size == 0) {
		dal_http_problem(delivery->request, 400, "X-GitHub-Delivery is missing");
		return false;
	}
	return true;
}

/* False: answered, and there is no event. */
static bool take(struct delivery *delivery)
{
	struct dal_slice payload;

	if (!check_signature(delivery) || !find_payload(delivery, &payload)) {
		return false;
	}
	if (dal_slice_is(delivery->name, "ping")) {
		dal_http_reply(delivery->request, 200, "application/json", NULL,
			       dal_slice_text("{\"ping\":true}\n"));
		return true;
	}
	struct dal_json *json = dal_json_new();
	bool good = make_event(delivery, json, payload);
	dal_json_free(json);
	if (good) {
		append(delivery);
	}
	return good;
}

static struct delivery *delivery_new(struct dal_github *github, struct dal_http_request *request)
{
	struct delivery *delivery = dal_calloc(1, sizeof(*delivery));

	delivery->github = github;
	delivery->request = request;
	delivery->name = header(request, "x-github-event");
	delivery->id = header(request, "x-github-delivery");
	dal_http_attach(request, delivery, delivery_free);
	bool good = check_headers(delivery) &&
		    dal_gather_begin(&github->gatherer, &delivery->gathered, request);
	return good ? delivery : NULL;
}

int dal_github_take(struct dal_http_request *request, struct dal_slice piece, void *data)
{
	struct dal_github *github = data;
	struct delivery *delivery = dal_http_attached(request);
	bool good;

	if (delivery == NULL) {
		delivery = delivery_new(github, request);
	}
	if (delivery == NULL) {
		good = false;
	} else if (piece.size > 0) {
		good = dal_gather_take(&github->gatherer, &delivery->gathered, request, piece);
	} else {
		good = take(delivery);
	}
	if (!good) {
		dal_metric_add(github->counts.refused, 1);
		return -EINVAL;
	}
	return 0;
}
