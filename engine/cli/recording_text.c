#include "engine/cli/recording_text.h"

#include <string.h>

#include "engine/base/clock.h"
#include "engine/cli/lua_text.h"
#include "engine/cli/print.h"

enum { INSIDE_EVENTS = 8, INSIDE_BYTES = 6000 };

struct writing {
	const struct dal_trial *trial;
	const struct dal_recorded *events;
	struct dal_json *json;
	struct dal_buffer *out;
};

/* --- events --- */

/* A topic that a bare event isn't given. */
static bool is_elsewhere(const struct dal_log_record *record, struct dal_slice type)
{
	return !dal_slice_is(record->place.topic, dal_slice_starts(type, "dalamb.")
							  ? DAL_TOPIC_SYSTEM
							  : DAL_TOPIC_EVENTS);
}

static bool fits_inside(struct writing *w)
{
	size_t bytes = 0;

	for (size_t i = 0; i < w->events->count; i++) {
		struct dal_slice event = w->events->records[i].event;
		bytes += event.size;
		if (dal_json_parse(w->json, event, DAL_JSON_TRUSTED, NULL) != 0 ||
		    !dal_lua_is_exact(w->json, DAL_JSON_ROOT)) {
			return false;
		}
	}
	return w->events->count <= INSIDE_EVENTS && bytes <= INSIDE_BYTES;
}

static void put_events(struct writing *w)
{
	dal_buffer_text(w->out, "\tevents = {\n");
	for (size_t i = 0; i < w->events->count; i++) {
		const struct dal_log_record *record = &w->events->records[i];
		bool wrapped;

		dal_json_parse(w->json, record->event, DAL_JSON_TRUSTED, NULL);
		wrapped = is_elsewhere(record, dal_member_text(w->json, DAL_JSON_ROOT, "type"));
		dal_buffer_text(w->out, "\t\t");
		if (wrapped) {
			dal_buffer_text(w->out, "{ position = \"");
			dal_place_format(&record->place, w->out);
			dal_buffer_text(w->out, "\", event = ");
		}
		dal_lua_put(w->out, w->json, DAL_JSON_ROOT, 2, "specversion");
		dal_buffer_text(w->out, wrapped ? " },\n" : ",\n");
	}
	dal_buffer_text(w->out, "\t},\n");
}

static void put_lines(const struct dal_recorded *events, struct dal_buffer *out)
{
	for (size_t i = 0; i < events->count; i++) {
		dal_recorded_put(&events->records[i], out);
		dal_buffer_byte(out, '\n');
	}
}

/* --- entries --- */

static void put_json(struct writing *w, struct dal_slice json, int depth, const char *but)
{
	if (dal_json_parse(w->json, json, DAL_JSON_TRUSTED, NULL) == 0) {
		dal_lua_put(w->out, w->json, DAL_JSON_ROOT, depth, but);
	}
}

/* view("totals", "c1", { ... }), without a value: there is none. */
static void put_view(struct writing *w, const struct dal_touched *touched, struct dal_slice json)
{
	const struct dal_rules *rules = w->trial->app->rules;

	dal_buffer_text(w->out, "\t\tview(");
	dal_lua_put_string(w->out,
			   dal_slice_text(dal_rules_projection(rules, touched->projection)->name));
	dal_buffer_text(w->out, ", ");
	dal_lua_put_string(w->out, dal_slice(touched->key, touched->key_size));
	if (json.size > 0) {
		dal_buffer_text(w->out, ", ");
		put_json(w, json, 2, NULL);
	}
	dal_buffer_text(w->out, "),\n");
}

static void put_given(struct writing *w)
{
	bool any = false;

	for (size_t i = 0; i < w->trial->touched_count; i++) {
		const struct dal_touched *touched = &w->trial->touched[i];
		if (touched->json_size > 0) {
			dal_buffer_text(w->out, any ? "" : "\tgiven = {\n");
			put_view(w, touched, dal_slice(touched->json, touched->json_size));
			any = true;
		}
	}
	dal_buffer_text(w->out, any ? "\t},\n" : "");
}

static void put_changed(struct writing *w)
{
	const struct dal_rules *rules = w->trial->app->rules;

	for (size_t i = 0; i < w->trial->touched_count; i++) {
		const struct dal_touched *touched = &w->trial->touched[i];
		struct dal_slice now = dal_trial_entry(
			w->trial, dal_rules_projection(rules, touched->projection)->name,
			touched->key);
		if (!dal_slice_equal(now, dal_slice(touched->json, touched->json_size))) {
			put_view(w, touched, now);
		}
	}
}

/* --- effects --- */

static void put_word(struct writing *w, const char *word, const char *name)
{
	dal_buffer_printf(w->out, "\t\t%s(", word);
	dal_lua_put_string(w->out, dal_slice_text(name));
}

static const struct dal_target *target_of(const struct dal_trial *trial, const char *function)
{
	for (size_t i = 0; i < trial->app->target_count; i++) {
		if (strcmp(trial->app->targets[i].name, function) == 0) {
			return &trial->app->targets[i];
		}
	}
	return NULL;
}

/* A payload made by a function is told; else it is the event, of which the id says enough. */
static void put_call(struct writing *w, const struct dal_effect *effect)
{
	const struct dal_target *target = target_of(w->trial, effect->name);
	struct dal_slice payload = dal_slice_text(effect->json);

	put_word(w, "call", effect->name);
	if (target && target->input == DAL_TARGET_LUA) {
		dal_buffer_text(w->out, ", ");
		put_json(w, payload, 2, NULL);
	} else if (target && target->input == DAL_TARGET_EVENT && w->events->count > 1 &&
		   dal_json_parse(w->json, payload, DAL_JSON_TRUSTED, NULL) == 0) {
		dal_buffer_text(w->out, ", { id = ");
		dal_lua_put_string(w->out, dal_member_text(w->json, DAL_JSON_ROOT, "id"));
		dal_buffer_text(w->out, " }");
	}
	dal_buffer_text(w->out, "),\n");
}

static void put_emit(struct writing *w, const struct dal_effect *effect)
{
	put_word(w, "emit", effect->name);
	dal_buffer_text(w->out, ", ");
	put_json(w, dal_slice_text(effect->json), 2, "type");
	dal_buffer_text(w->out, "),\n");
}

/* Did the rule do more with the event than match it? */
static bool acted(const struct dal_trial *trial, const struct dal_effect *match)
{
	for (size_t i = 0; i < trial->count; i++) {
		const struct dal_effect *effect = &trial->effects[i];
		if (effect->kind != DAL_EFFECT_MATCH && effect->event == match->event &&
		    strcmp(effect->rule, match->rule) == 0) {
			return true;
		}
	}
	return false;
}

static void put_effects(struct writing *w)
{
	bool called = false, emitted = false;

	for (size_t i = 0; i < w->trial->count; i++) {
		const struct dal_effect *effect = &w->trial->effects[i];
		called = called || effect->kind == DAL_EFFECT_CALL;
		emitted = emitted || effect->kind == DAL_EFFECT_EMIT;
		if (effect->kind == DAL_EFFECT_CALL) {
			put_call(w, effect);
		} else if (effect->kind == DAL_EFFECT_EMIT) {
			put_emit(w, effect);
		} else if (effect->kind == DAL_EFFECT_FAIL) {
			put_word(w, "failure", effect->rule);
			dal_buffer_text(w->out, "),\n");
		} else if (effect->passed && !acted(w->trial, effect)) {
			put_word(w, "match", effect->rule);
			dal_buffer_text(w->out, "),\n");
		}
	}
	dal_buffer_text(w->out, called ? "" : "\t\tno_call(),\n");
	dal_buffer_text(w->out, emitted ? "" : "\t\tno_emit(),\n");
}

/* --- the whole --- */

bool dal_recording_text(const struct dal_trial *trial, const struct dal_recorded *events,
			const char *name, struct dal_buffer *lua, struct dal_buffer *ndjson)
{
	struct writing w = {trial, events, dal_json_new(), lua};
	bool inside = fits_inside(&w);

	dal_buffer_text(lua, "-- Recorded: what the rules did with these events. Keep of it what "
			     "matters.\ntest ");
	dal_lua_put_string(lua, dal_slice_text(name));
	dal_buffer_text(lua, " {\n");
	put_given(&w);
	if (inside) {
		put_events(&w);
	} else {
		dal_buffer_printf(lua, "\tevents = \"%s.ndjson\",\n", name);
		put_lines(events, ndjson);
	}
	dal_buffer_text(lua, "\texpect = {\n");
	put_effects(&w);
	put_changed(&w);
	dal_buffer_text(lua, "\t},\n}\n");
	dal_json_free(w.json);
	return inside;
}
