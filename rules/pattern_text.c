/*
 * The operators that are about strings, as they are read.
 */
#include "engine/base/limits.h"
#include "rules/casefold.h"
#include "rules/pattern_reader.h"

/* The content of a string, kept; with `what` for the message if it is none. */
bool dal_pattern_read_text(struct dal_pattern_reader *reader, uint32_t node, const char *what,
			   struct dal_slice *text)
{
	if (dal_json_kind(reader->json, node) != DAL_JSON_STRING) {
		return dal_pattern_refuse(reader, node, "%s wants a string", what);
	}
	*text = dal_json_string(reader->json, node);
	if (text->size > DAL_LIMIT_PATTERN_STRING_BYTES) {
		return dal_pattern_refuse(reader, node, "a string of more than %d bytes",
					  (int)DAL_LIMIT_PATTERN_STRING_BYTES);
	}
	*text = dal_arena_copy(reader->arena, *text);
	return true;
}

static bool read_folded(struct dal_pattern_reader *reader, uint32_t node,
			enum dal_operator_kind kind, struct dal_operator *op)
{
	struct dal_buffer folded = {0};
	if (!dal_pattern_read_text(reader, node, "equals-ignore-case", &op->text)) {
		return false;
	}
	op->kind = kind;
	dal_casefold_append(&folded, op->text);
	op->folded = dal_arena_copy(reader->arena, dal_buffer_slice(&folded));
	dal_buffer_deinit(&folded);
	return true;
}

bool dal_text_read_folded(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	return read_folded(reader, node, DAL_OPERATOR_FOLDED, op);
}

/* "x", or {"equals-ignore-case": "x"}. */
static bool read_affix(struct dal_pattern_reader *reader, uint32_t node, bool prefix,
		       struct dal_operator *op)
{
	const struct dal_json *json = reader->json;
	const char *name = prefix ? "prefix" : "suffix";
	if (dal_json_kind(json, node) != DAL_JSON_OBJECT) {
		op->kind = prefix ? DAL_OPERATOR_PREFIX : DAL_OPERATOR_SUFFIX;
		return dal_pattern_read_text(reader, node, name, &op->text);
	}
	if (dal_json_count(json, node) != 1 ||
	    !dal_slice_is(dal_json_string(json, node + 1), "equals-ignore-case")) {
		return dal_pattern_refuse(reader, node,
					  "%s wants a string, or {\"equals-ignore-case\": \"...\"}",
					  name);
	}
	return read_folded(reader, node + 2,
			   prefix ? DAL_OPERATOR_PREFIX_FOLDED : DAL_OPERATOR_SUFFIX_FOLDED, op);
}

bool dal_text_read_prefix(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	return read_affix(reader, node, true, op);
}

bool dal_text_read_suffix(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	return read_affix(reader, node, false, op);
}

/* Counts the stars; UINT32_MAX after an error. */
static uint32_t check_wildcard(struct dal_pattern_reader *reader, uint32_t node,
			       struct dal_slice text)
{
	uint32_t stars = 0;
	bool after_star = false;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == '\\') {
			after_star = false;
			if (++i == text.size || (text.data[i] != '*' && text.data[i] != '\\')) {
				dal_pattern_refuse_inside(
					reader, node, i - 1,
					"a backslash in a wildcard stands before * or \\ "
					"only (in JSON: \"\\\\*\" and \"\\\\\\\\\")");
				return UINT32_MAX;
			}
		} else if (text.data[i] == '*') {
			if (after_star) {
				dal_pattern_refuse_inside(reader, node, i - 1,
							  "** in a wildcard: one * says the same");
				return UINT32_MAX;
			}
			after_star = true;
			stars++;
		} else {
			after_star = false;
		}
	}
	if (stars > DAL_LIMIT_PATTERN_STARS) {
		dal_pattern_refuse(reader, node, "more than %d * in one wildcard",
				   DAL_LIMIT_PATTERN_STARS);
		return UINT32_MAX;
	}
	return stars;
}

bool dal_text_read_wildcard(struct dal_pattern_reader *reader, uint32_t node,
			    struct dal_operator *op)
{
	struct dal_slice text;
	if (!dal_pattern_read_text(reader, node, "wildcard", &text)) {
		return false;
	}
	uint32_t stars = check_wildcard(reader, node, text);
	if (stars == UINT32_MAX) {
		return false;
	}
	char *to = (char *)dal_arena_copy(reader->arena, text).data;
	struct dal_slice *pieces = dal_arena_take(reader->arena, (stars + 1) * sizeof(*pieces));
	op->kind = DAL_OPERATOR_WILDCARD;
	op->text = text;
	op->wildcard = (struct dal_wildcard){pieces, stars + 1};
	pieces->data = to;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] == '*') {
			pieces++;
			pieces->data = to;
			continue;
		}
		i += text.data[i] == '\\';
		*to++ = text.data[i];
		pieces->size++;
	}
	return true;
}

bool dal_text_read_regexp(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	size_t position;
	if (!dal_pattern_read_text(reader, node, "regexp", &op->text)) {
		return false;
	}
	op->kind = DAL_OPERATOR_REGEXP;
	const char *problem = dal_regexp_parse(reader->arena, op->text, &op->regexp, &position);
	return !problem ||
	       dal_pattern_refuse_inside(reader, node, position,
					 "regexp: %s, at byte %zu of \"%.*s\"", problem,
					 position + 1, (int)op->text.size, op->text.data);
}

/* "10.0.0.0/24". */
static bool read_block(struct dal_slice text, struct dal_block *block)
{
	struct dal_slice address, bits;
	uint64_t count;
	if (!dal_slice_cut(text, '/', &address, &bits) || !dal_address_read(address, block) ||
	    !dal_slice_to_u64(bits, &count) || (bits.size > 1 && bits.data[0] == '0') ||
	    count > block->bits) {
		return false;
	}
	dal_block_cut(block, (uint8_t)count);
	return true;
}

bool dal_text_read_cidr(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	struct dal_block alone;
	struct dal_buffer print = {0};
	if (!dal_pattern_read_text(reader, node, "cidr", &op->text)) {
		return false;
	}
	op->kind = DAL_OPERATOR_CIDR;
	op->block = dal_arena_take(reader->arena, sizeof(*op->block));
	if (!read_block(op->text, op->block)) {
		bool address = dal_address_read(op->text, &alone);
		return dal_pattern_refuse(
			reader, node,
			address ? "cidr wants a block; of one address write \"%.*s/%d\""
				: "cidr wants a block of IPv4 or IPv6 addresses, like "
				  "\"10.0.0.0/24\" or \"2001:db8::/32\"",
			(int)op->text.size, op->text.data, alone.bits);
	}
	dal_block_print(op->block, &print);
	op->text = dal_arena_copy(reader->arena, dal_buffer_slice(&print));
	dal_buffer_deinit(&print);
	return true;
}

static bool read_time(struct dal_pattern_reader *reader, uint32_t node, const char *name,
		      struct dal_operator *op)
{
	struct dal_buffer print = {0};
	if (!dal_pattern_read_text(reader, node, name, &op->text)) {
		return false;
	}
	op->instant = dal_arena_take(reader->arena, sizeof(*op->instant));
	if (!dal_instant_read(op->text, op->instant)) {
		return dal_pattern_refuse(
			reader, node,
			"%s wants a time as RFC 3339 writes it, like "
			"\"2026-11-24T10:13:26Z\" or \"2026-11-24T10:13:26.5+02:00\"",
			name);
	}
	if (!dal_instant_print(op->instant, &print)) {
		return dal_pattern_refuse(reader, node,
					  "%s wants a time in the years 0000 to 9999 of UTC", name);
	}
	op->text = dal_arena_copy(reader->arena, dal_buffer_slice(&print));
	dal_buffer_deinit(&print);
	return true;
}

bool dal_text_read_before(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	op->kind = DAL_OPERATOR_BEFORE;
	return read_time(reader, node, "before", op);
}

bool dal_text_read_after(struct dal_pattern_reader *reader, uint32_t node, struct dal_operator *op)
{
	op->kind = DAL_OPERATOR_AFTER;
	return read_time(reader, node, "after", op);
}
