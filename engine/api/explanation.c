#include "engine/api/explanation.h"

#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json_write.h"

enum {
	PIECE_BYTES = 64 * DAL_KIB,
	PIECE_US = 20 * 1000, /* that guards take; the last of them may take its 50 ms more */
	PATIENCE_US = 10 * 1000 * 1000, /* while others ask guards */
};

/* Rules, or projections. */
struct list {
	const char *name, *kind;
	uint32_t first;  /* id */
	uint32_t *order; /* ids; `count` of them */
	size_t count, matched, at;
	bool begun;
};

struct dal_explanation {
	struct dal_explanation_options options;
	struct dal_reasons *reasons;
	struct dal_reason reason;
	struct dal_guard_answer answer;
	struct list lists[2];
	size_t list; /* that is being put */
	bool begun;
	size_t asked, not_asked, passed;
	bool holds;                           /* the guards, while a piece is made */
	int64_t begun_us, piece_us, spent_us; /* the latter by guards: of this piece, of all */
	struct dal_json_writer w;
};

/* --- what is told, and in which order --- */

static void list_all(struct dal_explanation *e, struct list *list, size_t count)
{
	list->count = count;
	list->order = dal_calloc(count + 1, sizeof(*list->order));
	list->matched = dal_reasons_rank(e->reasons, list->first, count, list->order);
}

static void list_one(struct dal_explanation *e, struct list *list, long index)
{
	list->order = dal_calloc(1, sizeof(*list->order));
	if (index >= 0) {
		list->count = 1;
		list->order[0] = list->first + (uint32_t)index;
		dal_reasons_find(e->reasons, list->order[0], &e->reason);
		list->matched = e->reason.kind == DAL_REASON_MATCHED;
	}
}

struct dal_explanation *dal_explanation_new(const struct dal_explanation_options *options)
{
	struct dal_explanation *e = dal_calloc(1, sizeof(*e));
	struct dal_rules *rules = options->rules;
	size_t count = dal_rules_rule_count(rules);

	e->options = *options;
	e->options.rules = dal_rules_ref(rules);
	e->options.question.rules = rules;
	e->options.question.event = options->event;
	e->options.question.again = true;
	e->begun_us = dal_clock_monotonic_us();
	e->reasons = dal_reasons_new(rules, options->event);
	e->lists[0] = (struct list){.name = "rules", .kind = "rule"};
	e->lists[1] = (struct list){
		.name = "projections", .kind = "projection", .first = (uint32_t)count};
	if (options->rule.size > 0) {
		list_one(e, &e->lists[0], dal_rules_rule_index(rules, options->rule));
		list_one(e, &e->lists[1], dal_rules_projection_index(rules, options->rule));
	} else {
		list_all(e, &e->lists[0], count);
		list_all(e, &e->lists[1], dal_rules_projection_count(rules));
	}
	return e;
}

void dal_explanation_free(struct dal_explanation *e)
{
	if (e) {
		free(e->lists[0].order);
		free(e->lists[1].order);
		dal_reason_deinit(&e->reason);
		dal_guard_answer_deinit(&e->answer);
		dal_reasons_free(e->reasons);
		dal_rules_unref(e->options.rules);
		free(e);
	}
}

/* --- guards --- */

static void ask_none(struct dal_explanation *e, const char *why)
{
	dal_guard_answer_deinit(&e->answer);
	e->answer = (struct dal_guard_answer){.kind = DAL_GUARD_NOT_ASKED};
	dal_buffer_text(&e->answer.message, why);
	e->not_asked++;
}

static void ask_now(struct dal_explanation *e, uint32_t rule)
{
	struct dal_guard_question *question = &e->options.question;
	int64_t begun_us = dal_clock_monotonic_us(), took_us;

	question->rule = rule;
	dal_guards_ask(e->options.guards, question, &e->answer);
	took_us = dal_clock_monotonic_us() - begun_us;
	e->piece_us += took_us;
	e->spent_us += took_us;
	*(e->answer.kind == DAL_GUARD_NOT_ASKED ? &e->not_asked : &e->asked) += 1;
	if (e->answer.asked_again) {
		question->again = false; /* a machine for each guard would take more than they do */
	}
}

/* False: not now, as others are asking. */
static bool ask(struct dal_explanation *e, uint32_t rule)
{
	bool bounded = e->options.guards_us > 0;

	if (bounded && e->spent_us >= e->options.guards_us) {
		ask_none(e, "the guards before it took all the time there is for one question: "
			    "ask for this rule alone (\"rule\")");
		return true;
	}
	e->holds = e->holds || dal_guards_take(e->options.guards);
	if (e->holds) {
		ask_now(e, rule);
	} else if (bounded && dal_clock_monotonic_us() - e->begun_us > PATIENCE_US) {
		ask_none(e, "guards of other questions take all the time there is: ask again");
	} else {
		return false;
	}
	return true;
}

/* After a slow piece guards rest as long as it took, so that others on these threads have half of
 * them at the least. */
static void leave(struct dal_explanation *e)
{
	if (e->holds) {
		dal_guards_release(e->options.guards,
				   e->options.guards_us > 0 && e->piece_us >= PIECE_US ? e->piece_us
										       : 0);
	}
	e->holds = false;
	e->piece_us = 0;
}

/* --- writing --- */

static void put_text(struct dal_json_writer *w, const char *key, struct dal_slice text)
{
	if (text.size > 0) {
		dal_json_key(w, key);
		dal_json_put_slice(w, text);
	}
}

static void put_count(struct dal_json_writer *w, const char *key, size_t count)
{
	dal_json_key(w, key);
	dal_json_put_integer(w, (int64_t)count);
}

static void put_flag(struct dal_json_writer *w, const char *key, bool flag)
{
	dal_json_key(w, key);
	dal_json_put_boolean(w, flag);
}

static void put_event(struct dal_explanation *e)
{
	const struct dal_event *event = e->options.event;
	struct dal_buffer position = {0};

	dal_json_key(&e->w, "event");
	dal_json_begin_object(&e->w);
	put_text(&e->w, "id", event->id);
	put_text(&e->w, "type", event->type);
	put_text(&e->w, "source", event->source);
	put_text(&e->w, "subject", event->subject);
	put_text(&e->w, "topic", event->place.topic);
	if (e->options.stored) {
		dal_place_format(&event->place, &position);
		put_text(&e->w, "position", dal_buffer_slice(&position));
		dal_buffer_deinit(&position);
	}
	dal_json_end_object(&e->w);
}

/* A value that was cut is no JSON: it is told as text. */
static void put_found(struct dal_json_writer *w, struct dal_slice found)
{
	dal_json_key(w, "found");
	if (found.size == 0) {
		dal_json_put_null(w);
	} else if (found.size > DAL_PATTERN_FOUND_BYTES) {
		dal_json_put_slice(w, found);
		put_flag(w, "cut", true);
	} else {
		dal_json_put_raw(w, found);
	}
}

static void put_miss(struct dal_json_writer *w, const struct dal_pattern_miss *miss)
{
	put_text(w, "field", dal_buffer_slice(&miss->field));
	put_found(w, dal_buffer_slice(&miss->found));
	if (miss->found.size == 0) {
		put_flag(w, "missing", true);
	}
	put_text(w, "expected", dal_buffer_slice(&miss->expected));
	put_text(w, "hint", dal_buffer_slice(&miss->hint));
	if (miss->near) {
		put_flag(w, "near", true);
	}
	put_count(w, "failed", miss->failed);
	put_count(w, "conditions", miss->conditions);
}

static void put_guard(struct dal_explanation *e)
{
	static const char *const words[] = {
		[DAL_GUARD_PASSED] = "yes",
		[DAL_GUARD_REFUSED] = "no",
		[DAL_GUARD_FAILED] = "error",
		[DAL_GUARD_NOT_ASKED] = "not asked",
	};

	dal_json_key(&e->w, "guard");
	dal_json_begin_object(&e->w);
	put_text(&e->w, "answer", dal_slice_text(words[e->answer.kind]));
	put_text(&e->w, "returned", dal_buffer_slice(&e->answer.returned));
	put_text(&e->w, "message", dal_buffer_slice(&e->answer.message));
	put_text(&e->w, "traceback", dal_buffer_slice(&e->answer.trace));
	dal_json_key(&e->w, "views");
	dal_json_begin_array(&e->w);
	if (e->answer.views.size > 0) {
		dal_json_put_raw(&e->w, dal_buffer_slice(&e->answer.views));
	}
	dal_json_end_array(&e->w);
	dal_json_end_object(&e->w);
}

static bool has_guard(const struct dal_explanation *e, uint32_t id)
{
	const struct dal_rules *rules = e->options.rules;

	return id < dal_rules_rule_count(rules) && dal_rules_rule(rules, id)->has_when;
}

static void put_taken(struct dal_explanation *e, uint32_t id)
{
	bool passed = true;

	if (has_guard(e, id)) {
		put_guard(e);
		if (e->answer.kind == DAL_GUARD_NOT_ASKED) {
			return;
		}
		passed = e->answer.kind == DAL_GUARD_PASSED;
	}
	put_flag(&e->w, "passed", passed);
	e->passed += passed;
}

static void put_declaration(struct dal_explanation *e, const struct list *list, uint32_t id)
{
	const struct dal_rules *rules = e->options.rules;
	const char *name, *file;
	int line;

	if (id < dal_rules_rule_count(rules)) {
		const struct dal_rule *rule = dal_rules_rule(rules, id);
		name = rule->name;
		file = rule->file;
		line = rule->line;
	} else {
		const struct dal_projection *projection = dal_rules_projection(rules,
									       id - list->first);
		name = projection->name;
		file = projection->file;
		line = projection->line;
	}
	put_text(&e->w, list->kind, dal_slice_text(name));
	put_text(&e->w, "file", dal_slice_text(file));
	put_count(&e->w, "line", (size_t)line);
}

/* False: its guard can't be asked now. */
static bool put_item(struct dal_explanation *e, struct list *list)
{
	bool matched = list->at < list->matched;
	uint32_t id = list->order[list->at];

	if (matched && has_guard(e, id) && !ask(e, id)) {
		return false;
	}
	list->at++;
	dal_json_begin_object(&e->w);
	put_declaration(e, list, id);
	put_flag(&e->w, "matched", matched);
	if (matched) {
		put_taken(e, id);
	} else {
		dal_reasons_find(e->reasons, id, &e->reason);
		put_miss(&e->w, &e->reason.miss);
	}
	dal_json_end_object(&e->w);
	return true;
}

static void put_counts(struct dal_explanation *e)
{
	const struct list *rules = &e->lists[0], *projections = &e->lists[1];

	dal_json_key(&e->w, "counts");
	dal_json_begin_object(&e->w);
	put_count(&e->w, "rules", rules->count);
	put_count(&e->w, "rules_matched", rules->matched);
	put_count(&e->w, "projections", projections->count);
	put_count(&e->w, "projections_matched", projections->matched);
	put_count(&e->w, "passed", e->passed); /* of those that are told */
	dal_json_end_object(&e->w);
}

static void put_guards(struct dal_explanation *e)
{
	dal_json_key(&e->w, "guards");
	dal_json_begin_object(&e->w);
	put_count(&e->w, "asked", e->asked);
	if (e->not_asked > 0) {
		put_count(&e->w, "not_asked", e->not_asked);
	}
	if (e->options.at.size > 0) {
		dal_json_key(&e->w, "at");
		dal_json_put_raw(&e->w, e->options.at);
	}
	if (e->asked > 0) {
		put_text(&e->w, "note", dal_slice_text(e->options.note));
	}
	dal_json_end_object(&e->w);
}

/* --- in pieces --- */

static bool has_more(const struct dal_explanation *e, const struct list *list)
{
	return list->at < list->count && list->at < e->options.limit;
}

/* True: the list is put whole. `size`: where the piece began. */
static bool put_list(struct dal_explanation *e, struct list *list, size_t size)
{
	if (!list->begun) {
		dal_json_key(&e->w, list->name);
		dal_json_begin_array(&e->w);
		list->begun = true;
	}
	while (has_more(e, list)) {
		if (e->w.out->size - size >= PIECE_BYTES || e->piece_us >= PIECE_US ||
		    !put_item(e, list)) {
			return false;
		}
	}
	dal_json_end_array(&e->w);
	return true;
}

static bool put_piece(struct dal_explanation *e)
{
	size_t size = e->w.out->size;

	if (!e->begun) {
		dal_json_begin_object(&e->w);
		put_event(e);
		e->begun = true;
	}
	for (; e->list < 2; e->list++) {
		if (!put_list(e, &e->lists[e->list], size)) {
			return true;
		}
	}
	put_counts(e);
	put_guards(e);
	dal_json_end_object(&e->w);
	return false;
}

bool dal_explanation_put(struct dal_explanation *e, struct dal_buffer *out)
{
	bool more;

	e->w.out = out;
	more = put_piece(e);
	leave(e);
	return more;
}
