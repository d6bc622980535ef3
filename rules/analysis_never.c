/*
 * Contradictions inside a pattern.
 *
 * Of most fields two lists never contradict each other, as one value of an array may satisfy the
 * one and another the other, and of objects likewise. What is left: a field that must have values
 * and must have none; and the attributes, each of which is one text at the most.
 */
#include "engine/base/memory.h"
#include "rules/analysis_tree.h"

/* What may be spent on the lists of a pattern's attributes. */
#define STEPS_LIMIT UINT64_C(1000000)
#define SHOWN_BYTES 60

struct proof {
	struct dal_buffer *field, *why;
	uint64_t steps; /* that are left; without any nothing more is proven */
};

static bool object_dead(struct proof *proof, const struct dal_scope *scope);

static bool say(struct proof *proof, const char *why)
{
	dal_buffer_clear(proof->why);
	dal_buffer_text(proof->why, why);
	return true;
}

/* With values, may its list be satisfied; and without any? */
struct presence {
	bool with, without;
};

static struct presence presence_of(const struct dal_pattern_field *leaf)
{
	struct presence may = {false, false};
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		const struct dal_operator *op = &leaf->operators[i];
		struct presence one = {op->kind != DAL_OPERATOR_ABSENT,
				       op->kind == DAL_OPERATOR_ABSENT};
		if (op->kind == DAL_OPERATOR_ALL_OF) {
			one = (struct presence){true, true};
			for (uint32_t l = 0; l < op->all->count; l++) {
				struct presence list = presence_of(&op->all->lists[l]);
				one.with &= list.with;
				one.without &= list.without;
			}
		}
		may.with |= one.with;
		may.without |= one.without;
	}
	return may;
}

/* Without a value, or with objects that lack all of its fields: can it hold? */
static bool holds_for_nothing(const struct dal_pattern_object *object)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		if (field->operators ? !presence_of(field).without
				     : !holds_for_nothing(field->object)) {
			return false;
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		uint32_t j = 0;
		while (j < object->ors[i].count &&
		       !holds_for_nothing(&object->ors[i].alternatives[j])) {
			j++;
		}
		if (j == object->ors[i].count) {
			return false;
		}
	}
	return true;
}

/* All that is asked of one attribute: each list must hold for its one value. */
struct lists {
	const struct dal_pattern_field **items;
	uint32_t count, capacity;
};

static void collect(struct lists *lists, const struct dal_pattern_field *leaf)
{
	const struct dal_operator *op = leaf->operators;
	if (leaf->operator_count == 1 && op->kind == DAL_OPERATOR_ALL_OF) {
		for (uint32_t i = 0; i < op->all->count; i++) {
			collect(lists, &op->all->lists[i]);
		}
		return;
	}
	DAL_GROW(lists->items, lists->count, lists->capacity);
	lists->items[lists->count++] = leaf;
}

/* Without steps it is taken to hold, which proves nothing. */
static bool list_holds(const struct dal_pattern_field *list, const struct dal_scalar *scalar,
		       uint64_t *steps)
{
	for (uint32_t i = 0; i < list->operator_count; i++) {
		const struct dal_operator *op = &list->operators[i];
		bool holds = op->kind == DAL_OPERATOR_ALL_OF;
		for (uint32_t l = 0; holds && l < op->all->count; l++) {
			holds = list_holds(&op->all->lists[l], scalar, steps);
		}
		if (holds || !dal_steps_pay(steps, dal_operator_weight(op, scalar->text)) ||
		    dal_operator_holds(op, scalar)) {
			return true;
		}
	}
	return false;
}

static bool lists_hold(const struct lists *lists, const struct dal_scalar *scalar, uint64_t *steps)
{
	for (uint32_t i = 0; i < lists->count; i++) {
		if (!list_holds(lists->items[i], scalar, steps)) {
			return false;
		}
	}
	return true;
}

/* For one value: can no operator of the one list hold together with one of the other? */
static bool lists_apart(const struct dal_pattern_field *a, const struct dal_pattern_field *b,
			uint64_t *steps);

static bool operator_apart(const struct dal_operator *op, const struct dal_pattern_field *list,
			   uint64_t *steps)
{
	if (op->kind == DAL_OPERATOR_ALL_OF) {
		for (uint32_t i = 0; i < op->all->count; i++) {
			if (lists_apart(&op->all->lists[i], list, steps)) {
				return true;
			}
		}
		return false;
	}
	struct dal_pattern_field single = {.operators = (struct dal_operator *)op,
					   .operator_count = 1};
	for (uint32_t i = 0; i < list->operator_count; i++) {
		const struct dal_operator *other = &list->operators[i];
		bool apart = other->kind == DAL_OPERATOR_ALL_OF
				     ? operator_apart(other, &single, steps)
			     : other->kind == DAL_OPERATOR_ABSENT
				     ? true
				     : op->kind == DAL_OPERATOR_ABSENT ||
					       dal_operator_apart(op, other, steps);
		if (!apart) {
			return false;
		}
	}
	return true;
}

static bool lists_apart(const struct dal_pattern_field *a, const struct dal_pattern_field *b,
			uint64_t *steps)
{
	for (uint32_t i = 0; i < a->operator_count; i++) {
		if (!dal_steps_pay(steps, 1 + b->operator_count) ||
		    !operator_apart(&a->operators[i], b, steps)) {
			return false;
		}
	}
	return true;
}

static void show_list(const struct dal_pattern_field *list, struct dal_buffer *out)
{
	size_t start = out->size;
	for (uint32_t i = 0; i < list->operator_count; i++) {
		dal_buffer_text(out, i > 0 ? "," : "[");
		if (out->size - start > SHOWN_BYTES) {
			dal_buffer_text(out, "...");
			break;
		}
		dal_operator_print(&list->operators[i], out);
	}
	dal_buffer_byte(out, ']');
}

/* No text satisfies both lists. */
static bool say_apart(struct proof *proof, const struct dal_pattern_field *a,
		      const struct dal_pattern_field *b)
{
	say(proof, "is one text in every event, and none is both of ");
	show_list(a, proof->why);
	dal_buffer_text(proof->why, " and ");
	show_list(b, proof->why);
	return true;
}

/* The list that consists of plain texts: then only those need to be tried. */
static const struct dal_pattern_field *plain_list(const struct lists *lists)
{
	for (uint32_t i = 0; i < lists->count; i++) {
		const struct dal_pattern_field *list = lists->items[i];
		uint32_t plain = 0;
		while (plain < list->operator_count &&
		       list->operators[plain].kind == DAL_OPERATOR_STRING) {
			plain++;
		}
		if (plain == list->operator_count) {
			return list;
		}
	}
	return NULL;
}

static bool plain_dead(struct proof *proof, const struct lists *lists)
{
	const struct dal_pattern_field *plain = plain_list(lists);
	if (!plain || lists->count < 2) {
		return false;
	}
	for (uint32_t i = 0; i < plain->operator_count; i++) {
		struct dal_scalar scalar = {.kind = DAL_JSON_STRING,
					    .text = plain->operators[i].text};
		if (lists_hold(lists, &scalar, &proof->steps)) {
			return false;
		}
	}
	return say(proof, "is one text in every event, and no text of its list is all that the "
			  "pattern asks of it");
}

static bool text_dead(struct proof *proof, const struct lists *lists, bool optional)
{
	/* A prefix that every text has. */
	struct dal_operator any = {.kind = DAL_OPERATOR_PREFIX, .text = dal_slice("", 0)};
	const struct dal_pattern_field any_text = {.operators = &any, .operator_count = 1};

	for (uint32_t i = 0; i < lists->count; i++) {
		if (!presence_of(lists->items[i]).with) {
			return say(proof, optional ? "must have a value, and must have none"
						   : "is in every event, and must be missing");
		}
		if (lists_apart(lists->items[i], &any_text, &proof->steps)) {
			return say(proof, "is text in every event, and is compared with none");
		}
	}
	for (uint32_t i = 0; i < lists->count; i++) {
		for (uint32_t j = i + 1; j < lists->count; j++) {
			if (lists_apart(lists->items[i], lists->items[j], &proof->steps)) {
				return say_apart(proof, lists->items[i], lists->items[j]);
			}
		}
	}
	return plain_dead(proof, lists);
}

/* An attribute may be written as null, which is as good as missing. */
static bool may_be_missing(const struct lists *lists, uint64_t *steps)
{
	struct dal_scalar null = {.kind = DAL_JSON_NULL};
	bool missing = true;
	for (uint32_t i = 0; i < lists->count; i++) {
		missing &= presence_of(lists->items[i]).without;
	}
	return missing || lists_hold(lists, &null, steps);
}

static bool attribute_dead(struct proof *proof, const struct dal_scope *scope,
			   struct dal_slice name)
{
	struct lists lists = {0};
	bool dead = false;
	for (const struct dal_scope *at = scope; at && !dead; at = at->outer) {
		for (uint32_t i = 0; i < at->object->field_count && !dead; i++) {
			const struct dal_pattern_field *field = &at->object->fields[i];
			if (!dal_slice_equal(field->name, name)) {
				continue;
			}
			if (field->operators) {
				collect(&lists, field);
			} else if (!holds_for_nothing(field->object)) {
				dead = say(proof, "is text in every event, and has no fields");
			}
		}
	}
	bool optional = dal_attribute_of(scope, name) == DAL_ATTRIBUTE_OPTIONAL;
	if (!dead && lists.count > 0 && !(optional && may_be_missing(&lists, &proof->steps))) {
		dead = text_dead(proof, &lists, optional);
	}
	free(lists.items);
	return dead;
}

static bool presence_dead(struct proof *proof, const struct dal_scope *scope, struct dal_slice name)
{
	struct presence may = {true, true};
	for (const struct dal_scope *at = scope; at; at = at->outer) {
		for (uint32_t i = 0; i < at->object->field_count; i++) {
			const struct dal_pattern_field *field = &at->object->fields[i];
			if (field->operators && dal_slice_equal(field->name, name)) {
				struct presence one = presence_of(field);
				may.with &= one.with;
				may.without &= one.without;
			}
		}
	}
	return !may.with && !may.without && say(proof, "must have a value, and must have none");
}

static bool field_dead(struct proof *proof, const struct dal_scope *scope,
		       const struct dal_pattern_field *field)
{
	size_t before = proof->field->size;
	dal_buffer_text(proof->field, before > 0 ? "." : "");
	dal_buffer_slice_append(proof->field, field->name);
	bool dead;
	if (dal_attribute_of(scope, field->name) != DAL_ATTRIBUTE_NONE) {
		dead = attribute_dead(proof, scope, field->name);
	} else if (field->operators) {
		dead = presence_dead(proof, scope, field->name);
	} else {
		struct dal_scope inner = {.object = field->object};
		dead = object_dead(proof, &inner);
	}
	proof->field->size = dead ? proof->field->size : before;
	return dead;
}

static bool or_dead(struct proof *proof, const struct dal_scope *scope,
		    const struct dal_pattern_or *any)
{
	size_t before = proof->field->size;
	for (uint32_t i = 0; i < any->count; i++) {
		struct dal_scope chosen = {&any->alternatives[i], any, scope, scope->root};
		proof->field->size = before;
		if (!object_dead(proof, &chosen)) {
			return false;
		}
	}
	return true;
}

/* Does the newest object of the scope contradict itself or those around it? If it does, the proof
 * says where; of a `$or`, all of whose alternatives do, it says it of the last. */
static bool object_dead(struct proof *proof, const struct dal_scope *scope)
{
	const struct dal_pattern_object *object = scope->object;
	for (uint32_t i = 0; i < object->field_count; i++) {
		if (field_dead(proof, scope, &object->fields[i])) {
			return true;
		}
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		if (or_dead(proof, scope, &object->ors[i])) {
			return true;
		}
	}
	return false;
}

bool dal_pattern_impossible(const struct dal_pattern *pattern, struct dal_buffer *field,
			    struct dal_buffer *why)
{
	struct proof proof = {field, why, STEPS_LIMIT};
	struct dal_scope scope = {.object = &pattern->root, .root = true};
	dal_buffer_clear(field);
	dal_buffer_clear(why);
	return object_dead(&proof, &scope);
}
