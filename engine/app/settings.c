#include "engine/app/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "engine/log/disk.h"

extern char **environ;

static const struct dal_field app_fields[] = {{0}};

const struct dal_declarable dal_app_declarable = {
	.name = "app",
	.named = true,
	.rights = DAL_DECLARE_OPERATOR,
	.fields = app_fields,
	.doc = "The app's name, where it isn't the folder's.",
};

static const char *const log_kinds[] = {"embedded", NULL};

static const struct dal_field log_fields[] = {
	{.name = "kind",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "embedded",
	 .choices = log_kinds,
	 .doc = "Where events are kept."},
	{.name = "topics",
	 .kind = DAL_FIELD_STRINGS,
	 .doc = "Topics beside `events` and `system`."},
	{0},
};

const struct dal_declarable dal_log_declarable = {
	.name = "log",
	.rights = DAL_DECLARE_OPERATOR,
	.fields = log_fields,
	.doc = "The event log.",
};

static const struct dal_field http_fields[] = {
	{.name = "listen",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "127.0.0.1:8080",
	 .doc = "Address and port, \"[::1]:8080\", or \"unix:/path\"."},
	{.name = "dedup",
	 .kind = DAL_FIELD_DURATION,
	 .fallback = "10m",
	 .doc = "How long a repeated event is told from a new one."},
	{.name = "tokens",
	 .kind = DAL_FIELD_STRING,
	 .doc = "The file of tokens; `tokens` in the data folder by default."},
	{0},
};

const struct dal_declarable dal_http_declarable = {
	.name = "http",
	.rights = DAL_DECLARE_OPERATOR,
	.fields = http_fields,
	.doc = "The HTTP listener.",
};

static const struct dal_field limits_fields[] = {
	{.name = "event", .kind = DAL_FIELD_SIZE, .fallback = "1MiB", .doc = "One event."},
	{.name = "body", .kind = DAL_FIELD_SIZE, .fallback = "16MiB", .doc = "A batch of events."},
	{.name = "disk_free",
	 .kind = DAL_FIELD_SIZE,
	 .fallback = "512MB",
	 .doc = "Below this ingress answers 503; at least 64MiB."},
	{.name = "rows",
	 .kind = DAL_FIELD_INTEGER,
	 .fallback = "5000000",
	 .doc = "Undelivered rows of a lane, past which its reading pauses."},
	{.name = "memory", .kind = DAL_FIELD_SIZE, .doc = "All instances of functions together."},
	{.name = "instances",
	 .kind = DAL_FIELD_INTEGER,
	 .fallback = "32",
	 .doc = "Instances of functions at once."},
	{.name = "grace",
	 .kind = DAL_FIELD_DURATION,
	 .fallback = "10s",
	 .doc = "What a running invocation gets at stop."},
	{0},
};

const struct dal_declarable dal_limits_declarable = {
	.name = "limits",
	.rights = DAL_DECLARE_OPERATOR,
	.fields = limits_fields,
	.doc = "Bounds of the engine.",
};

struct sections {
	struct dal_declaration over;
	const struct dal_declaration *written; /* NULL: nowhere, or with mistakes */
	bool invalid;                          /* with mistakes, all reported */
};

/* A table as it was written, or an empty one; with the environment over it, defaults under it. */
static void section(const struct dal_rules *rules, const struct dal_declarable *what,
		    char *const *environment, struct sections *out, struct dal_errors *errors)
{
	const struct dal_declaration *found = NULL;

	for (size_t i = 0; rules && i < dal_rules_declaration_count(rules); i++) {
		if (dal_rules_declaration(rules, i)->what == what) {
			found = dal_rules_declaration(rules, i);
		}
	}
	dal_declaration_init(&out->over, what, "", found ? found->file : "environment",
			     found ? found->line : 0);
	dal_declaration_environment(&out->over, environment, errors);
	dal_declaration_complete(&out->over, errors);
	out->invalid = found && found->invalid;
	out->written = out->invalid ? NULL : found;
}

/* The environment's word, else the file's, else the default. */
static const struct dal_value *value(const struct sections *s, const char *field)
{
	const struct dal_value *value = dal_declaration_get(&s->over, field);

	if (value->written || !s->written) {
		return value;
	}
	return dal_declaration_get(s->written, field);
}

/* What a number may be; in the words that people write. */
struct bound {
	const char *field;
	int64_t least;
	const char *least_text;
	int64_t most; /* 0: any */
	const char *most_text;
};

static void bound_check(const struct sections *s, const struct bound *bound,
			struct dal_errors *errors)
{
	const struct dal_value *v = value(s, bound->field);
	bool over = dal_declaration_get(&s->over, bound->field)->written;
	const char *file = over ? "environment" : s->over.file;
	bool small = v->number < bound->least;

	if (v->set && (small || (bound->most && v->number > bound->most))) {
		dal_errors_add(errors, file, over ? 0 : v->line, "%s.%s must be at %s %s",
			       s->over.what->name, bound->field, small ? "least" : "most",
			       small ? bound->least_text : bound->most_text);
	}
}

static void log_read(const struct sections *s, struct dal_settings *settings)
{
	const struct dal_value *topics = value(s, "topics");

	settings->topics = dal_calloc(topics->count + 1, sizeof(*settings->topics));
	for (size_t i = 0; i < topics->count; i++) {
		settings->topics[i] = dal_strdup(topics->items[i].text);
	}
}

static void topics_check(const struct sections *s, const struct dal_settings *settings,
			 struct dal_errors *errors)
{
	for (const char **topic = settings->topics; *topic; topic++) {
		if (!dal_name_valid(dal_slice_text(*topic))) {
			dal_errors_add(errors, s->over.file, s->over.line,
				       "log.topics: \"%s\" is no name: use a-z, 0-9, '.', '_' and "
				       "'-', 64 at the most",
				       *topic);
		}
	}
}

static const struct bound dedup_bound = {"dedup", 1000, "1ms", 0, NULL};

static void http_read(const struct sections *s, const struct dal_app_options *options,
		      const char *data, struct dal_settings *settings)
{
	const struct dal_value *tokens = value(s, "tokens");

	settings->listen = dal_strdup(options->listen ? options->listen : value(s, "listen")->text);
	settings->dedup_us = value(s, "dedup")->number;
	settings->tokens = tokens->set ? dal_strdup(tokens->text) : dal_asprintf("%s/tokens", data);
	settings->tokens_there = access(settings->tokens, F_OK) == 0;
}

static const struct bound limits_bounds[] = {
	{"event", 1, "1B", DAL_LIMIT_JSON_BYTES, "64MiB"},
	{"body", 1, "1B", 0, NULL},
	{"disk_free", DAL_DISK_MARK_MIN_BYTES, "64MiB", 0, NULL},
	{"rows", 1, "1", 0, NULL},
	{"memory", 1, "1B: leave it out for no bound", 0, NULL},
	{"instances", 1, "1", UINT32_MAX, "4294967295"},
	{"grace", 0, "0", 0, NULL},
};

_Static_assert(DAL_LIMIT_JSON_BYTES == 64 * DAL_MIB && DAL_DISK_MARK_MIN_BYTES == 64 * DAL_MIB,
	       "as the bounds' words say");

static void limits_check(const struct sections *s, struct dal_errors *errors)
{
	for (size_t i = 0; i < sizeof(limits_bounds) / sizeof(limits_bounds[0]); i++) {
		bound_check(s, &limits_bounds[i], errors);
	}
}

static void limits_read(const struct sections *s, struct dal_settings *settings)
{
	const struct dal_value *memory = value(s, "memory");

	settings->event_bytes = (uint64_t)value(s, "event")->number;
	settings->body_bytes = (uint64_t)value(s, "body")->number;
	settings->disk_free_bytes = (uint64_t)value(s, "disk_free")->number;
	settings->rows = (uint64_t)value(s, "rows")->number;
	settings->memory_bytes = memory->set ? (uint64_t)memory->number : 0;
	settings->instances = (uint32_t)value(s, "instances")->number;
	settings->grace_us = value(s, "grace")->number;
}

/* --- topics that rules name --- */

/* A topic that isn't declared has no events: whoever names it means another. */
static void topics_known(const char *const *topics, const char *const *known, size_t count,
			 const char *file, int line, const char *what, struct dal_errors *errors)
{
	for (; *topics; topics++) {
		const char *nearest;
		size_t i = 0;

		while (i < count && strcmp(*topics, known[i]) != 0) {
			i++;
		}
		if (i < count) {
			continue;
		}
		nearest = dal_error_suggest(*topics, known, count);
		dal_errors_add(
			errors, file, line,
			"%s: on: there is no topic \"%s\"%s%s%s (log { topics = { \"%s\" } } "
			"in dalamb.lua declares it)",
			what, *topics, nearest ? ", did you mean \"" : "", nearest ? nearest : "",
			nearest ? "\"?" : "", *topics);
	}
}

static void rules_topics_check(const struct dal_rules *rules, const struct dal_settings *settings,
			       struct dal_errors *errors)
{
	const char **known = NULL;
	size_t count = 0, capacity = 0;

	DAL_GROW(known, count, capacity);
	known[count++] = DAL_TOPIC_EVENTS;
	DAL_GROW(known, count, capacity);
	known[count++] = DAL_TOPIC_SYSTEM;
	for (const char **topic = settings->topics; *topic; topic++) {
		DAL_GROW(known, count, capacity);
		known[count++] = *topic;
	}
	for (size_t i = 0; i < dal_rules_rule_count(rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(rules, i);
		char *what = dal_asprintf("rule \"%s\"", rule->name);

		topics_known(rule->topics, known, count, rule->file, rule->line, what, errors);
		free(what);
	}
	for (size_t i = 0; i < dal_rules_projection_count(rules); i++) {
		const struct dal_projection *p = dal_rules_projection(rules, i);
		char *what = dal_asprintf("projection \"%s\"", p->name);

		topics_known(p->topics, known, count, p->file, p->line, what, errors);
		free(what);
	}
	free(known);
}

bool dal_settings_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
	       strncmp(listen, "localhost:", 10) == 0 || strncmp(listen, "unix:", 5) == 0;
}

void dal_settings_read(const struct dal_rules *rules, const struct dal_app_options *options,
		       const char *data, struct dal_settings *settings, struct dal_errors *errors)
{
	char *const *environment = options->environment ? options->environment : environ;
	struct sections log, http, limits;

	section(rules, &dal_log_declarable, environment, &log, errors);
	section(rules, &dal_http_declarable, environment, &http, errors);
	section(rules, &dal_limits_declarable, environment, &limits, errors);
	log_read(&log, settings);
	topics_check(&log, settings, errors);
	http_read(&http, options, data, settings);
	bound_check(&http, &dedup_bound, errors);
	limits_read(&limits, settings);
	limits_check(&limits, errors);
	if (rules && !log.invalid) {
		rules_topics_check(rules, settings, errors);
	}
	if (!dal_settings_loopback(settings->listen) && !settings->tokens_there &&
	    !options->offline) {
		dal_errors_add(errors, http.over.file, http.over.line,
			       "http.listen: %s can be reached from other machines, and there are "
			       "no tokens: make one with `dalamb token NAME --scope ingest,query`, "
			       "or listen on 127.0.0.1",
			       settings->listen);
	}
	dal_declaration_deinit(&log.over);
	dal_declaration_deinit(&http.over);
	dal_declaration_deinit(&limits.over);
}

void dal_settings_deinit(struct dal_settings *settings)
{
	for (const char **topic = settings->topics; topic && *topic; topic++) {
		free((char *)*topic);
	}
	free(settings->topics);
	free(settings->listen);
	free(settings->tokens);
	*settings = (struct dal_settings){0};
}
