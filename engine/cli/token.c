/* dalamb token: makes a token, prints it once, stores its digest. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/app/app.h"
#include "engine/app/tokens.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/event/json_write.h"

/* The tokens file of a data folder, or the one that an app names. NULL after a message. */
static char *path_find(const struct dal_command *command, const char *folder, const char *data)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;
	char *path = NULL;

	if (data && !folder) {
		return dal_asprintf("%s/tokens", data);
	}
	if (dal_app_load(&(struct dal_app_options){.folder = folder ? folder : ".",
						   .offline = true,
						   .data = data},
			 &app, &errors, NULL) == 0) {
		path = dal_strdup(app->settings.tokens);
		if (dal_folder_make(app->data, 0700) != 0) {
			dal_fail(command, 0, "the data folder %s can't be made", app->data);
			free(path);
			path = NULL;
		}
	}
	dal_errors_print(&errors, "");
	dal_errors_deinit(&errors);
	dal_app_free(app);
	return path;
}

static void print(const char *name, const char *path, struct dal_buffer *token, bool json)
{
	struct dal_buffer out = {0};
	struct dal_json_writer w = {.out = &out};

	if (!json) {
		printf("%s\n", dal_buffer_cstr(token));
		fprintf(stderr,
			"This is the only time it is shown; %s keeps its digest. A running engine "
			"knows it after a restart.\n",
			path);
		return;
	}
	dal_json_begin_object(&w);
	dal_json_key(&w, "name");
	dal_json_put_text(&w, name);
	dal_json_key(&w, "token");
	dal_json_put_slice(&w, dal_buffer_slice(token));
	dal_json_key(&w, "file");
	dal_json_put_text(&w, path);
	dal_json_end_object(&w);
	printf("%s\n", dal_buffer_cstr(&out));
	dal_buffer_deinit(&out);
}

static int make(const struct dal_command *command, const char *name, const char *scope,
		const char *path, bool json)
{
	struct dal_buffer token = {0};
	struct dal_error error;
	int r = dal_tokens_make(path, name, scope, &token, &error);

	if (r == 0) {
		print(name, path, &token, json);
	} else {
		dal_fail(command, 0, "%s%s%s", error.file, error.file[0] ? ": " : "", error.text);
	}
	dal_buffer_deinit(&token);
	return r == 0 ? DAL_EXIT_DONE : r == -EINVAL ? DAL_EXIT_USAGE : DAL_EXIT_UNREACHABLE;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *scope = NULL, *data = NULL, *format = NULL;
	struct dal_option options[] = {
		{"scope", "SCOPES", "what it allows: ingest, query, invoke, admin, with commas",
		 &scope},
		{"data", "FOLDER", "the data folder, if it is not the app's", &data},
		{"format", "json", "instead of text", &format},
		{0},
	};
	char *path;
	bool json;
	int status;

	if (dal_options_parse(command, options, &argc, argv) < 0 ||
	    dal_format_parse(command, format, &json) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc < 2 || argc > 3) {
		return dal_usage(command, "a token needs a name");
	}
	if (!scope) {
		return dal_usage(command, "say what it allows: --scope ingest,query");
	}
	if (data && access(data, W_OK) != 0) {
		return dal_fail(command, DAL_EXIT_UNREACHABLE,
				"%s: there is no such folder to write to; `dalamb run` makes it",
				data);
	}
	path = path_find(command, argc > 2 ? argv[2] : NULL, data);
	status = path ? make(command, argv[1], scope, path, json) : DAL_EXIT_UNREACHABLE;
	free(path);
	return status;
}

const struct dal_command dal_command_token = {
	.name = "token",
	.arguments = "NAME [APP] --scope SCOPES",
	.summary = "makes a token for an engine's HTTP API, and prints it once",
	.example = "  dalamb token web-shop examples/shop --scope ingest,query\n",
	.run = run,
};
