/*
 * Waits for a change of an app's files: dalamb.lua, and what lies in rules, lib, tests, functions.
 * By inotify(7). Main thread.
 */
#ifndef DAL_CLI_CHANGES_H
#define DAL_CLI_CHANGES_H

#include "engine/base/slice.h"

struct dal_changes {
	int fd;
	int folders[5]; /* watch descriptors, as `names` in changes.c */
	char *app;
};

/* 0 or a negated errno. From now on nothing is missed. */
int dal_changes_open(struct dal_changes *changes, const char *app);
void dal_changes_close(struct dal_changes *changes);
/* Until something has changed, and no more does for a moment: an editor writes several files. Names
 * it ("rules/orders.lua"). 0 or a negated errno. */
int dal_changes_wait(struct dal_changes *changes, struct dal_buffer *name);

#endif
