/* A folder of an app that a test writes, loads, and removes. */
#ifndef DAL_TESTS_APP_FOLDER_H
#define DAL_TESTS_APP_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/app/app.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

static inline int setup(void **own)
{
	const char *parent = getenv("TMPDIR");
	char *folder = dal_asprintf("%s/dal-app-XXXXXX", parent ? parent : "/tmp");

	*own = folder;
	return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static inline int teardown(void **own)
{
	int r = nftw(*own, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*own);
	return r;
}

static inline void write_file(const char *folder, const char *name, const char *text)
{
	char *path = dal_asprintf("%s/%s", folder, name);
	char *slash = strrchr(path, '/');

	*slash = '\0';
	assert_int_equal(dal_folder_make(path, 0755), 0);
	*slash = '/';
	assert_int_equal(dal_file_write(path, dal_slice_text(text), 0644), 0);
	free(path);
}

static inline int load_folder(const char *folder, char *const *environment, struct dal_app **app,
			      struct dal_errors *errors)
{
	return dal_app_load(&(struct dal_app_options){.folder = folder,
						      .environment = environment,
						      .data = "/nowhere"},
			    app, errors, NULL);
}

static inline void expect_error(const char *folder, char *const *environment, const char *file,
				const char *text)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;
	bool found = false;

	assert_int_equal(load_folder(folder, environment, &app, &errors), DAL_APP_INVALID);
	for (size_t i = 0; i < errors.count; i++) {
		found = found || (strstr(errors.items[i].text, text) &&
				  strcmp(errors.items[i].file, file) == 0);
	}
	if (!found) {
		fail_msg("no \"%s\" in %s, but %s: %s", text, file, errors.items[0].file,
			 errors.items[0].text);
	}
	dal_errors_deinit(&errors);
}

static char *const none[] = {NULL};

#endif
