/*
 * Why a pattern does not match: the first field that failed, and how many do.
 *
 * The order is the pattern's, but what has values comes before what has fields: a Lua table has no
 * order, and of an event of another type nobody asks for its data.
 * Where an array of objects or an `$or` leaves a choice, the element or the alternative that came
 * nearest is explained: the one with the smallest share of failing fields.
 */
#include "rules/pattern_explain.h"

#include "engine/event/json_write.h"

struct explanation {
	const struct dal_json *json;
	struct dal_event_fields *fields;
	struct dal_pattern_miss *miss;
	struct dal_buffer path;
};

/* --- how much of it holds --- */

struct tally {
	uint32_t conditions, failed;
};

static bool is_nearer(struct tally a, struct tally b)
{
	uint64_t x = (uint64_t)a.failed * b.conditions, y = (uint64_t)b.failed * a.conditions;

	if (a.failed == 0 || b.failed == 0) {
		return a.failed < b.failed;
	}
	return x != y ? x < y : a.conditions > b.conditions;
}

static struct tally tally_object(const struct explanation *e,
				 const struct dal_pattern_object *pattern, uint32_t value,
				 uint32_t *best);

static struct tally tally_field(const struct explanation *e, const struct dal_pattern_field *field,
				uint32_t object)
{
	uint32_t value = dal_event_fields_find(e->fields, object, field->name), best;

	if (field->operators) {
		return (struct tally){1, !dal_leaf_holds(field, e->json, value)};
	}
	return tally_object(e, field->object, value, &best);
}

static struct tally tally_within(const struct explanation *e,
				 const struct dal_pattern_object *pattern, uint32_t object);

static struct tally tally_or(const struct explanation *e, const struct dal_pattern_or * or,
			     uint32_t object, uint32_t *best)
{
	struct tally nearest = tally_within(e, & or->alternatives[0], object);

	*best = 0;
	for (uint32_t i = 1; i < or->count && nearest.failed > 0; i++) {
		struct tally tally = tally_within(e, & or->alternatives[i], object);
		if (is_nearer(tally, nearest)) {
			nearest = tally;
			*best = i;
		}
	}
	return nearest;
}

/* All of it within one object of the event; NONE is an object without fields. */
static struct tally tally_within(const struct explanation *e,
				 const struct dal_pattern_object *pattern, uint32_t object)
{
	struct tally sum = {0}, part;
	uint32_t best;

	for (uint32_t i = 0; i < pattern->field_count; i++) {
		part = tally_field(e, &pattern->fields[i], object);
		sum.conditions += part.conditions;
		sum.failed += part.failed;
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		part = tally_or(e, &pattern->ors[i], object, &best);
		sum.conditions += part.conditions;
		sum.failed += part.failed;
	}
	return sum;
}

static struct tally tally_object(const struct explanation *e,
				 const struct dal_pattern_object *pattern, uint32_t value,
				 uint32_t *best)
{
	uint32_t cursor = value, object;
	struct tally nearest = {0};

	*best = DAL_JSON_NONE;
	while ((object = dal_object_next(e->json, value, &cursor)) != DAL_JSON_NONE) {
		struct tally tally = tally_within(e, pattern, object);
		if (*best == DAL_JSON_NONE || is_nearer(tally, nearest)) {
			nearest = tally;
			*best = object;
		}
		if (nearest.failed == 0) {
			return nearest;
		}
	}
	return *best == DAL_JSON_NONE ? tally_within(e, pattern, DAL_JSON_NONE) : nearest;
}

/* --- what failed --- */

static void print_found(struct explanation *e, uint32_t value)
{
	struct dal_slice raw = dal_json_raw(e->json, value);
	size_t size = raw.size;

	if (size > DAL_PATTERN_FOUND_BYTES) {
		for (size = DAL_PATTERN_FOUND_BYTES; ((unsigned char)raw.data[size] & 0xC0) == 0x80;
		     size--) {
		}
	}
	dal_buffer_append(&e->miss->found, raw.data, size);
	dal_buffer_text(&e->miss->found, size < raw.size ? "..." : "");
}

static void explain_leaf(struct explanation *e, const struct dal_pattern_field *leaf,
			 uint32_t object, uint32_t value)
{
	dal_buffer_slice_append(&e->miss->field, dal_buffer_slice(&e->path));
	dal_leaf_describe(leaf, &e->miss->expected);
	if (value == DAL_JSON_NONE) {
		dal_leaf_hint_missing(e->fields, leaf, object, e->miss);
		return;
	}
	print_found(e, value);
	dal_leaf_hint(e->json, leaf, value, e->miss);
}

/* A value where the pattern has fields, but no object. */
static bool is_scalar(const struct dal_json *json, uint32_t value)
{
	uint32_t object = value, scalar = value;

	return dal_object_next(json, value, &object) == DAL_JSON_NONE &&
	       dal_scalar_next(json, value, &scalar) != DAL_JSON_NONE;
}

static void explain_scalar(struct explanation *e, const struct dal_pattern_field *field,
			   uint32_t value)
{
	struct dal_pattern_miss *miss = e->miss;

	dal_buffer_slice_append(&miss->field, dal_buffer_slice(&e->path));
	print_found(e, value);
	dal_buffer_text(&miss->expected, "an object");
	dal_buffer_text(&miss->hint, "is no object, so ");
	if (field->object->field_count > 0) {
		dal_json_append_string(&miss->hint, field->object->fields[0].name);
		dal_buffer_text(&miss->hint, " is missing");
	} else {
		dal_buffer_text(&miss->hint, "its fields are missing");
	}
}

static void explain_object(struct explanation *e, const struct dal_pattern_object *pattern,
			   uint32_t value);

static void explain_field(struct explanation *e, const struct dal_pattern_field *field,
			  uint32_t object)
{
	size_t path = e->path.size;
	uint32_t value = dal_event_fields_find(e->fields, object, field->name);

	dal_buffer_text(&e->path, path ? "." : "");
	dal_buffer_slice_append(&e->path, field->name);
	if (field->operators) {
		explain_leaf(e, field, object, value);
	} else if (is_scalar(e->json, value)) {
		explain_scalar(e, field, value);
	} else {
		explain_object(e, field->object, value);
	}
	e->path.size = path;
}

static void hint_more(struct explanation *e, const char *words)
{
	dal_buffer_text(&e->miss->hint, e->miss->hint.size > 0 ? "; " : "");
	dal_buffer_text(&e->miss->hint, words);
}

/* The first that fails, or NULL. `leaves`: of those with values, else of those with fields. */
static const struct dal_pattern_field *failing(const struct explanation *e,
					       const struct dal_pattern_object *pattern,
					       uint32_t object, bool leaves)
{
	for (uint32_t i = 0; i < pattern->field_count; i++) {
		const struct dal_pattern_field *field = &pattern->fields[i];
		if ((field->operators != NULL) == leaves &&
		    tally_field(e, field, object).failed > 0) {
			return field;
		}
	}
	return NULL;
}

static void explain_within(struct explanation *e, const struct dal_pattern_object *pattern,
			   uint32_t object)
{
	const struct dal_pattern_field *field = failing(e, pattern, object, true);
	uint32_t best;

	field = field ? field : failing(e, pattern, object, false);
	if (field) {
		explain_field(e, field, object);
		return;
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		const struct dal_pattern_or * or = &pattern->ors[i];
		if (tally_or(e, or, object, &best).failed == 0) {
			continue;
		}
		explain_within(e, & or->alternatives[best], object);
		if (or->count > 1) {
			hint_more(e, "one of the ");
			dal_buffer_printf(&e->miss->hint, "%u", or->count);
			dal_buffer_text(&e->miss->hint,
					" alternatives of $or would do, this one came nearest");
		}
		return;
	}
}

/* Is each field and each `$or` fulfilled by some element, though by none all of them? */
static bool is_spread(const struct explanation *e, const struct dal_pattern_object *pattern,
		      uint32_t value)
{
	uint32_t best;

	for (uint32_t i = 0; i < pattern->field_count; i++) {
		const struct dal_pattern_object alone = {.fields = &pattern->fields[i],
							 .field_count = 1};
		if (tally_object(e, &alone, value, &best).failed > 0) {
			return false;
		}
	}
	for (uint32_t i = 0; i < pattern->or_count; i++) {
		const struct dal_pattern_object alone = {.ors = &pattern->ors[i], .or_count = 1};
		if (tally_object(e, &alone, value, &best).failed > 0) {
			return false;
		}
	}
	return true;
}

/* "[2]" for the element of an array with several. */
static void path_element(struct explanation *e, uint32_t array, uint32_t element)
{
	uint32_t index = 0, at = array + 1, end = dal_json_next(e->json, array);

	while (at < end && at != element) {
		at = dal_json_next(e->json, at);
		index++;
	}
	if (at == element) {
		dal_buffer_printf(&e->path, "[%u]", index);
	}
}

/* `pattern` does not hold for `value`; `best` of its objects came nearest. */
static void explain_best(struct explanation *e, const struct dal_pattern_object *pattern,
			 uint32_t value, uint32_t best)
{
	size_t path = e->path.size;
	bool several = value != DAL_JSON_NONE && dal_json_kind(e->json, value) == DAL_JSON_ARRAY &&
		       dal_json_count(e->json, value) > 1;

	if (several && best != DAL_JSON_NONE) {
		path_element(e, value, best);
	}
	explain_within(e, pattern, best);
	e->path.size = path;
	if (several && is_spread(e, pattern, value)) {
		hint_more(e, "the elements of ");
		dal_buffer_slice_append(&e->miss->hint, dal_buffer_slice(&e->path));
		dal_buffer_text(&e->miss->hint,
				" fulfil all of it together, but none of them alone");
		e->miss->near = true;
	}
}

static void explain_object(struct explanation *e, const struct dal_pattern_object *pattern,
			   uint32_t value)
{
	uint32_t best;

	tally_object(e, pattern, value, &best);
	explain_best(e, pattern, value, best);
}

void dal_pattern_miss_deinit(struct dal_pattern_miss *miss)
{
	dal_buffer_deinit(&miss->field);
	dal_buffer_deinit(&miss->found);
	dal_buffer_deinit(&miss->expected);
	dal_buffer_deinit(&miss->hint);
}

bool dal_pattern_explain_with(const struct dal_pattern *pattern, struct dal_event_fields *fields,
			      uint32_t event, struct dal_pattern_miss *miss)
{
	struct explanation e = {.json = fields->json, .fields = fields, .miss = miss};
	uint32_t best;
	struct tally tally = tally_object(&e, &pattern->root, event, &best);

	dal_buffer_clear(&miss->field);
	dal_buffer_clear(&miss->found);
	dal_buffer_clear(&miss->expected);
	dal_buffer_clear(&miss->hint);
	miss->near = false;
	miss->conditions = tally.conditions;
	miss->failed = tally.failed;
	if (tally.failed == 0) {
		return true;
	}
	explain_best(&e, &pattern->root, event, best);
	dal_buffer_deinit(&e.path);
	return false;
}

bool dal_pattern_explain(const struct dal_pattern *pattern, const struct dal_json *json,
			 uint32_t event, struct dal_pattern_miss *miss)
{
	struct dal_event_fields fields;
	bool matched;

	dal_event_fields_init(&fields, json);
	matched = dal_pattern_explain_with(pattern, &fields, event, miss);
	dal_event_fields_deinit(&fields);
	return matched;
}
