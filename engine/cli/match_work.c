/* A worker of dalamb match: the lines of a chunk, parsed, matched, and what is printed of them. */
#include <string.h>

#include "engine/base/limits.h"
#include "engine/cli/match.h"
#include "engine/cli/reason.h"
#include "engine/event/json_write.h"

/* More output of one chunk than this is handed over in parts. */
#define PART_BYTES ((size_t)(4 * DAL_MIB))

static void put_names(const struct dal_match_rules *rules, const uint32_t *ids, size_t count,
		      struct dal_slice event, struct dal_buffer *out)
{
	for (size_t i = 0; i < count; i++) {
		dal_buffer_text(out, i > 0 ? "," : "");
		dal_buffer_text(out, rules->names[ids[i]]);
	}
	dal_buffer_byte(out, '\t');
	dal_buffer_slice_append(out, event);
	dal_buffer_byte(out, '\n');
}

static void put_names_json(const struct dal_match_rules *rules, const uint32_t *ids, size_t count,
			   struct dal_slice event, struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};

	dal_json_begin_object(&w);
	dal_json_key(&w, "names");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < count; i++) {
		dal_json_put_raw(&w, dal_slice_text(rules->quoted[ids[i]]));
	}
	dal_json_end_array(&w);
	dal_json_key(&w, "event");
	dal_json_put_raw(&w, event);
	dal_json_end_object(&w);
	dal_buffer_byte(out, '\n');
}

/* A line: an event that no rule matches, and one rule's reason. */
static void put_reason(const char *file, size_t line, const char *name,
		       const struct dal_reason *reason, struct dal_buffer *out)
{
	dal_buffer_printf(out, "%s:%zu: ", file, line);
	if (name[0]) {
		dal_buffer_printf(out, "%s: ", name);
	}
	dal_reason_print(reason, out);
	dal_buffer_byte(out, '\n');
}

static void put_reason_json(const char *quoted, const struct dal_pattern_miss *miss,
			    struct dal_json_writer *w)
{
	dal_json_begin_object(w);
	if (strcmp(quoted, "\"\"") != 0) {
		dal_json_key(w, "name");
		dal_json_put_raw(w, dal_slice_text(quoted));
	}
	dal_json_key(w, "field");
	dal_json_put_slice(w, dal_buffer_slice(&miss->field));
	if (miss->found.size > 0) {
		dal_json_key(w, "found");
		dal_json_put_raw(w, dal_buffer_slice(&miss->found));
	}
	dal_json_key(w, "expected");
	dal_json_put_slice(w, dal_buffer_slice(&miss->expected));
	if (miss->hint.size > 0) {
		dal_json_key(w, "hint");
		dal_json_put_slice(w, dal_buffer_slice(&miss->hint));
	}
	dal_json_end_object(w);
}

static void put_reasons(struct dal_match_lane *lane, struct dal_match_chunk *chunk, size_t line,
			struct dal_slice event)
{
	const struct dal_match *match = lane->match;
	const struct dal_match_rules *rules = &match->rules;
	struct dal_json_writer w = {.out = &chunk->out};

	if (match->as_json) {
		dal_json_begin_object(&w);
		dal_json_key(&w, "file");
		dal_json_put_text(&w, chunk->file);
		dal_json_key(&w, "line");
		dal_json_put_integer(&w, (int64_t)line);
		dal_json_key(&w, "reasons");
		dal_json_begin_array(&w);
	}
	for (size_t i = 0; i < rules->count; i++) {
		struct dal_reason reason = {.kind = DAL_REASON_FIELD};
		dal_pattern_explain(rules->patterns[i], lane->json, DAL_JSON_ROOT, &reason.miss);
		if (match->as_json) {
			put_reason_json(rules->quoted[i], &reason.miss, &w);
		} else {
			put_reason(chunk->file, line, rules->names[i], &reason, &chunk->out);
		}
		dal_reason_deinit(&reason);
	}
	if (match->as_json) {
		dal_json_end_array(&w);
		dal_json_key(&w, "event");
		dal_json_put_raw(&w, event);
		dal_json_end_object(&w);
		dal_buffer_byte(&chunk->out, '\n');
	}
}

static void put_event(struct dal_match_lane *lane, struct dal_match_chunk *chunk,
		      const uint32_t *ids, size_t count, struct dal_slice event)
{
	const struct dal_match *match = lane->match;

	if (match->print == DAL_MATCH_EVENTS) {
		dal_buffer_slice_append(&chunk->out, event);
		dal_buffer_byte(&chunk->out, '\n');
	} else if (match->print == DAL_MATCH_NAMES && match->as_json) {
		put_names_json(&match->rules, ids, count, event, &chunk->out);
	} else if (match->print == DAL_MATCH_NAMES) {
		put_names(&match->rules, ids, count, event, &chunk->out);
	}
}

/* True if the line is an event. */
static bool parse_line(struct dal_match_lane *lane, struct dal_match_chunk *chunk, size_t number,
		       struct dal_slice line)
{
	struct dal_buffer *messages = &chunk->messages;
	struct dal_json_error error;

	if (line.size > DAL_LIMIT_MATCH_LINE_BYTES) {
		dal_buffer_printf(messages, "%s:%zu: longer than %llu MiB: passed over\n",
				  chunk->file, number,
				  (unsigned long long)(DAL_LIMIT_MATCH_LINE_BYTES / DAL_MIB));
	} else if (dal_json_parse(lane->json, line, DAL_JSON_PADDED, &error) != 0) {
		dal_buffer_printf(messages, "%s:%zu: %s, at byte %zu\n", chunk->file, number,
				  error.reason, error.position + 1);
	} else if (dal_json_kind(lane->json, DAL_JSON_ROOT) != DAL_JSON_OBJECT) {
		dal_buffer_printf(messages, "%s:%zu: an event is a JSON object\n", chunk->file,
				  number);
	} else {
		return true;
	}
	lane->broken++;
	return false;
}

static void match_line(struct dal_match_lane *lane, struct dal_match_chunk *chunk, size_t number,
		       struct dal_slice line)
{
	const struct dal_match *match = lane->match;
	const uint32_t *ids;
	size_t count;

	lane->lines++;
	if (!parse_line(lane, chunk, number, line)) {
		return;
	}
	count = dal_matcher_match(match->rules.matcher, lane->scratch, lane->json, DAL_JSON_ROOT,
				  &ids);
	while (count > 0 && ids[count - 1] >= match->rules.count) {
		count--; /* a pattern of a declaration that is no rule */
	}
	for (size_t i = 0; i < count; i++) {
		lane->hits[ids[i]]++;
	}
	lane->selected += (count > 0) != match->invert;
	if (match->print == DAL_MATCH_REASONS) {
		if (count == 0) {
			put_reasons(lane, chunk, number, line);
		}
	} else if ((count > 0) != match->invert) {
		put_event(lane, chunk, ids, count, line);
	}
}

/* Gives main what there is, and goes on once it is printed. */
static void hand_over_part(struct dal_match_lane *lane, struct dal_match_chunk *chunk)
{
	void *item;

	chunk->done = false;
	DAL_ASSERT(dal_queue_push(lane->done, chunk) == 0);
	while (dal_queue_pop(lane->back, -1, &item) != 0) {
	}
	DAL_ASSERT(item == chunk);
}

static struct dal_slice trim_end(struct dal_slice line)
{
	while (line.size > 0 && strchr("\r \t", line.data[line.size - 1]) &&
	       line.data[line.size - 1] != '\0') {
		line.size--;
	}
	return line;
}

static void match_chunk(struct dal_match_lane *lane, struct dal_match_chunk *chunk)
{
	struct dal_slice rest = dal_buffer_slice(&chunk->text), line;
	size_t number = chunk->first_line;

	if (number == 1 && dal_slice_starts(rest, "\xef\xbb\xbf")) {
		rest = dal_slice(rest.data + 3, rest.size - 3);
	}
	while (rest.size > 0) {
		if (!dal_slice_cut(rest, '\n', &line, &rest)) {
			line = rest;
			rest.size = 0;
		}
		line = trim_end(line);
		if (line.size > 0) {
			match_line(lane, chunk, number, line);
		}
		number++;
		if (chunk->out.size + chunk->messages.size > PART_BYTES) {
			hand_over_part(lane, chunk);
		}
	}
}

void *dal_match_work(void *data)
{
	struct dal_match_lane *lane = data;
	void *item;

	for (;;) {
		if (dal_queue_pop(lane->work, -1, &item) != 0) {
			continue;
		}
		if (!item) {
			return NULL;
		}
		match_chunk(lane, item);
		((struct dal_match_chunk *)item)->done = true;
		DAL_ASSERT(dal_queue_push(lane->done, item) == 0);
	}
}
