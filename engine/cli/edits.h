/*
 * Waits for a change of an app's files: dalamb.lua, and what lies in rules, lib, tests, functions.
 * By inotify(7). Main thread.
 */
#ifndef DAL_CLI_EDITS_H
#define DAL_CLI_EDITS_H

#include "engine/base/slice.h"

struct dal_edits {
	int fd;
	int folders[5]; /* watch descriptors, as `names` in edits.c */
	char *app;
};

/* 0 or a negated errno. From now on nothing is missed. */
int dal_edits_open(struct dal_edits *edits, const char *app);
void dal_edits_close(struct dal_edits *edits);
/* Until something has changed, and no more does for a moment: an editor writes several files. Names
 * it ("rules/orders.lua"). 0 or a negated errno. */
int dal_edits_wait(struct dal_edits *edits, struct dal_buffer *name);

#endif
