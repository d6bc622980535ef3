#include "engine/app/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/log_settings.h"
#include "engine/app/section.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
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

/* What a number may be; in the words that people write. */
struct bound {
	const char *field;
	int64_t least;
	const char *least_text;
	int64_t most; /* 0: any */
	const char *most_text;
};

static void bound_check(const struct dal_section *s, const struct bound *bound,
			struct dal_errors *errors)
{
	const struct dal_value *value = dal_section_get(s, bound->field);
	bool small = value->number < bound->least;

	if (value->set && (small || (bound->most && value->number > bound->most))) {
		dal_section_report(s, bound->field, 0, errors, " must be at %s %s",
				   small ? "least" : "most",
				   small ? bound->least_text : bound->most_text);
	}
}

static const struct bound dedup_bound = {"dedup", 1000, "1ms", 0, NULL};

static void http_read(const struct dal_section *s, const struct dal_app_options *options,
		      const char *data, struct dal_settings *settings)
{
	const struct dal_value *tokens = dal_section_get(s, "tokens");

	settings->listen = dal_strdup(options->listen ? options->listen
						      : dal_section_get(s, "listen")->text);
	settings->dedup_us = dal_section_get(s, "dedup")->number;
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

static void limits_check(const struct dal_section *s, struct dal_errors *errors)
{
	for (size_t i = 0; i < sizeof(limits_bounds) / sizeof(limits_bounds[0]); i++) {
		bound_check(s, &limits_bounds[i], errors);
	}
}

static void limits_read(const struct dal_section *s, struct dal_settings *settings)
{
	const struct dal_value *memory = dal_section_get(s, "memory");

	settings->event_bytes = (uint64_t)dal_section_get(s, "event")->number;
	settings->body_bytes = (uint64_t)dal_section_get(s, "body")->number;
	settings->disk_free_bytes = (uint64_t)dal_section_get(s, "disk_free")->number;
	settings->rows = (uint64_t)dal_section_get(s, "rows")->number;
	settings->memory_bytes = memory->set ? (uint64_t)memory->number : 0;
	settings->instances = (uint32_t)dal_section_get(s, "instances")->number;
	settings->grace_us = dal_section_get(s, "grace")->number;
}

bool dal_settings_loopback(const char *listen)
{
	return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "[::1]:", 6) == 0 ||
	       strncmp(listen, "localhost:", 10) == 0 || strncmp(listen, "unix:", 5) == 0;
}

/* Whoever reaches it from another machine must show a token. */
static void listen_check(const struct dal_section *http, const struct dal_settings *settings,
			 struct dal_errors *errors)
{
	if (!dal_settings_loopback(settings->listen) && !settings->tokens_there) {
		dal_section_report(
			http, "listen", 0, errors,
			": %s can be reached from other machines, and there are no tokens: make "
			"one with `dalamb token NAME --scope ingest,query`, or listen on 127.0.0.1",
			settings->listen);
	}
}

void dal_settings_read(struct dal_app *app, const struct dal_app_options *options,
		       struct dal_errors *errors)
{
	char *const *environment = options->environment ? options->environment : environ;
	struct dal_settings *settings = &app->settings;
	struct dal_section http, limits;

	dal_log_settings_read(app, options, environment, errors);
	dal_section_init(&http, app->rules, &dal_http_declarable, environment, errors);
	http_read(&http, options, app->data, settings);
	bound_check(&http, &dedup_bound, errors);
	if (!options->offline) {
		listen_check(&http, settings, errors);
	}
	dal_section_deinit(&http);
	dal_section_init(&limits, app->rules, &dal_limits_declarable, environment, errors);
	limits_read(&limits, settings);
	limits_check(&limits, errors);
	dal_section_deinit(&limits);
}

void dal_settings_deinit(struct dal_settings *settings)
{
	dal_log_settings_deinit(settings);
	free(settings->listen);
	free(settings->tokens);
	*settings = (struct dal_settings){0};
}
