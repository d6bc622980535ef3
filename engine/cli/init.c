/* dalamb init: a small app that works, to start from. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/cli/template.h"

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

static int file_write(const char *folder, const struct dal_template_file *file)
{
	bool hidden = strcmp(file->path, "gitignore") == 0;
	char *path = dal_asprintf("%s/%s%s", folder, hidden ? "." : "", file->path);
	char *slash = strrchr(path, '/');
	int r;

	*slash = '\0';
	r = dal_folder_make(path, 0755);
	*slash = '/';
	if (r == 0) {
		r = dal_file_write(path, dal_slice_text(file->text), 0644);
	}
	free(path);
	return r;
}

static int write_all(const struct dal_command *command, const char *folder)
{
	int r = 0;

	for (size_t i = 0; r == 0 && dal_template_files[i].path; i++) {
		r = file_write(folder, &dal_template_files[i]);
		if (r < 0) {
			return dal_fail(command, DAL_EXIT_UNREACHABLE, "%s/%s: %s", folder,
					dal_template_files[i].path, strerror(-r));
		}
	}
	printf("%s is an app: a rule, a projection, a function in Python, and tests.\n\n"
	       "  dalamb check %s\n  dalamb test %s\n  dalamb run %s --dev\n\n"
	       "and, in a second terminal:\n\n"
	       "  dalamb emit visit.registered --subject Ada --data '{\"name\": \"Ada\"}'\n"
	       "  dalamb query visits Ada\n",
	       folder, folder, folder, folder);
	return DAL_EXIT_DONE;
}

static int run(const struct dal_command *command, int argc, char **argv)
{
	struct dal_option options[] = {{0}};
	int r;

	if (dal_options_parse(command, options, &argc, argv) < 0) {
		return DAL_EXIT_USAGE;
	}
	if (argc != 2) {
		return dal_usage(command, "name one folder; it is made");
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
	.example = "  dalamb init hello\n",
	.run = run,
};
