/*
 * Pairs of operators: one within the other, or apart.
 */
#include "rules/analysis_tree.h"
#include "rules/casefold.h"

/* Stands for any text; no JSON text contains it. */
#define HOLE '\xff'

/* Steps that a regular expression costs for each byte that it is asked about. */
#define REGEXP_STEPS 32

enum {
	KIND_NULL = 1,
	KIND_FALSE = 2,
	KIND_TRUE = 4,
	KIND_NUMBER = 8,
	KIND_TEXT = 16,
	KIND_ALL = 31,
};

/* The kinds of scalars that may satisfy it. */
static int kinds_of(const struct dal_operator *op)
{
	switch (op->kind) {
	case DAL_OPERATOR_NULL:
		return KIND_NULL;
	case DAL_OPERATOR_FALSE:
		return KIND_FALSE;
	case DAL_OPERATOR_TRUE:
		return KIND_TRUE;
	case DAL_OPERATOR_NUMBER:
	case DAL_OPERATOR_RANGE:
		return KIND_NUMBER;
	case DAL_OPERATOR_EXISTS:
	case DAL_OPERATOR_ANYTHING_BUT:
		return KIND_ALL;
	case DAL_OPERATOR_ABSENT:
	case DAL_OPERATOR_ALL_OF:
		return 0;
	default:
		return KIND_TEXT;
	}
}

uint64_t dal_operator_weight(const struct dal_operator *op, struct dal_slice text)
{
	switch (op->kind) {
	case DAL_OPERATOR_ANYTHING_BUT:
		return 1 + op->excluded.count;
	case DAL_OPERATOR_REGEXP:
		return 1 + REGEXP_STEPS * text.size;
	default:
		return 1;
	}
}

static struct dal_slice plain_text(const struct dal_operator *op)
{
	return op->kind == DAL_OPERATOR_STRING ? op->text : dal_slice("", 0);
}

static bool pay_for(const struct dal_operator *a, const struct dal_operator *b, uint64_t *steps)
{
	return dal_steps_pay(steps, dal_operator_weight(a, plain_text(b)) +
					    dal_operator_weight(b, plain_text(a)));
}

/* The one scalar that satisfies it; false: there are others. */
static bool point_of(const struct dal_operator *op, struct dal_scalar *scalar)
{
	switch (op->kind) {
	case DAL_OPERATOR_NULL:
		*scalar = (struct dal_scalar){.kind = DAL_JSON_NULL};
		return true;
	case DAL_OPERATOR_FALSE:
		*scalar = (struct dal_scalar){.kind = DAL_JSON_FALSE};
		return true;
	case DAL_OPERATOR_TRUE:
		*scalar = (struct dal_scalar){.kind = DAL_JSON_TRUE};
		return true;
	case DAL_OPERATOR_NUMBER:
		*scalar = (struct dal_scalar){.kind = DAL_JSON_FLOAT, .number = *op->number};
		return true;
	case DAL_OPERATOR_STRING:
		*scalar = (struct dal_scalar){.kind = DAL_JSON_STRING, .text = op->text};
		return true;
	default:
		return false;
	}
}

bool dal_operator_ends(const struct dal_operator *op, struct dal_ends *ends)
{
	*ends = (struct dal_ends){0};
	switch (op->kind) {
	case DAL_OPERATOR_STRING:
		ends->lead = ends->tail = op->text;
		return true;
	case DAL_OPERATOR_PREFIX:
		ends->lead = op->text;
		return true;
	case DAL_OPERATOR_SUFFIX:
		ends->tail = op->text;
		return true;
	case DAL_OPERATOR_FOLDED:
		*ends = (struct dal_ends){op->folded, op->folded, true};
		return true;
	case DAL_OPERATOR_PREFIX_FOLDED:
		*ends = (struct dal_ends){.lead = op->folded, .folded = true};
		return true;
	case DAL_OPERATOR_SUFFIX_FOLDED:
		*ends = (struct dal_ends){.tail = op->folded, .folded = true};
		return true;
	case DAL_OPERATOR_WILDCARD:
		ends->lead = op->wildcard.pieces[0];
		ends->tail = op->wildcard.pieces[op->wildcard.count - 1];
		return true;
	default:
		return false;
	}
}

/* Its text with a hole for each part that is open; false: it has no such form. */
static bool write_with_holes(const struct dal_operator *op, struct dal_buffer *out)
{
	switch (op->kind) {
	case DAL_OPERATOR_PREFIX:
		dal_buffer_slice_append(out, op->text);
		dal_buffer_byte(out, HOLE);
		return true;
	case DAL_OPERATOR_SUFFIX:
		dal_buffer_byte(out, HOLE);
		dal_buffer_slice_append(out, op->text);
		return true;
	case DAL_OPERATOR_WILDCARD:
		for (uint32_t i = 0; i < op->wildcard.count; i++) {
			if (i > 0) {
				dal_buffer_byte(out, HOLE);
			}
			dal_buffer_slice_append(out, op->wildcard.pieces[i]);
		}
		return true;
	default:
		return false;
	}
}

/* `wide` can find a hole only where it takes any text: if it finds the text with holes, it finds
 * each text that the holes may stand for. */
static bool finds_with_holes(const struct dal_operator *wide, const struct dal_operator *narrow)
{
	struct dal_buffer text = {0};
	bool finds = false;
	if (write_with_holes(narrow, &text)) {
		struct dal_scalar scalar = {.kind = DAL_JSON_STRING,
					    .text = dal_buffer_slice(&text)};
		finds = dal_operator_holds(wide, &scalar);
	}
	dal_buffer_deinit(&text);
	return finds;
}

static bool starts(struct dal_slice text, struct dal_slice with)
{
	return text.size >= with.size && memcmp(text.data, with.data, with.size) == 0;
}

static bool ends(struct dal_slice text, struct dal_slice with)
{
	return text.size >= with.size &&
	       memcmp(text.data + text.size - with.size, with.data, with.size) == 0;
}

static bool within_folded(const struct dal_operator *narrow, const struct dal_operator *wide)
{
	struct dal_ends found;
	if (!dal_operator_ends(narrow, &found)) {
		return false;
	}
	switch (wide->kind) {
	case DAL_OPERATOR_FOLDED:
		return narrow->kind == DAL_OPERATOR_FOLDED &&
		       dal_slice_equal(narrow->folded, wide->folded);
	case DAL_OPERATOR_PREFIX_FOLDED:
		return found.folded ? starts(found.lead, wide->folded)
				    : dal_casefold_starts(found.lead, wide->folded);
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return found.folded ? ends(found.tail, wide->folded)
				    : dal_casefold_ends(found.tail, wide->folded);
	default:
		return false;
	}
}

static bool range_within(const struct dal_range *narrow, const struct dal_range *wide)
{
	if (wide->has_lower) {
		int order = narrow->has_lower ? dal_number_compare(&narrow->lower, &wide->lower)
					      : -1;
		if (order < 0 || (order == 0 && wide->lower_open && !narrow->lower_open)) {
			return false;
		}
	}
	if (wide->has_upper) {
		int order = narrow->has_upper ? dal_number_compare(&narrow->upper, &wide->upper)
					      : 1;
		if (order > 0 || (order == 0 && wide->upper_open && !narrow->upper_open)) {
			return false;
		}
	}
	return true;
}

static bool block_within(const struct dal_block *narrow, const struct dal_block *wide)
{
	return narrow->version_6 == wide->version_6 && narrow->bits >= wide->bits &&
	       dal_block_holds(wide, narrow);
}

/* What the one excludes the other must exclude, or never hold for. */
static bool within_anything_but(const struct dal_operator *narrow,
				const struct dal_excluded *excluded, uint64_t *steps)
{
	for (uint32_t i = 0; i < excluded->count; i++) {
		if (!dal_operator_apart(narrow, &excluded->operators[i], steps)) {
			return false;
		}
	}
	return true;
}

bool dal_operator_within(const struct dal_operator *narrow, const struct dal_operator *wide,
			 uint64_t *steps)
{
	struct dal_scalar scalar;
	int kinds = kinds_of(narrow);

	if (kinds == 0 || (kinds & ~kinds_of(wide)) || !pay_for(narrow, wide, steps)) {
		return false;
	}
	if (point_of(narrow, &scalar)) {
		return dal_operator_holds(wide, &scalar);
	}
	switch (wide->kind) {
	case DAL_OPERATOR_EXISTS:
		return true;
	case DAL_OPERATOR_ANYTHING_BUT:
		return within_anything_but(narrow, &wide->excluded, steps);
	case DAL_OPERATOR_STRING:
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_WILDCARD:
		return finds_with_holes(wide, narrow);
	case DAL_OPERATOR_RANGE:
		return range_within(narrow->range, wide->range);
	case DAL_OPERATOR_REGEXP:
		return narrow->kind == wide->kind && dal_slice_equal(narrow->text, wide->text);
	case DAL_OPERATOR_CIDR:
		return narrow->kind == wide->kind && block_within(narrow->block, wide->block);
	case DAL_OPERATOR_BEFORE:
		return narrow->kind == wide->kind &&
		       dal_instant_compare(narrow->instant, wide->instant) <= 0;
	case DAL_OPERATOR_AFTER:
		return narrow->kind == wide->kind &&
		       dal_instant_compare(narrow->instant, wide->instant) >= 0;
	default:
		return within_folded(narrow, wide);
	}
}

/* Do two texts differ within the size of the shorter one, from the begin or from the end? */
static bool differ(struct dal_ends a, struct dal_ends b)
{
	size_t lead = a.lead.size < b.lead.size ? a.lead.size : b.lead.size;
	size_t tail = a.tail.size < b.tail.size ? a.tail.size : b.tail.size;
	return (lead > 0 && memcmp(a.lead.data, b.lead.data, lead) != 0) ||
	       (tail > 0 && memcmp(a.tail.data + a.tail.size - tail,
				   b.tail.data + b.tail.size - tail, tail) != 0);
}

static bool ends_apart(struct dal_ends a, struct dal_ends b)
{
	if (a.folded == b.folded) {
		return differ(a, b);
	}
	struct dal_ends plain = a.folded ? b : a, folded = a.folded ? a : b;
	struct dal_buffer lead = {0}, tail = {0};
	dal_casefold_append(&lead, plain.lead);
	dal_casefold_append(&tail, plain.tail);
	bool apart = differ(
		(struct dal_ends){dal_buffer_slice(&lead), dal_buffer_slice(&tail), true}, folded);
	dal_buffer_deinit(&lead);
	dal_buffer_deinit(&tail);
	return apart;
}

static bool range_below(const struct dal_range *a, const struct dal_range *b)
{
	if (!a->has_upper || !b->has_lower) {
		return false;
	}
	int order = dal_number_compare(&a->upper, &b->lower);
	return order < 0 || (order == 0 && (a->upper_open || b->lower_open));
}

/* Does what is excluded hold for all that `op` holds for? */
static bool is_excluded(const struct dal_operator *op, const struct dal_operator *anything_but,
			uint64_t *steps)
{
	const struct dal_excluded *excluded = &anything_but->excluded;
	if (anything_but->kind != DAL_OPERATOR_ANYTHING_BUT ||
	    op->kind == DAL_OPERATOR_ANYTHING_BUT) {
		return false;
	}
	for (uint32_t i = 0; i < excluded->count; i++) {
		if (dal_operator_within(op, &excluded->operators[i], steps)) {
			return true;
		}
	}
	return false;
}

static bool is_pair(const struct dal_operator *a, const struct dal_operator *b,
		    enum dal_operator_kind kind_a, enum dal_operator_kind kind_b)
{
	return a->kind == kind_a && b->kind == kind_b;
}

bool dal_operator_apart(const struct dal_operator *a, const struct dal_operator *b, uint64_t *steps)
{
	struct dal_scalar scalar;
	struct dal_ends ends_a, ends_b;

	if (!kinds_of(a) || !kinds_of(b) || !pay_for(a, b, steps)) {
		return false;
	}
	if (!(kinds_of(a) & kinds_of(b)) || is_excluded(a, b, steps) || is_excluded(b, a, steps)) {
		return true;
	}
	if (point_of(a, &scalar)) {
		return !dal_operator_holds(b, &scalar);
	}
	if (point_of(b, &scalar)) {
		return !dal_operator_holds(a, &scalar);
	}
	if (dal_operator_ends(a, &ends_a) && dal_operator_ends(b, &ends_b)) {
		return ends_apart(ends_a, ends_b);
	}
	if (is_pair(a, b, DAL_OPERATOR_RANGE, DAL_OPERATOR_RANGE)) {
		return range_below(a->range, b->range) || range_below(b->range, a->range);
	}
	if (is_pair(a, b, DAL_OPERATOR_CIDR, DAL_OPERATOR_CIDR)) {
		return !block_within(a->block, b->block) && !block_within(b->block, a->block);
	}
	if (is_pair(a, b, DAL_OPERATOR_AFTER, DAL_OPERATOR_BEFORE)) {
		return dal_instant_compare(b->instant, a->instant) <= 0;
	}
	return is_pair(a, b, DAL_OPERATOR_BEFORE, DAL_OPERATOR_AFTER) &&
	       dal_instant_compare(a->instant, b->instant) <= 0;
}
