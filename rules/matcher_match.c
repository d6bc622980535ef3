/*
 * Runs one event through a matcher: walk the fields that some pattern names, fire the atoms that
 * their values satisfy, verify the rules that were entered.
 */
#include "engine/base/memory.h"
#include "rules/casefold.h"
#include "rules/matcher_scratch.h"

struct run {
	const struct dal_matcher *matcher;
	struct dal_matcher_scratch *scratch;
	const struct dal_json *json;
	struct dal_scalar scalar; /* in work */
};

static void enter(struct run *run, uint32_t entry)
{
	struct dal_matcher_scratch *scratch = run->scratch;
	uint32_t rule = entry & ~DAL_ENTRY_SURE;
	if (scratch->rules[rule] == scratch->stamp) {
		return;
	}
	scratch->rules[rule] = scratch->stamp;
	dal_ids_add(entry & DAL_ENTRY_SURE ? &scratch->matched : &scratch->candidates, rule);
}

static void fire(struct run *run, const struct dal_atom *atom)
{
	for (uint32_t i = 0; i < atom->entry_count; i++) {
		enter(run, run->matcher->entries[atom->first + i]);
	}
}

static void fire_id(void *own, uint32_t id)
{
	struct run *run = own;
	fire(run, &run->matcher->atoms[id]);
}

/* An atom that was found by part of its text. */
static void fire_found(void *own, uint32_t id)
{
	struct run *run = own;
	const struct dal_atom *atom = &run->matcher->atoms[id];
	if (atom->op->kind != DAL_OPERATOR_WILDCARD || dal_operator_holds(atom->op, &run->scalar)) {
		fire(run, atom);
	}
}

static void fire_equal(struct run *run, uint32_t field, const struct dal_operator *op)
{
	uint32_t hash = dal_operator_hash(field, op);
	uint32_t id = dal_atom_find(run->matcher, field, op, hash);
	if (id != DAL_ABSENT) {
		fire(run, &run->matcher->atoms[id]);
	}
}

static void fire_folded(struct run *run, uint32_t field, const struct dal_field_index *index,
			struct dal_slice value)
{
	struct dal_buffer *buffer = &run->scratch->folded;
	dal_buffer_clear(buffer);
	dal_casefold_append(buffer, value);
	struct dal_slice folded = dal_buffer_slice(buffer);
	if (index->folded) {
		struct dal_operator equal = {.kind = DAL_OPERATOR_FOLDED, .folded = folded};
		fire_equal(run, field, &equal);
	}
	dal_affixes_find(&index->folded_prefixes, folded, false, fire_found, run);
	dal_affixes_find(&index->folded_suffixes, folded, true, fire_found, run);
}

static void fire_string(struct run *run, uint32_t field, const struct dal_field_index *index)
{
	struct dal_slice value = run->scalar.text;
	if (index->equal) {
		struct dal_operator equal = {.kind = DAL_OPERATOR_STRING, .text = value};
		fire_equal(run, field, &equal);
	}
	dal_affixes_find(&index->prefixes, value, false, fire_found, run);
	dal_affixes_find(&index->suffixes, value, true, fire_found, run);
	if (index->wildcards) {
		dal_wildcards_find(index->wildcards, &run->scratch->wildcards, value, fire_id, run);
	}
	if (index->folded || index->folded_prefixes.count || index->folded_suffixes.count) {
		fire_folded(run, field, index, value);
	}
}

static void fire_number(struct run *run, uint32_t field, const struct dal_field_index *index)
{
	if (index->numbers) {
		struct dal_operator equal = {.kind = DAL_OPERATOR_NUMBER,
					     .number = &run->scalar.number};
		fire_equal(run, field, &equal);
	}
	dal_intervals_find(&index->intervals, &run->scalar.number, fire_id, run);
}

static void fire_all(struct run *run, const struct dal_ids *ids)
{
	for (size_t i = 0; i < ids->count; i++) {
		const struct dal_atom *atom = &run->matcher->atoms[ids->items[i]];
		if (atom->op->kind == DAL_OPERATOR_ALL_OF ||
		    dal_operator_holds(atom->op, &run->scalar)) {
			fire(run, atom);
		}
	}
}

static void fire_scalar(struct run *run, uint32_t field, const struct dal_field_index *index)
{
	switch (run->scalar.kind) {
	case DAL_JSON_STRING:
		fire_string(run, field, index);
		break;
	case DAL_JSON_INTEGER:
	case DAL_JSON_FLOAT:
		fire_number(run, field, index);
		break;
	default:
		break;
	}
	fire_all(run, &index->literals);
	fire_all(run, &index->excluding);
}

static void note_value(struct run *run, uint32_t id, uint32_t value, bool several)
{
	const struct dal_field *field = &run->matcher->fields[id];
	struct dal_field_state *state = &run->scratch->fields[id];
	if (state->stamp != run->scratch->stamp) {
		*state = (struct dal_field_state){.stamp = run->scratch->stamp, .node = value};
	}
	state->several |= several;
	uint32_t cursor = value, node;
	while ((node = dal_scalar_next(run->json, value, &cursor)) != DAL_JSON_NONE) {
		state->scalar = true;
		if (!field->index) {
			break;
		}
		run->scalar = dal_scalar_read(run->json, node);
		fire_scalar(run, id, field->index);
	}
}

static void walk_object(struct run *run, uint32_t id, uint32_t object, bool several);

static void walk_objects(struct run *run, uint32_t id, uint32_t value, bool several)
{
	uint32_t cursor = value;
	uint32_t object = dal_object_next(run->json, value, &cursor);
	while (object != DAL_JSON_NONE) {
		uint32_t next = dal_object_next(run->json, value, &cursor);
		several |= next != DAL_JSON_NONE;
		walk_object(run, id, object, several);
		object = next;
	}
}

/* Most keys have no escapes: then this costs no call. */
static struct dal_slice key_text(const struct dal_json *json, uint32_t key)
{
	const struct dal_json_node *node = &json->nodes[key];
	return node->info & 8 ? dal_json_string(json, key)
			      : dal_slice(json->text + node->start, node->end - node->start);
}

static void walk_object(struct run *run, uint32_t id, uint32_t object, bool several)
{
	const struct dal_json *json = run->json;
	uint32_t end = dal_json_next(json, object), left = run->matcher->fields[id].children;
	for (uint32_t key = object + 1; key < end && left > 0; key = dal_json_next(json, key + 1)) {
		uint32_t child = dal_field_find(run->matcher, id, key_text(json, key));
		if (child == DAL_ABSENT) {
			continue;
		}
		const struct dal_field *field = &run->matcher->fields[child];
		left--;
		if (field->leaf || field->index) {
			note_value(run, child, key + 1, several);
		}
		if (field->children > 0) {
			walk_objects(run, child, key + 1, several);
		}
	}
}

static void enter_absent(struct run *run)
{
	const struct dal_matcher *matcher = run->matcher;
	for (size_t i = 0; i < matcher->absent_fields.count; i++) {
		uint32_t id = matcher->absent_fields.items[i];
		const struct dal_field_state *state = &run->scratch->fields[id];
		bool seen = state->stamp == run->scratch->stamp;
		if (seen && state->scalar && !state->several) {
			continue;
		}
		const struct dal_ids *absent = &matcher->fields[id].index->absent;
		for (size_t j = 0; j < absent->count; j++) {
			enter(run, absent->items[j]);
		}
	}
}

static bool condition_holds(struct run *run, uint32_t id, uint32_t value)
{
	uint32_t *memory = &run->scratch->conditions[id];
	if (*memory >> 1 != run->scratch->stamp) {
		*memory = run->scratch->stamp << 1 |
			  dal_leaf_holds(run->matcher->conditions[id].leaf, run->json, value);
	}
	return *memory & 1;
}

static bool verify(struct run *run, const struct dal_matcher_rule *rule, uint32_t event)
{
	const uint32_t *conditions = run->matcher->rule_conditions.items + rule->first;
	bool several = false;
	for (uint32_t i = 0; i < rule->count; i++) {
		const struct dal_field_state *state =
			&run->scratch->fields[run->matcher->conditions[conditions[i]].field];
		bool seen = state->stamp == run->scratch->stamp;
		if (seen && state->several) {
			several = true; /* which element it is in matters: see below */
		} else if (!condition_holds(run, conditions[i],
					    seen ? state->node : DAL_JSON_NONE)) {
			return false;
		}
	}
	return (!several && !rule->has_or) || dal_pattern_test(rule->pattern, run->json, event);
}

static void start(struct run *run)
{
	struct dal_matcher_scratch *scratch = run->scratch;
	const struct dal_matcher *matcher = run->matcher;
	scratch->candidates.count = 0;
	scratch->matched.count = 0;
	if (++scratch->stamp == 1u << 31) { /* the stamps begin again */
		memset(scratch->fields, 0, matcher->field_count * sizeof(*scratch->fields));
		memset(scratch->conditions, 0,
		       matcher->condition_count * sizeof(*scratch->conditions));
		memset(scratch->rules, 0, matcher->rule_count * sizeof(*scratch->rules));
		scratch->stamp = 1;
	}
}

/* By a set of bits and a set of its words that are in use; both are all 0 before and after. */
static void sort_matched(struct dal_matcher_scratch *scratch, uint32_t rule_count)
{
	struct dal_ids *matched = &scratch->matched;
	uint32_t count = 0;
	for (size_t i = 0; i < matched->count; i++) {
		uint32_t id = matched->items[i];
		scratch->bits[id / 64] |= UINT64_C(1) << id % 64;
		scratch->used[id / 4096] |= UINT64_C(1) << id / 64 % 64;
	}
	for (uint32_t i = 0; i <= rule_count / 4096; i++) {
		for (; scratch->used[i] != 0; scratch->used[i] &= scratch->used[i] - 1) {
			uint32_t at = i * 64 + (uint32_t)__builtin_ctzll(scratch->used[i]);
			uint64_t *word = &scratch->bits[at];
			for (; *word != 0; *word &= *word - 1) {
				matched->items[count++] = at * 64 +
							  (uint32_t)__builtin_ctzll(*word);
			}
		}
	}
}

size_t dal_matcher_match(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
			 const struct dal_json *json, uint32_t event, const uint32_t **ids)
{
	struct run run = {.matcher = matcher, .scratch = scratch, .json = json};

	start(&run);
	walk_objects(&run, DAL_FIELD_ROOT, event, false);
	enter_absent(&run);
	for (size_t i = 0; i < scratch->candidates.count; i++) {
		uint32_t rule = scratch->candidates.items[i];
		if (verify(&run, &matcher->rules[rule], event)) {
			dal_ids_add(&scratch->matched, rule);
		}
	}
	if (scratch->matched.count > 1) {
		sort_matched(scratch, matcher->rule_count);
	}
	*ids = scratch->matched.items;
	return scratch->matched.count;
}
