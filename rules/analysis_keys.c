#include "rules/analysis_keys.h"

#include "rules/casefold.h"
#include "rules/matcher_tables.h"

/* What a key says of a field; each stands before the text. */
enum {
	KEY_VALUE = '=', /* one value, or none */
	KEY_BEGIN = '<',
	KEY_END = '>',
	KEY_FOLDED = '~', /* one value but for case */
	KEY_PART = '/',   /* somewhere in a text */
	KEY_NUMBER = '#', /* a range of numbers */
	KEY_BEFORE = 'b',
	KEY_AFTER = 'a',
	KEY_BLOCK = ':', /* of addresses */
	KEY_OTHER = '*',
};

typedef void on_key(void *own, const struct dal_key *key);

/* Of a text's part only its last bytes are in the key: so many, or half of that, and so on. */
#define PART_BYTES 8

size_t dal_keys_enter(struct dal_buffer *path, struct dal_slice name)
{
	size_t before = path->size;
	dal_buffer_sized(path, name);
	return before;
}

struct keys {
	struct dal_buffer key;
	size_t path; /* its size */
	on_key *each;
	void *own;
};

static void begin_key(struct keys *keys, char kind)
{
	keys->key.size = keys->path;
	dal_buffer_byte(&keys->key, kind);
}

static void give_key(struct keys *keys)
{
	struct dal_key key = {.text = dal_buffer_slice(&keys->key)};
	keys->each(keys->own, &key);
}

static void give_ordered(struct keys *keys, char kind, struct dal_order lower,
			 struct dal_order upper)
{
	begin_key(keys, kind);
	struct dal_key key = {dal_buffer_slice(&keys->key), true, lower, upper};
	keys->each(keys->own, &key);
}

static void give_text(struct keys *keys, char kind, struct dal_slice text)
{
	begin_key(keys, kind);
	dal_buffer_slice_append(&keys->key, text);
	give_key(keys);
}

static void give_block(struct keys *keys, const struct dal_block *block)
{
	begin_key(keys, KEY_BLOCK);
	dal_buffer_byte(&keys->key, block->version_6 ? '6' : '4');
	dal_buffer_byte(&keys->key, (char)block->bits);
	dal_buffer_append(&keys->key, block->address, sizeof(block->address));
	give_key(keys);
}

/* A power of two. */
static size_t part_size(size_t size)
{
	size_t part = PART_BYTES;
	while (part > size) {
		part /= 2;
	}
	return part;
}

/* The end of its longest piece: it is found within a piece of each text that it covers. */
static void wildcard_key(struct keys *keys, const struct dal_wildcard *wildcard)
{
	struct dal_slice longest = wildcard->pieces[0];
	for (uint32_t i = 1; i < wildcard->count; i++) {
		longest = wildcard->pieces[i].size > longest.size ? wildcard->pieces[i] : longest;
	}
	size_t size = part_size(longest.size);
	give_text(keys, size > 0 ? KEY_PART : KEY_OTHER,
		  dal_slice(longest.data + (longest.size - size), size));
}

static void wide_range(struct keys *keys, const struct dal_range *range)
{
	give_ordered(keys, KEY_NUMBER,
		     range->has_lower ? dal_number_order(&range->lower) : DAL_ORDER_LOWEST,
		     range->has_upper ? dal_number_order(&range->upper) : DAL_ORDER_HIGHEST);
}

static void wide_key(struct keys *keys, const struct dal_operator *op)
{
	switch (op->kind) {
	case DAL_OPERATOR_NULL:
	case DAL_OPERATOR_FALSE:
	case DAL_OPERATOR_TRUE:
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_NUMBER:
	case DAL_OPERATOR_ABSENT:
		begin_key(keys, KEY_VALUE);
		dal_operator_print(op, &keys->key);
		give_key(keys);
		break;
	case DAL_OPERATOR_FOLDED:
		give_text(keys, KEY_FOLDED, op->folded);
		break;
	case DAL_OPERATOR_PREFIX:
		give_text(keys, KEY_BEGIN, op->text);
		break;
	case DAL_OPERATOR_SUFFIX:
		give_text(keys, KEY_END, op->text);
		break;
	case DAL_OPERATOR_WILDCARD:
		wildcard_key(keys, &op->wildcard);
		break;
	case DAL_OPERATOR_RANGE:
		wide_range(keys, op->range);
		break;
	case DAL_OPERATOR_BEFORE:
		give_ordered(keys, KEY_BEFORE, DAL_ORDER_LOWEST, dal_instant_order(op->instant));
		break;
	case DAL_OPERATOR_AFTER:
		give_ordered(keys, KEY_AFTER, dal_instant_order(op->instant), DAL_ORDER_HIGHEST);
		break;
	case DAL_OPERATOR_CIDR:
		give_block(keys, op->block);
		break;
	default:
		give_text(keys, KEY_OTHER, dal_slice("", 0));
	}
}

void dal_leaf_keys(struct dal_slice path, const struct dal_pattern_field *leaf, on_key *each,
		   void *own)
{
	struct keys keys = {.path = path.size, .each = each, .own = own};
	dal_buffer_slice_append(&keys.key, path);
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		wide_key(&keys, &leaf->operators[i]);
	}
	dal_buffer_deinit(&keys.key);
}

/* Each text that it begins or ends with: what is within a prefix has it as one of these. */
static void lookup_ends(struct keys *keys, const struct dal_ends *ends)
{
	for (size_t size = 0; size <= ends->lead.size; size++) {
		begin_key(keys, KEY_BEGIN);
		dal_buffer_append(&keys->key, ends->lead.data, size);
		give_key(keys);
	}
	for (size_t size = 0; size <= ends->tail.size; size++) {
		begin_key(keys, KEY_END);
		dal_buffer_append(&keys->key, ends->tail.data + (ends->tail.size - size), size);
		give_key(keys);
	}
}

static void lookup_parts(struct keys *keys, struct dal_slice text)
{
	for (size_t size = PART_BYTES; size > 0; size /= 2) {
		for (size_t at = 0; at + size <= text.size; at++) {
			give_text(keys, KEY_PART, dal_slice(text.data + at, size));
		}
	}
}

static void lookup_text(struct keys *keys, const struct dal_operator *op)
{
	struct dal_ends ends;
	if (!dal_operator_ends(op, &ends) || ends.folded) {
		return;
	}
	lookup_ends(keys, &ends);
	if (op->kind != DAL_OPERATOR_WILDCARD) {
		lookup_parts(keys, op->text);
		return;
	}
	for (uint32_t i = 0; i < op->wildcard.count; i++) {
		lookup_parts(keys, op->wildcard.pieces[i]);
	}
}

static void lookup_point(struct keys *keys, char kind, struct dal_order point)
{
	give_ordered(keys, kind, point, point);
}

/* Each block that it is in. */
static void lookup_blocks(struct keys *keys, struct dal_block block)
{
	for (;;) {
		give_block(keys, &block);
		if (block.bits == 0) {
			return;
		}
		dal_block_cut(&block, block.bits - 1);
	}
}

/* What a text may be besides. */
static void lookup_meaning(struct keys *keys, struct dal_slice text)
{
	struct dal_block address;
	struct dal_instant instant;
	if (dal_address_read(text, &address)) {
		lookup_blocks(keys, address);
	}
	if (dal_instant_read(text, &instant)) {
		lookup_point(keys, KEY_BEFORE, dal_instant_order(&instant));
		lookup_point(keys, KEY_AFTER, dal_instant_order(&instant));
	}
	begin_key(keys, KEY_FOLDED);
	dal_casefold_append(&keys->key, text);
	give_key(keys);
}

/* A range lies within another only if its ends do. */
static void lookup_range(struct keys *keys, const struct dal_range *range)
{
	lookup_point(keys, KEY_NUMBER,
		     dal_number_order(range->has_lower ? &range->lower : &range->upper));
}

/* What is found by other keys than those that the operator would have as a wide one. */
static void lookup_kind(struct keys *keys, const struct dal_operator *op)
{
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
		lookup_meaning(keys, op->text);
		break;
	case DAL_OPERATOR_NUMBER:
		lookup_point(keys, KEY_NUMBER, dal_number_order(op->number));
		break;
	case DAL_OPERATOR_RANGE:
		lookup_range(keys, op->range);
		break;
	case DAL_OPERATOR_BEFORE:
		lookup_point(keys, KEY_BEFORE, dal_instant_order(op->instant));
		break;
	case DAL_OPERATOR_AFTER:
		lookup_point(keys, KEY_AFTER, dal_instant_order(op->instant));
		break;
	case DAL_OPERATOR_CIDR:
		lookup_blocks(keys, *op->block);
		break;
	default:
		wide_key(keys, op);
		break;
	}
}

/* A wide list must hold for all that one operator of the narrow list holds for; of all-of it is
 * not known which of its lists says so. */
static void lookup_operator(struct keys *keys, const struct dal_operator *op)
{
	if (op->kind == DAL_OPERATOR_ALL_OF) {
		for (uint32_t i = 0; i < op->all->count; i++) {
			lookup_operator(keys, op->all->lists[i].operators);
		}
	} else if (op->kind == DAL_OPERATOR_STRING || op->kind == DAL_OPERATOR_NUMBER) {
		wide_key(keys, op);
	}
	lookup_kind(keys, op);
	lookup_text(keys, op);
	give_text(keys, KEY_OTHER, dal_slice("", 0));
}

static void lookup_leaf(struct keys *keys, struct dal_slice path,
			const struct dal_pattern_field *leaf)
{
	dal_buffer_clear(&keys->key);
	dal_buffer_slice_append(&keys->key, path);
	keys->path = path.size;
	lookup_operator(keys, leaf->operators);
}

/* What follows from a `$or` follows from each of its alternatives: the first is enough. */
static void lookup_object(struct keys *keys, struct dal_buffer *path,
			  const struct dal_pattern_object *object)
{
	for (uint32_t i = 0; i < object->field_count; i++) {
		const struct dal_pattern_field *field = &object->fields[i];
		size_t before = dal_keys_enter(path, field->name);
		if (field->operators) {
			lookup_leaf(keys, dal_buffer_slice(path), field);
		} else {
			lookup_object(keys, path, field->object);
		}
		path->size = before;
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		lookup_object(keys, path, object->ors[i].alternatives);
	}
}

void dal_pattern_lookups(const struct dal_pattern *pattern, on_key *each, void *own)
{
	struct keys keys = {.each = each, .own = own};
	struct dal_buffer path = {0};
	lookup_object(&keys, &path, &pattern->root);
	dal_buffer_deinit(&path);
	dal_buffer_deinit(&keys.key);
}
