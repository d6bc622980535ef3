#include "engine/cli/explained.h"

#include "engine/cli/print.h"

enum { VALUE_BYTES = 200 };

#define INDENT "      "
#define NOT_ASKED "not asked"

static bool has(const struct dal_json *json, uint32_t node, const char *key)
{
	return dal_json_find(json, node, dal_slice_text(key)) != DAL_JSON_NONE;
}

static void print_member(FILE *to, const struct dal_json *json, uint32_t node, const char *key)
{
	dal_print(to, dal_member_text(json, node, key));
}

/* --- the event --- */

static void print_event(FILE *to, const struct dal_json *json)
{
	uint32_t event = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("event"));
	bool stored = has(json, event, "position");

	fputs("event ", to);
	print_member(to, json, event, "type");
	if (has(json, event, "subject")) {
		fputs(" of ", to);
		print_member(to, json, event, "subject");
	}
	fputs(stored ? " at " : " in topic ", to);
	print_member(to, json, event, stored ? "position" : "topic");
	fputs("\n\n", to);
}

/* --- a guard --- */

static void print_lines(FILE *to, struct dal_slice text)
{
	struct dal_slice line, rest;

	while (text.size > 0) {
		if (!dal_slice_cut(text, '\n', &line, &rest)) {
			line = text;
			rest = (struct dal_slice){0};
		}
		fputs(INDENT "  ", to);
		dal_print(to, line);
		fputc('\n', to);
		text = rest;
	}
}

static void print_view(FILE *to, const struct dal_json *json, uint32_t view)
{
	struct dal_slice value = dal_member_raw(json, view, "value");

	fputs(INDENT "  it read view(\"", to);
	print_member(to, json, view, "projection");
	fputs("\", \"", to);
	print_member(to, json, view, "key");
	fputs("\"): ", to);
	if (value.size > 0) {
		dal_print_short(to, value, VALUE_BYTES);
	} else if (has(json, view, "bytes")) {
		fprintf(to, "an entry of %lld bytes",
			(long long)dal_member_integer(json, view, "bytes"));
	} else {
		fputs("no entry", to);
	}
	fputc('\n', to);
}

static void print_guard(FILE *to, const struct dal_json *json, uint32_t guard)
{
	struct dal_slice answer = dal_member_text(json, guard, "answer");
	uint32_t views = dal_json_find(json, guard, dal_slice_text("views"));
	bool failed = dal_slice_is(answer, "error");
	bool not_asked = dal_slice_is(answer, NOT_ASKED);

	fprintf(to, INDENT "its guard (when) %s",
		failed                        ? "failed: "
		: not_asked                   ? "was not asked: "
		: dal_slice_is(answer, "yes") ? "says yes, it returned "
					      : "says no, it returned ");
	print_member(to, json, guard, failed || not_asked ? "message" : "returned");
	fputc('\n', to);
	for (uint32_t i = 0; views != DAL_JSON_NONE && i < dal_json_count(json, views); i++) {
		print_view(to, json, dal_json_at(json, views, i));
	}
	print_lines(to, dal_member_text(json, guard, "traceback"));
}

/* --- a miss --- */

/* Most hints go on about the value: "differs in case". */
static bool is_about_it(struct dal_slice hint)
{
	return dal_slice_starts(hint, "is ") || dal_slice_starts(hint, "differs ") ||
	       dal_slice_starts(hint, "lacks ");
}

static void print_miss(FILE *to, const struct dal_json *json, uint32_t node)
{
	struct dal_slice hint = dal_member_text(json, node, "hint");

	fputs(INDENT, to);
	print_member(to, json, node, "field");
	if (dal_member_true(json, node, "missing")) {
		fputs(" is missing", to);
	} else {
		uint32_t found = dal_json_find(json, node, dal_slice_text("found"));
		fputs(" is ", to);
		if (dal_member_true(json, node, "cut")) {
			dal_print_short(to, dal_json_string(json, found), VALUE_BYTES);
		} else {
			dal_print_short(to, dal_json_raw(json, found), VALUE_BYTES);
		}
	}
	fputs(", expected ", to);
	print_member(to, json, node, "expected");
	fputc('\n', to);
	if (hint.size > 0) {
		fprintf(to, INDENT "%s: %s",
			dal_member_true(json, node, "near") ? "near miss" : "note",
			is_about_it(hint) ? "it " : "");
		dal_print(to, hint);
		fputc('\n', to);
	}
}

/* --- the lists --- */

static const char *mark_of(const struct dal_json *json, uint32_t node)
{
	uint32_t guard = dal_json_find(json, node, dal_slice_text("guard"));

	if (dal_slice_is(dal_member_text(json, guard, "answer"), "error")) {
		return "err";
	}
	if (dal_slice_is(dal_member_text(json, guard, "answer"), NOT_ASKED)) {
		return "?  ";
	}
	return dal_member_true(json, node, "passed") ? "yes" : "no ";
}

static void print_one(FILE *to, const struct dal_json *json, uint32_t node, const char *kind)
{
	uint32_t guard = dal_json_find(json, node, dal_slice_text("guard"));
	long long conditions = dal_member_integer(json, node, "conditions");
	long long failed = dal_member_integer(json, node, "failed");

	fprintf(to, "%s %s ", mark_of(json, node), kind);
	print_member(to, json, node, kind);
	fputs(" (", to);
	print_member(to, json, node, "file");
	fprintf(to, ":%lld)", (long long)dal_member_integer(json, node, "line"));
	if (conditions > 1) {
		fprintf(to, ": %lld of %lld conditions fail%s", failed, conditions,
			failed == 1 ? "s" : "");
	}
	fputc('\n', to);
	if (guard != DAL_JSON_NONE) {
		print_guard(to, json, guard);
	} else if (!dal_member_true(json, node, "matched")) {
		print_miss(to, json, node);
	}
}

struct totals {
	long long left, left_matched;
};

static struct totals totals_of(const struct dal_json *json, const char *list, const char *matched)
{
	uint32_t counts = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("counts"));
	uint32_t array = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(list));
	long long shown = array == DAL_JSON_NONE ? 0 : (long long)dal_json_count(json, array);
	long long all_matched = dal_member_integer(json, counts, matched);
	struct totals totals = {.left = dal_member_integer(json, counts, list) - shown,
				.left_matched = all_matched > shown ? all_matched - shown : 0};

	return totals;
}

static void print_list(FILE *to, const struct dal_json *json, const char *list, const char *kind)
{
	uint32_t array = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(list));
	uint32_t count = array == DAL_JSON_NONE ? 0 : dal_json_count(json, array);
	uint32_t node = array + 1;

	for (uint32_t i = 0; i < count; i++, node = dal_json_next(json, node)) {
		print_one(to, json, node, kind);
	}
}

static void print_left(FILE *to, const struct dal_json *json, const char *list, const char *matched)
{
	struct totals totals = totals_of(json, list, matched);

	if (totals.left_matched > 0) {
		fprintf(to, "... and %lld more %s that match", totals.left_matched, list);
		totals.left -= totals.left_matched;
		fputs(totals.left > 0 ? "," : "\n", to);
	}
	if (totals.left > 0) {
		fprintf(to, "%s %lld more %s that came less near\n",
			totals.left_matched > 0 ? "" : "... and", totals.left, list);
	}
}

void dal_explained_print(FILE *to, const struct dal_json *json)
{
	uint32_t guards = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("guards"));
	struct dal_slice note = dal_member_text(json, guards, "note");
	struct dal_slice at = dal_member_text(json, guards, "at");

	at = at.size > 0 ? at : dal_member_raw(json, guards, "at"); /* of several partitions */
	print_event(to, json);
	print_list(to, json, "rules", "rule");
	print_left(to, json, "rules", "rules_matched");
	print_list(to, json, "projections", "projection");
	print_left(to, json, "projections", "projections_matched");
	if (totals_of(json, "rules", "rules_matched").left > 0 ||
	    totals_of(json, "projections", "projections_matched").left > 0) {
		fputs("(--rule NAME explains one of them, --all all)\n", to);
	}
	if (note.size > 0) {
		fputs("\nnote: ", to);
		dal_print(to, note);
		if (at.size > 0) {
			fputs(" (they stand at ", to);
			dal_print(to, at);
			fputc(')', to);
		}
		fputc('\n', to);
	}
}

bool dal_explained_taken(const struct dal_json *json)
{
	uint32_t counts = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("counts"));
	uint32_t guards = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text("guards"));

	/* Of those that are not told no guard was asked, nor of some that are. */
	return dal_member_integer(json, counts, "passed") > 0 ||
	       dal_member_integer(json, guards, "not_asked") > 0 ||
	       totals_of(json, "rules", "rules_matched").left_matched > 0 ||
	       totals_of(json, "projections", "projections_matched").left_matched > 0;
}
