/*
 * The files of an app's folder, read in the order that they are loaded in. Main thread.
 */
#ifndef DAL_APP_FOLDER_H
#define DAL_APP_FOLDER_H

#include "engine/base/error.h"
#include "rules/rules.h"

struct dal_folder {
	struct dal_rules_source *sources; /* names and texts owned */
	size_t count, capacity;
};

/* dalamb.lua, functions/x.lua, lib/x.lua, rules/x.lua and, if asked, tests/x.lua. Unreadable files
 * are reported. */
void dal_folder_read(const char *folder, const char *rules_folder, bool tests,
		     struct dal_folder *files, struct dal_errors *errors);
void dal_folder_deinit(struct dal_folder *files);

#endif
