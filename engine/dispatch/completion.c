#include "engine/dispatch/completion.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"
#include "state/generation.h"

void dal_outcome_copy(struct dal_outcome *outcome, const struct dal_invocation *invocation)
{
	*outcome = (struct dal_outcome){
		.outcome = invocation->outcome,
		.cold = invocation->cold,
		.started_us = invocation->started_us,
		.duration_us = invocation->duration_us,
		.memory_mb = invocation->memory_mb,
		.cpu_us = invocation->cpu_us,
	};
	memcpy(outcome->version, invocation->version, sizeof(outcome->version));
	snprintf(outcome->request, sizeof(outcome->request), "%s", invocation->request);
	dal_buffer_slice_append(&outcome->result, invocation->result);
	dal_buffer_slice_append(&outcome->error_type, invocation->error_type);
	dal_buffer_slice_append(&outcome->error_message, invocation->error_message);
	dal_buffer_slice_append(&outcome->error_trace, invocation->error_trace);
}

void dal_outcome_deinit(struct dal_outcome *outcome)
{
	dal_buffer_deinit(&outcome->result);
	dal_buffer_deinit(&outcome->error_type);
	dal_buffer_deinit(&outcome->error_message);
	dal_buffer_deinit(&outcome->error_trace);
}

void dal_outcome_cut(struct dal_outcome *outcome)
{
	outcome->outcome = DAL_INVOKE_TOO_LARGE;
	dal_buffer_clear(&outcome->result);
	dal_buffer_clear(&outcome->error_type);
	dal_buffer_clear(&outcome->error_message);
	dal_buffer_clear(&outcome->error_trace);
	dal_buffer_text(&outcome->error_message,
			"what it gave is larger than an event of the log's topic system may be");
}

struct dal_slice dal_outcome_error_type(const struct dal_outcome *outcome)
{
	static const char *const names[] = {
		[DAL_INVOKE_FAILED] = "dalamb.Failed",
		[DAL_INVOKE_TIMEOUT] = "dalamb.Timeout",
		[DAL_INVOKE_CRASHED] = "dalamb.Crashed",
		[DAL_INVOKE_INIT] = "dalamb.InitFailed",
		[DAL_INVOKE_TOO_LARGE] = "dalamb.ResultTooLarge",
		[DAL_INVOKE_GONE] = "dalamb.NoSuchFunction",
		[DAL_INVOKE_UNAVAILABLE] = "dalamb.Unavailable",
		[DAL_INVOKE_CANCELLED] = "dalamb.Cancelled",
	};

	if (outcome->error_type.size > 0) {
		return dal_buffer_slice(&outcome->error_type);
	}
	return dal_slice_text(names[outcome->outcome] ? names[outcome->outcome] : "");
}

static bool is_json(const struct dal_buffer *text)
{
	struct dal_json *json = dal_json_new();
	int r = dal_json_parse(json, dal_buffer_slice(text), 0, NULL);

	dal_json_free(json);
	return r == 0;
}

static void put_error(struct dal_json_writer *w, const struct dal_outcome *outcome)
{
	dal_json_begin_object(w);
	dal_json_key(w, "type");
	dal_json_put_slice(w, dal_outcome_error_type(outcome));
	dal_json_key(w, "message");
	dal_json_put_slice(w, dal_buffer_slice(&outcome->error_message));
	if (outcome->error_trace.size > 0 && is_json(&outcome->error_trace)) {
		dal_json_key(w, "trace");
		dal_json_put_raw(w, dal_buffer_slice(&outcome->error_trace));
	}
	dal_json_end_object(w);
}

void dal_tries_add(struct dal_slice tries, const struct dal_outcome *outcome,
		   struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};

	if (tries.size > 2) { /* without its closing bracket */
		dal_buffer_append(out, tries.data, tries.size - 1);
		dal_buffer_byte(out, ',');
	} else {
		dal_buffer_byte(out, '[');
	}
	dal_json_begin_object(&w);
	if (outcome->started_us > 0) {
		dal_json_key(&w, "started");
		dal_json_put_time(&w, outcome->started_us);
		dal_json_key(&w, "duration_ms");
		dal_json_put_double(&w, (double)outcome->duration_us / 1000);
	}
	dal_json_key(&w, "error");
	put_error(&w, outcome);
	dal_json_end_object(&w);
	dal_buffer_byte(out, ']');
}

static void put_result(struct dal_json_writer *w, const struct dal_outcome *outcome)
{
	struct dal_buffer text = {0};

	if (outcome->result.size == 0) {
		return;
	}
	if (is_json(&outcome->result)) {
		dal_json_key(w, "result");
		dal_json_put_raw(w, dal_buffer_slice(&outcome->result));
		return;
	}
	dal_base64_encode(dal_buffer_slice(&outcome->result), &text);
	dal_json_key(w, "result_base64");
	dal_json_put_slice(w, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
}

static void put_measures(struct dal_json_writer *w, const struct dal_outcome *outcome,
			 uint64_t memory_mb)
{
	if (outcome->started_us > 0) {
		dal_json_key(w, "started");
		dal_json_put_time(w, outcome->started_us);
		dal_json_key(w, "duration_ms");
		dal_json_put_double(w, (double)outcome->duration_us / 1000);
		dal_json_key(w, "billed_ms");
		dal_json_put_integer(w, (outcome->duration_us + 999) / 1000);
	}
	dal_json_key(w, "memory_mb");
	dal_json_put_integer(w, (int64_t)memory_mb);
	if (outcome->memory_mb >= 0) {
		dal_json_key(w, "peak_mb");
		dal_json_put_integer(w, outcome->memory_mb);
	}
	if (outcome->cpu_us >= 0) {
		dal_json_key(w, "cpu_ms");
		dal_json_put_double(w, (double)outcome->cpu_us / 1000);
	}
	dal_json_key(w, "cold");
	dal_json_put_boolean(w, outcome->cold);
}

static void put_generation(struct dal_json_writer *w, const struct dal_row *row)
{
	struct dal_generation generation = dal_generation_parse(row->generation);

	if (generation.digest.size > 0) {
		dal_json_key(w, "generation");
		dal_json_put_slice(w, generation.digest);
		dal_json_key(w, "generation_number");
		dal_json_put_integer(w, (int64_t)generation.number);
	}
}

static void put_data(const struct dal_row *row, const struct dal_outcome *outcome,
		     const char *reason, uint64_t memory_mb, struct dal_buffer *data)
{
	struct dal_json_writer w = {.out = data};
	struct dal_buffer id = {0};

	dal_row_id_format(&row->id, &id);
	dal_json_begin_object(&w);
	dal_json_key(&w, "row");
	dal_json_put_slice(&w, dal_buffer_slice(&id));
	dal_json_key(&w, "name");
	dal_json_put_slice(&w, row->function);
	put_generation(&w, row);
	if (outcome) {
		dal_json_key(&w, "version");
		dal_json_put_text(&w, outcome->version);
		dal_json_key(&w, "request");
		dal_json_put_text(&w, outcome->request);
		put_result(&w, outcome);
		put_measures(&w, outcome, memory_mb);
	}
	if (reason) {
		dal_json_key(&w, "reason");
		dal_json_put_text(&w, reason);
	}
	if (reason && outcome) {
		dal_json_key(&w, "error");
		put_error(&w, outcome);
	}
	dal_json_key(&w, "tries");
	dal_json_put_raw(&w, row->tries.size > 0 ? row->tries : dal_slice_text("[]"));
	dal_json_end_object(&w);
	dal_buffer_deinit(&id);
}

/* What is told of a row, with the cause's subject. */
static void put_event(const char *app, const struct dal_row *row, struct dal_slice id,
		      const char *type, struct dal_slice data, struct dal_buffer *event)
{
	struct dal_buffer cause = {0}, source = {0};
	char time[DAL_CLOCK_TEXT_BYTES], hops[24];

	dal_place_format(&row->id.cause, &cause);
	dal_buffer_printf(&source, "/dalamb/%s", app);
	dal_clock_format(dal_clock_now_us(), time);
	snprintf(hops, sizeof(hops), "%lld", (long long)row->hops);
	struct dal_attribute attributes[] = {
		{dal_slice_text("id"), id, false},
		{dal_slice_text("source"), dal_buffer_slice(&source), false},
		{dal_slice_text("type"), dal_slice_text(type), false},
		{dal_slice_text("subject"), row->subject, false},
		{dal_slice_text("time"), dal_slice_text(time), false},
		{dal_slice_text("dalambcause"), dal_buffer_slice(&cause), false},
		{dal_slice_text("dalambhops"), dal_slice_text(hops), true},
	};
	dal_event_build(&(struct dal_event_parts){.attributes = attributes,
						  .count = sizeof(attributes) / sizeof(*attributes),
						  .data = data},
			event);
	dal_buffer_deinit(&cause);
	dal_buffer_deinit(&source);
}

void dal_completion_build(const char *app, const struct dal_row *row,
			  const struct dal_outcome *outcome, const char *reason, uint64_t memory_mb,
			  struct dal_buffer *event)
{
	struct dal_buffer id = {0}, data = {0};

	dal_row_id_format(&row->id, &id);
	dal_buffer_text(&id, DAL_ROW_DONE_SUFFIX);
	if (row->revived > 0) { /* a dead letter that was sent again ends once more */
		dal_buffer_printf(&id, ".%u", row->revived + 1);
	}
	put_data(row, outcome, reason, memory_mb, &data);
	put_event(app, row, dal_buffer_slice(&id),
		  reason ? "dalamb.function.failed" : "dalamb.function.succeeded",
		  dal_buffer_slice(&data), event);
	dal_buffer_deinit(&id);
	dal_buffer_deinit(&data);
}

void dal_refusal_build(const char *app, const struct dal_row *row, const char *why,
		       struct dal_buffer *id, struct dal_buffer *event)
{
	struct dal_buffer data = {0};
	struct dal_json_writer w = {.out = &data};

	dal_row_id_format(&row->id, id);
	dal_buffer_text(id, ".refused");
	dal_json_begin_object(&w);
	dal_json_key(&w, "rule");
	dal_json_put_slice(&w, row->id.declaration);
	dal_json_key(&w, "part");
	dal_json_put_text(&w, "emit");
	dal_json_key(&w, "message");
	dal_json_put_text(&w, why);
	dal_json_key(&w, "trace");
	dal_json_put_text(&w, "");
	dal_json_key(&w, "effect");
	dal_json_put_text(&w, "skipped");
	dal_json_end_object(&w);
	put_event(app, row, dal_buffer_slice(id), "dalamb.rule.failed", dal_buffer_slice(&data),
		  event);
	dal_buffer_deinit(&data);
}
