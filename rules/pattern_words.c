/* What a pattern expects of a field, in words. */
#include "engine/event/json_write.h"
#include "rules/pattern_explain.h"

#define EXPECTED_VALUES 8 /* of a list; then only how many more */

static void describe_bound(const char *words, const struct dal_number *number,
			   struct dal_buffer *out)
{
	dal_buffer_text(out, words);
	dal_number_print(number, out);
}

static void describe_range(const struct dal_range *range, struct dal_buffer *out)
{
	dal_buffer_text(out, "a number ");
	if (range->has_lower && range->has_upper &&
	    dal_number_compare(&range->lower, &range->upper) == 0) {
		describe_bound("= ", &range->lower, out);
		return;
	}
	if (range->has_lower) {
		describe_bound(range->lower_open ? "> " : ">= ", &range->lower, out);
	}
	if (range->has_upper) {
		dal_buffer_text(out, range->has_lower ? " and " : "");
		describe_bound(range->upper_open ? "< " : "<= ", &range->upper, out);
	}
}

static void describe_string(const char *words, const struct dal_operator *op,
			    struct dal_buffer *out)
{
	bool folded = op->kind == DAL_OPERATOR_FOLDED || op->kind == DAL_OPERATOR_PREFIX_FOLDED ||
		      op->kind == DAL_OPERATOR_SUFFIX_FOLDED;

	dal_buffer_text(out, words);
	dal_json_append_string(out, op->text);
	dal_buffer_text(out, folded ? " in any case" : "");
}

static void describe_plain(const char *words, const struct dal_operator *op, struct dal_buffer *out)
{
	dal_buffer_text(out, words);
	dal_buffer_slice_append(out, op->text);
}

static void describe(const struct dal_operator *op, struct dal_buffer *out);

static void describe_list(const struct dal_operator *operators, uint32_t count, const char *one_of,
			  const char *join, struct dal_buffer *out)
{
	dal_buffer_text(out, count > 1 ? one_of : "");
	for (uint32_t i = 0; i < count; i++) {
		if (i == EXPECTED_VALUES) {
			dal_buffer_printf(out, "%sone of %u more", join, count - i);
			break;
		}
		dal_buffer_text(out, i > 0 ? join : "");
		describe(&operators[i], out);
	}
}

static void describe_all(const struct dal_all *all, struct dal_buffer *out)
{
	dal_buffer_text(out, "an array that holds ");
	for (uint32_t i = 0; i < all->count; i++) {
		if (i == EXPECTED_VALUES) {
			dal_buffer_printf(out, " and %u more", all->count - i);
			break;
		}
		dal_buffer_text(out, i > 0 ? " and " : "");
		dal_leaf_describe(&all->lists[i], out);
	}
}

static void describe(const struct dal_operator *op, struct dal_buffer *out)
{
	switch (op->kind) {
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
		describe_string("a string that begins with ", op, out);
		break;
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		describe_string("a string that ends with ", op, out);
		break;
	case DAL_OPERATOR_FOLDED:
		describe_string("", op, out);
		break;
	case DAL_OPERATOR_WILDCARD:
		describe_string("a string like ", op, out);
		break;
	case DAL_OPERATOR_REGEXP:
		describe_string("a string that matches the regexp ", op, out);
		break;
	case DAL_OPERATOR_CIDR:
		describe_plain("an address in ", op, out);
		break;
	case DAL_OPERATOR_BEFORE:
		describe_plain("a time before ", op, out);
		break;
	case DAL_OPERATOR_AFTER:
		describe_plain("a time after ", op, out);
		break;
	case DAL_OPERATOR_ALL_OF:
		describe_all(op->all, out);
		break;
	case DAL_OPERATOR_RANGE:
		describe_range(op->range, out);
		break;
	case DAL_OPERATOR_EXISTS:
		dal_buffer_text(out, "any value");
		break;
	case DAL_OPERATOR_ABSENT:
		dal_buffer_text(out, "no such field");
		break;
	case DAL_OPERATOR_ANYTHING_BUT:
		dal_buffer_text(out, "anything but ");
		describe_list(op->excluded.operators, op->excluded.count, "", " or ", out);
		break;
	default:
		dal_operator_print(op, out);
	}
}

static bool is_plain(const struct dal_operator *op)
{
	return op->kind <= DAL_OPERATOR_NUMBER;
}

void dal_leaf_describe(const struct dal_pattern_field *leaf, struct dal_buffer *out)
{
	bool plain = true;

	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		plain = plain && is_plain(&leaf->operators[i]);
	}
	describe_list(leaf->operators, leaf->operator_count, plain ? "one of " : "",
		      plain ? ", " : ", or ", out);
}
