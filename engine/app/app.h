/*
 * An app: the folder of a user's project, read and checked as a whole.
 *
 * Reads the files, gives bytes and field tables to `rules`, applies the environment, resolves
 * secrets, and has each folder check what was declared of it. It starts nothing: that is engine.h.
 * A loaded app is constant; any thread reads it. It is shared by reference count: whoever reads one
 * generation's while another is loaded keeps it until it is done.
 *
 *	r = dal_app_load(&(struct dal_app_options){.folder = "shop"}, &app, &errors, &warnings);
 */
#ifndef DAL_APP_APP_H
#define DAL_APP_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/log/log.h"
#include "engine/stream/evaluator.h"
#include "functions/functions.h"
#include "rules/rules.h"

struct dal_app_options {
	const char *folder;       /* NULL: no folder: an engine without rules, all defaults */
	const char *rules_folder; /* instead of FOLDER/rules and FOLDER/lib (replay with other
				     rules); or NULL */
	bool tests;               /* load tests/ too */
	bool analyse;             /* rules tell what they may emit: for dal_findings */
	bool offline; /* nothing will be run: secrets may lack, programs are not looked for */
	char *const *environment; /* NULL: the process' own */
	const char *data;         /* --data, or NULL: DALAMB_DATA, else FOLDER/data */
	const char *listen;       /* --listen, or NULL */
};

struct dal_settings {
	char *listen;      /* "127.0.0.1:8080" */
	char *tokens;      /* path of the tokens file */
	bool tokens_there; /* it exists and has a token */
	int64_t dedup_us;
	uint64_t event_bytes, body_bytes, disk_free_bytes, memory_bytes, rows;
	uint32_t instances;
	int64_t grace_us;
	/* dal_settings_log (settings.h) gives them to the log. */
	enum dal_log_kind log_kind;
	char *log_path;               /* of the embedded log */
	struct dal_log_topic *topics; /* log.topics, `events` and `system` among them if said */
	size_t topic_count;
	struct dal_log_kafka_options kafka;
};

struct dal_app {
	char *name;
	char *folder; /* absolute, or NULL */
	char *data;   /* absolute */
	struct dal_rules *rules;
	struct dal_function **functions; /* count of them */
	size_t function_count;
	struct dal_target *targets; /* one a function, for the evaluator */
	size_t target_count;
	const struct dal_declaration *github; /* or NULL; secrets resolved */
	char *containers_host;                /* the container engine's address */
	struct dal_settings settings;
	size_t file_count;
	uint64_t number; /* of its generation, as the state counts; set before it runs, else 0 */
	struct dal_app_private *private_;
};

enum { DAL_APP_INVALID = 1 };

/* 0, or DAL_APP_INVALID with every mistake of every file. `warnings` may be NULL. */
int dal_app_load(const struct dal_app_options *options, struct dal_app **app,
		 struct dal_errors *errors, struct dal_errors *warnings);
struct dal_app *dal_app_ref(struct dal_app *app);
void dal_app_free(struct dal_app *app); /* the caller's reference; NULL is fine */
/* Is this the only reference? Then nobody else will ever have one. */
bool dal_app_alone(const struct dal_app *app);

#endif
