#include "rules/analysis_keys.h"

#include "rules/casefold.h"

/* What a key says of a field; each stands before the text. */
enum {
	KEY_VALUE = '=', /* one value, or none */
	KEY_BEGIN = '<',
	KEY_END = '>',
	KEY_FOLDED = '~', /* one value but for case */
	KEY_PART = '/',   /* somewhere in a text */
	KEY_OTHER = '*',
};

typedef void on_key(void *own, struct dal_slice key);

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
	keys->each(keys->own, dal_buffer_slice(&keys->key));
}

static bool is_value(const struct dal_operator *op)
{
	return op->kind <= DAL_OPERATOR_NUMBER || op->kind == DAL_OPERATOR_ABSENT;
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
	begin_key(keys, size > 0 ? KEY_PART : KEY_OTHER);
	dal_buffer_append(&keys->key, longest.data + (longest.size - size), size);
}

static void wide_key(struct keys *keys, const struct dal_operator *op)
{
	if (is_value(op)) {
		begin_key(keys, KEY_VALUE);
		dal_operator_print(op, &keys->key);
	} else if (op->kind == DAL_OPERATOR_FOLDED) {
		begin_key(keys, KEY_FOLDED);
		dal_buffer_slice_append(&keys->key, op->folded);
	} else if (op->kind == DAL_OPERATOR_PREFIX || op->kind == DAL_OPERATOR_SUFFIX) {
		begin_key(keys, op->kind == DAL_OPERATOR_PREFIX ? KEY_BEGIN : KEY_END);
		dal_buffer_slice_append(&keys->key, op->text);
	} else if (op->kind == DAL_OPERATOR_WILDCARD) {
		wildcard_key(keys, &op->wildcard);
	} else {
		begin_key(keys, KEY_OTHER);
	}
	give_key(keys);
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
			begin_key(keys, KEY_PART);
			dal_buffer_append(&keys->key, text.data + at, size);
			give_key(keys);
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

/* A wide list must hold for all that one operator of the narrow list holds for; of all-of it is
 * not known which of its lists says so. */
static void lookup_operator(struct keys *keys, const struct dal_operator *op)
{
	if (op->kind == DAL_OPERATOR_ALL_OF) {
		for (uint32_t i = 0; i < op->all->count; i++) {
			lookup_operator(keys, op->all->lists[i].operators);
		}
		return;
	}
	if (is_value(op)) {
		begin_key(keys, KEY_VALUE);
		dal_operator_print(op, &keys->key);
		give_key(keys);
	}
	if (op->kind == DAL_OPERATOR_STRING || op->kind == DAL_OPERATOR_FOLDED) {
		begin_key(keys, KEY_FOLDED);
		dal_casefold_append(&keys->key, op->text);
		give_key(keys);
	}
	lookup_text(keys, op);
	begin_key(keys, KEY_OTHER);
	give_key(keys);
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
