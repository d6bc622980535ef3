/*
 * The fields of one event by name, for who asks for many of them: an explanation of thousands of
 * patterns. Private to rules.
 *
 * Where dal_json_find walks a wide object for each question, this has a table; and it finds names
 * that are nearly the one that is missing, wherever in the event they stand. Built when it is first
 * needed. One thread.
 */
#ifndef DAL_RULES_EVENT_FIELDS_H
#define DAL_RULES_EVENT_FIELDS_H

#include "engine/event/json.h"

struct dal_event_name {
	uint32_t key;     /* node; its value is the next one */
	uint32_t object;  /* node that has it */
	uint32_t parent;  /* the name that its object is the value of, or DAL_JSON_NONE */
	uint32_t alike;   /* the next one whose name is the same but for case, '_' and '-' */
	uint32_t size;    /* bytes */
	uint64_t letters; /* which occur in it: to see at once that two names have little in common
			   */
};

struct dal_event_fields {
	const struct dal_json *json;
	struct dal_event_name *names; /* in the document's order */
	uint32_t count, capacity;
	uint32_t *by_name;  /* by object and name: index + 1 */
	uint32_t *by_alike; /* first of those alike: index + 1 */
	uint32_t mask;      /* of both */
	uint64_t seed;      /* so that nobody can choose names that collide */
};

void dal_event_fields_init(struct dal_event_fields *fields, const struct dal_json *json);
void dal_event_fields_deinit(struct dal_event_fields *fields);
/* As dal_json_find. */
uint32_t dal_event_fields_find(struct dal_event_fields *fields, uint32_t object,
			       struct dal_slice name);

enum { DAL_EVENT_ALIKE = 8 };

/* The names that are `name` but for case, '_' and '-', anywhere in the event: how many of them. */
size_t dal_event_fields_alike(struct dal_event_fields *fields, struct dal_slice name,
			      const struct dal_event_name *found[DAL_EVENT_ALIKE]);
/* The field of `object` whose name is few edits from `name`, or NULL. */
const struct dal_event_name *dal_event_fields_near(struct dal_event_fields *fields, uint32_t object,
						   struct dal_slice name);
/* Appends its path: "data.order.total". */
void dal_event_fields_path(const struct dal_event_fields *fields, const struct dal_event_name *name,
			   struct dal_buffer *out);

#endif
