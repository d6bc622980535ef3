/*
 * Runs one event through a matcher: walk the fields that some pattern names, mark the atoms that
 * their values satisfy, verify the rules that are entered by those.
 */
#include "engine/base/memory.h"
#include "rules/matcher_scratch.h"

#define MANY_VALUES 8 /* from here on it is worth while to look whether one came before */

static void note_scalar(struct dal_matching *matching, uint32_t id, uint32_t node)
{
	struct dal_matcher_scratch *scratch = matching->scratch;
	if (!matching->matcher->fields[id].index) {
		return;
	}
	if (++scratch->fields[id].values > MANY_VALUES &&
	    dal_seen_before(&scratch->seen, matching->json, scratch->stamp, id, node)) {
		return;
	}
	matching->scalar = dal_scalar_read(matching->json, node);
	dal_matching_find(matching, id);
}

static void note_value(struct dal_matching *matching, uint32_t id, uint32_t value, bool several)
{
	struct dal_matcher_scratch *scratch = matching->scratch;
	struct dal_field_state *state = &scratch->fields[id];
	if (state->stamp != scratch->stamp) {
		state->stamp = scratch->stamp;
		state->node = value;
		state->several = state->exists = state->read = false;
		state->values = 0;
	}
	state->several |= several;
	matching->mark = scratch->stamp << 1 | several;
	if (dal_json_kind(matching->json, value) < DAL_JSON_ARRAY) {
		state->exists = true;
		note_scalar(matching, id, value);
		if (!several && matching->matcher->fields[id].index) {
			state->read = true;
			state->scalar = matching->scalar;
		}
		return;
	}
	uint32_t cursor = value, node;
	while ((node = dal_scalar_next(matching->json, value, &cursor)) != DAL_JSON_NONE) {
		state->exists = true;
		note_scalar(matching, id, node);
	}
}

static void walk_object(struct dal_matching *matching, uint32_t id, uint32_t object, bool several,
			bool selected);

static void walk_objects(struct dal_matching *matching, uint32_t id, uint32_t value, bool several,
			 bool selected)
{
	if (dal_json_kind(matching->json, value) == DAL_JSON_OBJECT) {
		walk_object(matching, id, value, several, selected);
		return;
	}
	uint32_t cursor = value;
	uint32_t object = dal_object_next(matching->json, value, &cursor);
	while (object != DAL_JSON_NONE) {
		uint32_t next = dal_object_next(matching->json, value, &cursor);
		several |= next != DAL_JSON_NONE;
		walk_object(matching, id, object, several, selected);
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

static void walk_object(struct dal_matching *matching, uint32_t id, uint32_t object, bool several,
			bool selected)
{
	const struct dal_json *json = matching->json;
	const struct dal_json_names *names = matching->matcher->names;
	uint32_t end = dal_json_next(json, object), left = dal_json_names_children(names, id);
	for (uint32_t key = object + 1; key < end && left > 0; key = dal_json_next(json, key + 1)) {
		uint32_t child = selected ? dal_json_field(json, key)
					  : dal_json_names_find(names, id, key_text(json, key));
		if (child == DAL_JSON_NONE) {
			continue;
		}
		left--;
		if (matching->matcher->fields[child].leaf) {
			note_value(matching, child, key + 1, several);
		}
		if (dal_json_kind(json, key + 1) >= DAL_JSON_ARRAY &&
		    dal_json_names_children(names, child) > 0) {
			walk_objects(matching, child, key + 1, several, selected);
		}
	}
}

enum verdict { NO, YES, ONE_OF_SEVERAL, ASK_THE_PATTERN };

static enum verdict ask_condition(struct dal_matching *matching, uint32_t id)
{
	const struct dal_condition *condition = &matching->matcher->conditions[id];
	uint32_t *memory = &matching->scratch->conditions[id];
	const struct dal_field_state *state = &matching->scratch->fields[condition->field];
	bool seen = state->stamp == matching->scratch->stamp;
	if (seen && state->several) {
		return ASK_THE_PATTERN;
	}
	if (*memory >> 1 != matching->scratch->stamp) {
		const struct dal_pattern_field *leaf = condition->leaf;
		bool holds = seen && state->read && leaf->operator_count == 1 &&
					     leaf->operators->kind != DAL_OPERATOR_ALL_OF
				     ? dal_operator_holds(leaf->operators, &state->scalar)
				     : dal_leaf_holds(leaf, matching->json,
						      seen ? state->node : DAL_JSON_NONE);
		*memory = matching->scratch->stamp << 1 | holds;
	}
	return *memory & 1 ? YES : NO;
}

static enum verdict ask(struct dal_matching *matching, uint32_t rest)
{
	if (rest & DAL_REST_CONDITION) {
		return ask_condition(matching, rest & ~DAL_REST_CONDITION);
	}
	uint32_t mark = matching->scratch->marks[rest];
	return mark >> 1 != matching->scratch->stamp ? NO : mark & 1 ? ONE_OF_SEVERAL : YES;
}

/* The whole of a pattern is asked once an event, by however many ways its rule is entered. */
static bool asked_before(struct dal_matching *matching, uint32_t rule)
{
	uint32_t *asked = &matching->scratch->asked[rule];
	bool before = *asked == matching->scratch->stamp;
	*asked = matching->scratch->stamp;
	return before;
}

/*
 * Conditions about fields in several elements of an array: if one alone is, it may lie in any of
 * them. Two could have to be in the same one.
 */
static bool holds(struct dal_matching *matching, uint32_t event, uint32_t atom,
		  const struct dal_entry *entry)
{
	const struct dal_matcher *matcher = matching->matcher;
	uint32_t id = entry->rule & ~DAL_ENTRY_VERIFY;
	const struct dal_matcher_rule *rule = &matcher->rules[id];
	bool verify = entry->rule & DAL_ENTRY_VERIFY;
	uint32_t several = matching->scratch->marks[atom] & 1;
	if (verify && asked_before(matching, id)) {
		return false;
	}
	for (int i = 0; i < 2 && entry->rest[i] != DAL_ABSENT; i++) {
		enum verdict verdict = ask(matching, entry->rest[i]);
		if (verdict == NO) {
			return false;
		}
		several += verdict == ONE_OF_SEVERAL ? 1 : verdict == ASK_THE_PATTERN ? 2 : 0;
	}
	for (uint32_t i = 0; verify && i < rule->conditions.count; i++) {
		enum verdict verdict = ask_condition(matching, rule->conditions.items[i]);
		if (verdict == NO) {
			return false;
		}
		several += verdict == ASK_THE_PATTERN ? 2 : 0;
	}
	if (several < 2 && !(verify && rule->has_or)) {
		return true;
	}
	return (verify || !asked_before(matching, id)) &&
	       dal_pattern_test(rule->pattern, matching->json, event);
}

static void enter_fired(struct dal_matching *matching, uint32_t event)
{
	const struct dal_ids *fired = &matching->scratch->fired;
	for (uint32_t i = 0; i < fired->count; i++) {
		const struct dal_atom *atom = &matching->matcher->atoms[fired->items[i]];
		for (uint32_t j = 0; j < atom->entry_count; j++) {
			const struct dal_entry *entry = &atom->entries[j];
			if (holds(matching, event, fired->items[i], entry)) {
				dal_ids_add(&matching->scratch->matched,
					    entry->rule & ~DAL_ENTRY_VERIFY);
			}
		}
	}
}

static void enter_absent(struct dal_matching *matching, uint32_t event)
{
	const struct dal_matcher *matcher = matching->matcher;
	for (uint32_t i = 0; i < matcher->absent_fields.count; i++) {
		uint32_t id = matcher->absent_fields.items[i];
		const struct dal_field_state *state = &matching->scratch->fields[id];
		bool seen = state->stamp == matching->scratch->stamp;
		if (seen && state->exists && !state->several) {
			continue;
		}
		const struct dal_ids *absent = &matcher->fields[id].index->absent;
		for (uint32_t j = 0; j < absent->count; j++) {
			uint32_t rule = absent->items[j];
			if (!asked_before(matching, rule) &&
			    dal_pattern_test(matcher->rules[rule].pattern, matching->json, event)) {
				dal_ids_add(&matching->scratch->matched, rule);
			}
		}
	}
}

static void *grown(void *memory, uint32_t *capacity, uint32_t count, size_t size)
{
	free(memory);
	*capacity = count;
	return dal_calloc(count + 1, size);
}

/* The matcher may have grown since the last event. */
static void fit(struct dal_matcher_scratch *scratch, const struct dal_matcher *matcher)
{
	if (scratch->atom_capacity < matcher->atom_capacity) {
		scratch->marks = grown(scratch->marks, &scratch->atom_capacity,
				       matcher->atom_capacity, sizeof(*scratch->marks));
	}
	if (scratch->condition_capacity < matcher->condition_capacity) {
		scratch->conditions = grown(scratch->conditions, &scratch->condition_capacity,
					    matcher->condition_capacity,
					    sizeof(*scratch->conditions));
	}
	if (scratch->field_capacity < matcher->field_capacity) {
		for (uint32_t i = 0; i < scratch->field_capacity; i++) {
			free(scratch->fields[i].pending.items);
		}
		scratch->fields = grown(scratch->fields, &scratch->field_capacity,
					matcher->field_capacity, sizeof(*scratch->fields));
	}
	if (scratch->rule_capacity < matcher->rule_capacity) {
		uint32_t words = matcher->rule_capacity / 64 + 1, capacity;
		scratch->bits = grown(scratch->bits, &capacity, words, sizeof(*scratch->bits));
		scratch->used = grown(scratch->used, &capacity, words / 64 + 1,
				      sizeof(*scratch->used));
		scratch->asked = grown(scratch->asked, &scratch->rule_capacity,
				       matcher->rule_capacity, sizeof(*scratch->asked));
	}
}

static void start(struct dal_matcher_scratch *scratch, const struct dal_matcher *matcher)
{
	fit(scratch, matcher);
	scratch->fired.count = 0;
	scratch->matched.count = 0;
	if (++scratch->stamp == 1u << 31) { /* the stamps begin again */
		for (uint32_t i = 0; i < scratch->field_capacity; i++) {
			scratch->fields[i].stamp = 0;
		}
		memset(scratch->conditions, 0,
		       scratch->condition_capacity * sizeof(*scratch->conditions));
		memset(scratch->marks, 0, scratch->atom_capacity * sizeof(*scratch->marks));
		memset(scratch->asked, 0, scratch->rule_capacity * sizeof(*scratch->asked));
		scratch->seen.stamp = 0;
		for (uint32_t i = 0; scratch->seen.slots && i <= scratch->seen.mask; i++) {
			scratch->seen.slots[i].stamp = 0;
		}
		scratch->stamp = 1;
	}
}

/* By a set of bits and a set of its words that are in use; both are all 0 before and after. */
static void sort_matched(struct dal_matcher_scratch *scratch, uint32_t rule_count)
{
	struct dal_ids *matched = &scratch->matched;
	uint32_t count = 0;
	for (uint32_t i = 0; i < matched->count; i++) {
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
	matched->count = count;
}

static inline size_t match(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
			   const struct dal_json *json, uint32_t event, bool selected,
			   const uint32_t **ids)
{
	struct dal_matching matching = {.matcher = matcher, .scratch = scratch, .json = json};

	start(scratch, matcher);
	walk_objects(&matching, DAL_JSON_NAMES_ROOT, event, false, selected);
	enter_fired(&matching, event);
	enter_absent(&matching, event);
	if (scratch->matched.count > 1) {
		sort_matched(scratch, matcher->rule_count);
	}
	*ids = scratch->matched.items;
	return scratch->matched.count;
}

size_t dal_matcher_match(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
			 const struct dal_json *json, uint32_t event, const uint32_t **ids)
{
	return match(matcher, scratch, json, event, false, ids);
}

int dal_matcher_scan(const struct dal_matcher *matcher, struct dal_matcher_scratch *scratch,
		     struct dal_json *json, struct dal_slice text, const uint32_t **ids,
		     size_t *count)
{
	int r = dal_json_select(json, text, matcher->names);
	if (r == 0) {
		*count = match(matcher, scratch, json, DAL_JSON_ROOT, true, ids);
	}
	return r;
}
