/*
 * The event: CloudEvents 1.0 (spec v1.0.2) with a JSON payload, and its place on the log.
 *
 * The stored form of every event is the structured JSON form, as one JSON object; bytes never
 * change once stored. `dal_event_read` is a view on a parsed tape: it owns nothing and is valid as
 * long as the tape. Building (from HTTP binary mode, webhooks, emits) writes that form.
 * One thread at a time per tape.
 *
 * Formats of this header: position text "topic/partition/offset"; row id
 * "<log id>/<topic>/<partition>/<offset>/<declaration>/<function, emit or failed>/<index>".
 */
#ifndef DAL_EVENT_EVENT_H
#define DAL_EVENT_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/slice.h"
#include "engine/event/json.h"

#define DAL_TOPIC_EVENTS "events"
#define DAL_TOPIC_SYSTEM "system"

struct dal_place {
	struct dal_slice topic;
	int32_t partition;
	uint64_t offset;
};

/* A view. Attributes that are absent (or null) are empty slices and DAL_JSON_NONE. */
struct dal_event {
	const struct dal_json *json;
	uint32_t data;        /* node; NONE if absent or given as base64 */
	uint32_t data_base64; /* node of the string */
	struct dal_slice id, source, type, subject, time, partitionkey, datacontenttype;
	struct dal_slice cause; /* dalambcause */
	int64_t hops;           /* dalambhops; 0 if absent */
	bool reserved;          /* its type or one of its attributes belongs to dalamb */
	struct dal_place place; /* filled in by whoever read it from the log */
	int64_t appended_us;    /* likewise */
};

enum { DAL_EVENT_INVALID = 1 };

/*
 * Checks the envelope: a JSON object; specversion "1.0"; id, source, type non-empty strings;
 * subject, partitionkey, datacontenttype, dataschema non-empty if there; time per RFC 3339;
 * attribute names [a-z0-9]+ (longer than 20 is accepted); extension values strings, integers (32
 * bits) or booleans; no control characters in strings; null is unset; not both data and
 * data_base64; base64 valid. 0, or DAL_EVENT_INVALID: `error` names attribute and remedy.
 */
int dal_event_read(struct dal_event *event, const struct dal_json *json, struct dal_error *error);
/* The same checks on an event that is viewed already. */
int dal_event_check(const struct dal_event *event, struct dal_error *error);
/* The same without any check, for events from the log. What lacks is empty. */
void dal_event_view(struct dal_event *event, const struct dal_json *json);
/* The node of an attribute by name, extensions included; DAL_JSON_NONE if absent or null. */
uint32_t dal_event_attribute(const struct dal_event *event, struct dal_slice name);
/* The key that places it: partitionkey, else subject, else empty. */
struct dal_slice dal_event_key(const struct dal_event *event);

/* One of dalamb's own: only a pattern that names a type beginning with "dalamb." sees it. An
 * emitted event has reserved attributes, but is not one of these. */
static inline bool dal_event_is_system(const struct dal_event *event)
{
	return dal_slice_starts(event->type, "dalamb.");
}

/* An attribute to build with. */
struct dal_attribute {
	struct dal_slice name;
	struct dal_slice value; /* the text; for raw JSON (a number, a boolean) set `raw` */
	bool raw;
};

struct dal_event_parts {
	const struct dal_attribute *attributes; /* all but specversion; empty values are left out */
	size_t count;
	struct dal_slice data;   /* JSON, or empty for none */
	struct dal_slice binary; /* bytes, written as data_base64 if has_binary and no `data` */
	bool has_binary;
};

/* Appends the structured form. Nothing is checked: read back what has parts from outside. */
void dal_event_build(const struct dal_event_parts *parts, struct dal_buffer *out);

/* "events/0/17". */
void dal_place_format(const struct dal_place *place, struct dal_buffer *out);
/* Also a bare offset, if `default_topic` is not NULL. The topic is a slice of `text`. */
bool dal_place_parse(struct dal_slice text, const char *default_topic, struct dal_place *place);

/* What a row is, and the parts of its id. */
#define DAL_ROW_EMIT "emit"
#define DAL_ROW_FAILED "failed"

struct dal_row_id {
	struct dal_slice log; /* the log's id */
	struct dal_place cause;
	struct dal_slice declaration; /* rule or projection */
	struct dal_slice target;      /* function's name, "emit" or "failed" */
	uint32_t index; /* among the rows of this declaration and target for this cause */
};

void dal_row_id_format(const struct dal_row_id *id, struct dal_buffer *out);
/* Slices of `text`. The log's id has no '/', nor have the others. */
bool dal_row_id_parse(struct dal_slice text, struct dal_row_id *id);
/* The id of a row's completion: the row's with ".done". */
#define DAL_ROW_DONE_SUFFIX ".done"

#endif
