/*
 * From a value to the atoms that it satisfies.
 */
#include "rules/casefold.h"
#include "rules/matcher_scratch.h"

static void mark(struct dal_matching *matching, uint32_t id)
{
	struct dal_matcher_scratch *scratch = matching->scratch;
	if (scratch->marks[id] >> 1 != scratch->stamp) {
		scratch->marks[id] = matching->mark;
		if (matching->matcher->atoms[id].entry_count > 0) {
			dal_ids_add(&scratch->fired, id);
		}
	}
}

static void mark_found(void *own, uint32_t id)
{
	mark(own, id);
}

/* One whose index finds too many. */
static void mark_asked(void *own, uint32_t id)
{
	struct dal_matching *matching = own;
	if (matching->scratch->marks[id] >> 1 != matching->scratch->stamp &&
	    dal_operator_holds(matching->matcher->atoms[id].op, &matching->scalar)) {
		mark(matching, id);
	}
}

static void find_string(struct dal_matching *matching, const struct dal_field_index *index)
{
	struct dal_slice value = matching->scalar.text;
	uint32_t hash = (uint32_t)dal_text_hash(value, DAL_OPERATOR_STRING), at = hash, id;
	while ((id = dal_id_table_next(&index->equal, hash, &at)) != DAL_ABSENT) {
		const struct dal_operator *op = matching->matcher->atoms[id].op;
		if (op->kind == DAL_OPERATOR_STRING && dal_slice_equal(op->text, value)) {
			mark(matching, id);
			return;
		}
	}
}

static void find_equal(struct dal_matching *matching, const struct dal_field_index *index,
		       const struct dal_operator *equal)
{
	uint32_t hash = dal_operator_hash(equal), at = hash, id;
	while ((id = dal_id_table_next(&index->equal, hash, &at)) != DAL_ABSENT) {
		if (dal_operator_equal(matching->matcher->atoms[id].op, equal)) {
			mark(matching, id);
			return;
		}
	}
}

static void find_folded(struct dal_matching *matching, const struct dal_field_index *index)
{
	struct dal_buffer *buffer = &matching->scratch->folded;
	dal_buffer_clear(buffer);
	dal_casefold_append(buffer, matching->scalar.text);
	struct dal_operator equal = {.kind = DAL_OPERATOR_FOLDED,
				     .folded = dal_buffer_slice(buffer)};
	if (index->folded > 0) {
		find_equal(matching, index, &equal);
	}
	if (index->folded_prefixes) {
		dal_affixes_find(index->folded_prefixes, equal.folded, mark_found, matching);
	}
	if (index->folded_suffixes) {
		dal_affixes_find(index->folded_suffixes, equal.folded, mark_found, matching);
	}
}

/* Of an address, the blocks of each size that there is. */
static void find_blocks(struct dal_matching *matching, const struct dal_field_index *index)
{
	struct dal_block address;
	if (!dal_address_read(matching->scalar.text, &address)) {
		return;
	}
	const uint32_t *counts = index->blocks[address.version_6];
	struct dal_operator equal = {.kind = DAL_OPERATOR_CIDR, .block = &address};
	for (int bits = address.bits; bits >= 0; bits--) {
		if (bits < address.bits) {
			address.bits = (uint8_t)bits;
			address.address[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
		}
		if (counts[bits] > 0) {
			find_equal(matching, index, &equal);
		}
	}
}

static void find_text(struct dal_matching *matching, const struct dal_field_index *index)
{
	struct dal_slice value = matching->scalar.text;
	struct dal_instant instant;
	if (index->lengths >> (value.size < 63 ? value.size : 63) & 1) {
		find_string(matching, index);
	}
	if (index->prefixes) {
		dal_affixes_find(index->prefixes, value, mark_found, matching);
	}
	if (index->suffixes) {
		dal_affixes_find(index->suffixes, value, mark_found, matching);
	}
	if (index->wildcards) {
		dal_wildcards_find(index->wildcards, &matching->scratch->wildcards, value,
				   mark_found, matching);
	}
	if (index->folded > 0 || index->folded_prefixes || index->folded_suffixes) {
		find_folded(matching, index);
	}
	if (index->regexps) {
		dal_regexps_find(index->regexps, matching->scratch->regexps, value, mark_found,
				 matching);
	}
	if (index->blocks_count > 0) {
		find_blocks(matching, index);
	}
	if (index->times && dal_instant_read(value, &instant)) {
		dal_intervals_find(index->times, dal_instant_order(&instant), mark_asked, matching);
	}
}

static void find_number(struct dal_matching *matching, const struct dal_field_index *index)
{
	if (index->numbers > 0) {
		struct dal_operator equal = {.kind = DAL_OPERATOR_NUMBER,
					     .number = &matching->scalar.number};
		find_equal(matching, index, &equal);
	}
	if (index->ranges) {
		dal_intervals_find(index->ranges, dal_number_order(&matching->scalar.number),
				   mark_asked, matching);
	}
}

/*
 * Those that have to be asked one by one. Each value after the first asks only those that none
 * before it satisfied, so that a long array does not ask all of them again and again.
 */
static void find_others(struct dal_matching *matching, const struct dal_ids *others,
			struct dal_field_state *state)
{
	const struct dal_matcher_scratch *scratch = matching->scratch;
	struct dal_ids *pending = &state->pending;
	if (state->values == 1) {
		for (uint32_t i = 0; i < others->count; i++) {
			mark_asked(matching, others->items[i]);
		}
		return;
	}
	if (state->values == 2) {
		pending->count = 0;
		for (uint32_t i = 0; i < others->count; i++) {
			dal_ids_add(pending, others->items[i]);
		}
	}
	uint32_t left = 0;
	for (uint32_t i = 0; i < pending->count; i++) {
		uint32_t id = pending->items[i];
		mark_asked(matching, id);
		if (scratch->marks[id] >> 1 != scratch->stamp) {
			pending->items[left++] = id;
		}
	}
	pending->count = left;
}

void dal_matching_find(struct dal_matching *matching, uint32_t field)
{
	const struct dal_field_index *index = matching->matcher->fields[field].index;
	enum dal_json_kind kind = matching->scalar.kind;
	if (kind == DAL_JSON_STRING) {
		find_text(matching, index);
	} else if (kind <= DAL_JSON_TRUE) {
		if (index->literals[kind] != DAL_ABSENT) {
			mark(matching, index->literals[kind]);
		}
	} else {
		find_number(matching, index);
	}
	if (index->exists != DAL_ABSENT) {
		mark(matching, index->exists);
	}
	if (index->others.count > 0) {
		find_others(matching, &index->others, &matching->scratch->fields[field]);
	}
}
