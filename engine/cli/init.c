/* dalamb init: a small app that works, to start from. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/app/settings.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/cli/template.h"
#include "rules/annotations.h"

#define ANNOTATIONS "dalamb.d.lua"
#define SERVER "luarc.json" /* of the template; the app's has a dot in front */

/* 1: there is something in it; 0: it is empty or not there. */
static int occupied(const char *path)
{
	struct dirent *entry;
	DIR *folder = opendir(path);
	int r = 0;

	if (!folder) {
		return errno == ENOENT ? 0 : -errno;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			r = 1;
		}
	}
	closedir(folder);
	return r;
}

static bool is_hidden(const char *name)
{
	return strcmp(name, "gitignore") == 0 || strcmp(name, SERVER) == 0;
}

static int file_write(const char *folder, const char *name, struct dal_slice text)
{
	char *path = dal_asprintf("%s/%s%s", folder, is_hidden(name) ? "." : "", name);
	char *slash = strrchr(path, '/');
	int r;

	*slash = '\0';
	r = dal_folder_make(path, 0755);
	*slash = '/';
	if (r == 0) {
		r = dal_file_write(path, text, 0644);
	}
	free(path);
	return r;
}

static int failed(const struct dal_command *command, const char *folder, const char *name, int r)
{
	return dal_fail(command, DAL_EXIT_UNREACHABLE, "%s/%s: %s", folder, name, strerror(-r));
}

/* dalamb.d.lua: what an editor's language server knows of all that rule files may use. */
static int annotations_write(const struct dal_command *command, const char *folder)
{
	struct dal_buffer text = {0};
	int r;

	dal_annotations_write(dal_app_declarables, &text);
	r = file_write(folder, ANNOTATIONS, dal_buffer_slice(&text));
	dal_buffer_deinit(&text);
	return r < 0 ? failed(command, folder, ANNOTATIONS, r) : 0;
}

/* The files of the template; `only`: one of them. */
static int template_write(const struct dal_command *command, const char *folder, const char *only)
{
	for (const struct dal_template_file *file = dal_template_files; file->path; file++) {
		int r = 0;
		if (!only || strcmp(only, file->path) == 0) {
			r = file_write(folder, file->path, dal_slice_text(file->text));
		}
		if (r < 0) {
			return failed(command, folder, file->path, r);
		}
	}
	return 0;
}

static int write_all(const struct dal_command *command, const char *folder)
{
	int r = template_write(command, folder, NULL);

	if (r == 0) {
		r = annotations_write(command, folder);
	}
	if (r != 0) {
		return r;
	}
	printf("%s is an app: a rule, a projection, a function in Python, and tests.\n\n"
	       "  dalamb check %s\n  dalamb test %s\n  dalamb run %s --dev\n\n"
	       "and, in a second terminal:\n\n"
	       "  dalamb emit visit.registered --subject Ada --data '{\"name\": \"Ada\"}'\n"
	       "  dalamb query visits Ada\n",
	       folder, folder, folder, folder);
	return DAL_EXIT_DONE;
}

static bool is_there(const char *folder, const char *name)
{
	char *path = dal_asprintf("%s/%s", folder, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* Into an app that is there. The server's settings are its people's, once they have any. */
static int refresh(const struct dal_command *command, const char *folder)
{
	bool settings = is_there(folder, "." SERVER);
	int r;

	if (!is_there(folder, "dalamb.lua") && !is_there(folder, "rules")) {
		return dal_fail(command, DAL_EXIT_NO,
				"%s is no app: there is neither dalamb.lua nor rules in it; "
				"`dalamb init %s` makes one",
				folder, folder);
	}
	r = annotations_write(command, folder);
	if (r == 0 && !settings) {
		r = template_write(command, folder, SERVER);
	}
	if (r == 0) {
		printf("%s/%s is of this dalamb%s\n", folder, ANNOTATIONS,
		       settings ? "" : "; ." SERVER " tells the Lua language server of it");
	}
	return r;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	const char *annotations = NULL;
	struct dal_option options[] = {
		{"annotations", NULL, "refreshes dalamb.d.lua in an app that is there",
		 &annotations},
		{0},
	};
	int r;

	if (dal_options_parse(command, options, &argc, argv) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc != 2) {
		return dal_usage(command, "name one folder; it is made");
	}
	if (annotations) {
		return refresh(command, argv[1]);
	}
	r = occupied(argv[1]);
	if (r < 0) {
		return dal_fail(command, DAL_EXIT_UNREACHABLE, "%s: %s", argv[1], strerror(-r));
	}
	if (r > 0) {
		return dal_fail(command, DAL_EXIT_NO,
				"%s has something in it already: name a folder that is empty, or "
				"not there yet",
				argv[1]);
	}
	return write_all(command, argv[1]);
}

const struct dal_command dal_command_init = {
	.name = "init",
	.arguments = "FOLDER",
	.summary = "writes a small app that works, to start from",
	.example = "  dalamb init hello\n"
		   "  dalamb init --annotations hello\n\n"
		   "dalamb.d.lua tells an editor (by the Lua language server, LuaLS) all that rule "
		   "files may use:\nit completes names and fields, and warns. Refresh it after an "
		   "upgrade.\n",
	.run = run,
};
