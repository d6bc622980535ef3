/* Which events may come in. */
#include "connectors/ingress_private.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct dal_slice dal_ingress_trim(struct dal_slice text)
{
	while (text.size > 0 && is_space(text.data[0])) {
		text.data++;
		text.size--;
	}
	while (text.size > 0 && is_space(text.data[text.size - 1])) {
		text.size--;
	}
	return text;
}

static bool refuse(struct dal_fault *fault, int status)
{
	fault->status = status;
	return false;
}

bool dal_ingress_check(const struct dal_ingress *ingress, struct dal_json *json,
		       struct dal_slice text, int flags, struct dal_event *event,
		       struct dal_fault *fault)
{
	struct dal_json_error why;

	fault->placed = false;
	if (text.size > ingress->event_bytes) {
		dal_error_set(
			&fault->error,
			"the event has %zu bytes, at most %llu are taken (limits.event): send "
			"large data elsewhere, and its address in the event",
			text.size, (unsigned long long)ingress->event_bytes);
		return refuse(fault, 413);
	}
	if (dal_json_parse(json, text, flags, &why) != 0) {
		fault->placed = true;
		fault->position = why.position;
		dal_error_set(&fault->error, "%s", why.reason);
		return refuse(fault, 400);
	}
	if (dal_event_read(event, json, &fault->error) != 0) {
		return refuse(fault, 400);
	}
	if (event->reserved) {
		dal_error_set(&fault->error,
			      "types that begin with \"dalamb.\" and attributes that begin with "
			      "\"dalamb\" belong to dalamb: choose another name");
		return refuse(fault, 400);
	}
	return true;
}

void dal_ingress_dedup(const struct dal_event *event, struct dal_buffer *out)
{
	dal_buffer_slice_append(out, event->source);
	dal_buffer_byte(out, 0);
	dal_buffer_slice_append(out, event->id);
}
