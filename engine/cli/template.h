/*
 * The app that `dalamb init` writes: the files of template/, put into the program by embed.py.
 */
#ifndef DAL_CLI_TEMPLATE_H
#define DAL_CLI_TEMPLATE_H

struct dal_template_file {
	const char *path; /* "rules/visits.lua"; "gitignore" and "luarc.json" get a dot in front */
	const char *text;
};

extern const struct dal_template_file dal_template_files[]; /* ends with a NULL path */

#endif
