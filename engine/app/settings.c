#include "engine/app/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/memory.h"

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
	 .doc = "Below this ingress answers 503."},
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

/* A table as it was written, or an empty one; with the environment over it, defaults under it. */
static void section(const struct dal_rules *rules, const struct dal_declarable *what,
		    char *const *environment, struct dal_declaration *out,
		    const struct dal_declaration **written, struct dal_errors *errors)
{
	const struct dal_declaration *found = NULL;

	for (size_t i = 0; rules && i < dal_rules_declaration_count(rules); i++) {
		if (dal_rules_declaration(rules, i)->what == what) {
			found = dal_rules_declaration(rules, i);
		}
	}
	dal_declaration_init(out, what, "", found ? found->file : "environment",
			     found ? found->line : 0);
	dal_declaration_environment(out, environment, errors);
	dal_declaration_complete(out, errors);
	*written = found && !found->invalid ? found : NULL;
}

/* The environment's word, else the file's, else the default. */
static const struct dal_value *value(const struct dal_declaration *over,
				     const struct dal_declaration *written, const char *field)
{
	const struct dal_value *value = dal_declaration_get(over, field);

	if (value->written || !written) {
		return value;
	}
	return dal_declaration_get(written, field);
}

struct sections {
	struct dal_declaration over;
	const struct dal_declaration *written;
};

static void log_read(const struct sections *s, struct dal_settings *settings)
{
	const struct dal_value *topics = value(&s->over, s->written, "topics");

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

static void http_read(const struct sections *s, const struct dal_app_options *options,
		      const char *data, struct dal_settings *settings)
{
	const struct dal_value *tokens = value(&s->over, s->written, "tokens");

	settings->listen = dal_strdup(
		options->listen ? options->listen : value(&s->over, s->written, "listen")->text);
	settings->dedup_us = value(&s->over, s->written, "dedup")->number;
	settings->tokens = tokens->set ? dal_strdup(tokens->text) : dal_asprintf("%s/tokens", data);
	settings->tokens_there = access(settings->tokens, F_OK) == 0;
}

static void limits_read(const struct sections *s, struct dal_settings *settings)
{
	const struct dal_value *memory = value(&s->over, s->written, "memory");

	settings->event_bytes = (uint64_t)value(&s->over, s->written, "event")->number;
	settings->body_bytes = (uint64_t)value(&s->over, s->written, "body")->number;
	settings->disk_free_bytes = (uint64_t)value(&s->over, s->written, "disk_free")->number;
	settings->rows = (uint64_t)value(&s->over, s->written, "rows")->number;
	settings->memory_bytes = memory->set ? (uint64_t)memory->number : 0;
	settings->instances = (uint32_t)value(&s->over, s->written, "instances")->number;
	settings->grace_us = value(&s->over, s->written, "grace")->number;
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

	section(rules, &dal_log_declarable, environment, &log.over, &log.written, errors);
	section(rules, &dal_http_declarable, environment, &http.over, &http.written, errors);
	section(rules, &dal_limits_declarable, environment, &limits.over, &limits.written, errors);
	log_read(&log, settings);
	topics_check(&log, settings, errors);
	http_read(&http, options, data, settings);
	limits_read(&limits, settings);
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
