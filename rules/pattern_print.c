/*
 * A pattern in one canonical JSON form: what says the same in another order prints the same.
 */
#include "engine/base/memory.h"
#include "engine/event/json_write.h"
#include "rules/pattern_tree.h"

static int compare_printed(const void *a, const void *b)
{
	const struct dal_buffer *x = a, *y = b;
	return dal_slice_compare(dal_buffer_slice(x), dal_buffer_slice(y));
}

/* Joins the texts, sorted and each once, with commas between `open` and `close`; takes them. */
static void join(struct dal_buffer *texts, size_t count, char open, char close,
		 struct dal_buffer *out)
{
	qsort(texts, count, sizeof(*texts), compare_printed);
	dal_buffer_byte(out, open);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && compare_printed(&texts[i - 1], &texts[i]) == 0) {
			continue;
		}
		if (i > 0) {
			dal_buffer_byte(out, ',');
		}
		dal_buffer_slice_append(out, dal_buffer_slice(&texts[i]));
	}
	dal_buffer_byte(out, close);
	for (size_t i = 0; i < count; i++) {
		dal_buffer_deinit(&texts[i]);
	}
	free(texts);
}

static void print_bound(const char *sign, bool open, const struct dal_number *number, bool more,
			struct dal_buffer *out)
{
	dal_buffer_printf(out, "%s\"%s%s\",", more ? "," : "", sign, open ? "" : "=");
	dal_number_print(number, out);
}

static void print_range(const struct dal_range *range, struct dal_buffer *out)
{
	dal_buffer_text(out, "{\"numeric\":[");
	if (range->has_lower && range->has_upper &&
	    dal_number_compare(&range->lower, &range->upper) == 0) {
		print_bound("", false, &range->lower, false, out);
	} else {
		if (range->has_lower) {
			print_bound(">", range->lower_open, &range->lower, false, out);
		}
		if (range->has_upper) {
			print_bound("<", range->upper_open, &range->upper, range->has_lower, out);
		}
	}
	dal_buffer_text(out, "]}");
}

/* What an operator's string looks like without the operator's name, as inside anything-but. */
static void print_argument(const struct dal_operator *op, struct dal_buffer *out)
{
	bool nested = op->kind == DAL_OPERATOR_PREFIX_FOLDED ||
		      op->kind == DAL_OPERATOR_SUFFIX_FOLDED;
	if (op->kind == DAL_OPERATOR_NUMBER) {
		dal_number_print(op->number, out);
		return;
	}
	dal_buffer_text(out, nested ? "{\"equals-ignore-case\":" : "");
	dal_json_append_string(out, op->text);
	dal_buffer_text(out, nested ? "}" : "");
}

static const char *operator_name(enum dal_operator_kind kind)
{
	switch (kind) {
	case DAL_OPERATOR_PREFIX:
	case DAL_OPERATOR_PREFIX_FOLDED:
		return "prefix";
	case DAL_OPERATOR_SUFFIX:
	case DAL_OPERATOR_SUFFIX_FOLDED:
		return "suffix";
	case DAL_OPERATOR_FOLDED:
		return "equals-ignore-case";
	case DAL_OPERATOR_WILDCARD:
		return "wildcard";
	case DAL_OPERATOR_REGEXP:
		return "regexp";
	case DAL_OPERATOR_CIDR:
		return "cidr";
	case DAL_OPERATOR_BEFORE:
		return "before";
	case DAL_OPERATOR_AFTER:
		return "after";
	default:
		return NULL; /* a plain value */
	}
}

static void print_excluded(const struct dal_excluded *excluded, struct dal_buffer *out)
{
	const char *name = operator_name(excluded->operators[0].kind);
	dal_buffer_text(out, "{\"anything-but\":");
	if (name) {
		dal_buffer_printf(out, "{\"%s\":", name);
	}
	struct dal_buffer *texts = dal_calloc(excluded->count, sizeof(*texts));
	for (uint32_t i = 0; i < excluded->count; i++) {
		print_argument(&excluded->operators[i], &texts[i]);
	}
	join(texts, excluded->count, '[', ']', out);
	dal_buffer_text(out, name ? "}}" : "}");
}

void dal_operator_print(const struct dal_operator *op, struct dal_buffer *out)
{
	const char *name = operator_name(op->kind);
	switch (op->kind) {
	case DAL_OPERATOR_NULL:
		dal_buffer_text(out, "null");
		break;
	case DAL_OPERATOR_FALSE:
		dal_buffer_text(out, "false");
		break;
	case DAL_OPERATOR_TRUE:
		dal_buffer_text(out, "true");
		break;
	case DAL_OPERATOR_EXISTS:
		dal_buffer_text(out, "{\"exists\":true}");
		break;
	case DAL_OPERATOR_ABSENT:
		dal_buffer_text(out, "{\"exists\":false}");
		break;
	case DAL_OPERATOR_RANGE:
		print_range(op->range, out);
		break;
	case DAL_OPERATOR_ANYTHING_BUT:
		print_excluded(&op->excluded, out);
		break;
	case DAL_OPERATOR_ALL_OF:
		dal_buffer_text(out, "{\"all-of\":");
		dal_buffer_slice_append(out, op->text);
		dal_buffer_byte(out, '}');
		break;
	default:
		if (name) {
			dal_buffer_printf(out, "{\"%s\":", name);
		}
		print_argument(op, out);
		dal_buffer_text(out, name ? "}" : "");
	}
}

static void print_list(const struct dal_pattern_field *leaf, struct dal_buffer *out)
{
	struct dal_buffer *texts = dal_calloc(leaf->operator_count, sizeof(*texts));
	for (uint32_t i = 0; i < leaf->operator_count; i++) {
		dal_operator_print(&leaf->operators[i], &texts[i]);
	}
	join(texts, leaf->operator_count, '[', ']', out);
}

/* An entry that is one operator, be it named twice, stands without a list around it. */
static void print_entry(const struct dal_pattern_field *leaf, struct dal_buffer *out)
{
	struct dal_buffer first = {0}, list = {0};
	dal_operator_print(leaf->operators, &first);
	print_list(leaf, &list);
	bool single = list.size == first.size + sizeof("[]") - 1;
	dal_buffer_slice_append(out, dal_buffer_slice(single ? &first : &list));
	dal_buffer_deinit(&first);
	dal_buffer_deinit(&list);
}

void dal_all_print(const struct dal_all *all, struct dal_buffer *out)
{
	struct dal_buffer *texts = dal_calloc(all->count, sizeof(*texts));
	for (uint32_t i = 0; i < all->count; i++) {
		print_entry(&all->lists[i], &texts[i]);
	}
	join(texts, all->count, '[', ']', out);
}

static void print_object(const struct dal_pattern_object *object, struct dal_buffer *out);

static void print_field(const struct dal_pattern_field *field, struct dal_buffer *out)
{
	dal_json_append_string(out, field->name);
	dal_buffer_byte(out, ':');
	if (!field->operators) {
		print_object(field->object, out);
		return;
	}
	print_list(field, out);
}

static void print_or(const struct dal_pattern_or * or, struct dal_buffer *out)
{
	dal_buffer_text(out, "\"$or\":");
	struct dal_buffer *texts = dal_calloc(or->count, sizeof(*texts));
	for (uint32_t i = 0; i < or->count; i++) {
		print_object(& or->alternatives[i], &texts[i]);
	}
	join(texts, or->count, '[', ']', out);
}

static void print_object(const struct dal_pattern_object *object, struct dal_buffer *out)
{
	size_t count = object->field_count + object->or_count;
	struct dal_buffer *texts = dal_calloc(count, sizeof(*texts));
	for (uint32_t i = 0; i < object->field_count; i++) {
		print_field(&object->fields[i], &texts[i]);
	}
	for (uint32_t i = 0; i < object->or_count; i++) {
		print_or(&object->ors[i], &texts[object->field_count + i]);
	}
	join(texts, count, '{', '}', out);
}

void dal_pattern_print(const struct dal_pattern *pattern, struct dal_buffer *out)
{
	print_object(&pattern->root, out);
}
