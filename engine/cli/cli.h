/*
 * The command line: one file a command, a table in main.c, and what commands share.
 *
 * Exit statuses: 0 done; 1 "no" (nothing matched, a test failed, a rule is invalid); 2 usage;
 * 3 could not reach or open. Errors go to stderr and say what, where, and what to try.
 */
#ifndef DAL_CLI_CLI_H
#define DAL_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

enum { DAL_EXIT_DONE = 0, DAL_EXIT_NO = 1, DAL_EXIT_USAGE = 2, DAL_EXIT_UNREACHABLE = 3 };

/* An option of a command: --name VALUE or --name=VALUE, or a flag. */
struct dal_option {
	const char *name;     /* without dashes */
	const char *argument; /* what to call its value in the help; NULL: a flag */
	const char *help;
	const char **value; /* gets the text; of a flag "" */
};

struct dal_command {
	const char *name;
	const char *arguments; /* "[APP]" */
	const char *summary;   /* one line, for `dalamb --help` */
	const char *example;   /* lines for its own --help */
	/* argv[0] is the command's name. */
	int (*run)(const struct dal_command *command, int argc, char **argv);
};

extern const struct dal_command dal_command_check, dal_command_dead, dal_command_emit,
	dal_command_explain, dal_command_init, dal_command_match, dal_command_query,
	dal_command_reload, dal_command_replay, dal_command_run, dal_command_status,
	dal_command_tail, dal_command_test, dal_command_token;

/*
 * Takes the options out of argv; what is left are *argc words from argv[1] on. `options` ends with
 * a NULL name; every command has --help, which prints and exits 0. -1 after a message (the command
 * returns DAL_EXIT_USAGE).
 */
int dal_options_parse(const struct dal_command *command, const struct dal_option *options,
		      int *argc, char **argv);
/* "dalamb run: ..." and "try `dalamb run --help`"; returns DAL_EXIT_USAGE. */
int dal_usage(const struct dal_command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --format text (or nothing), --format json. -1 after a message. */
int dal_format_parse(const struct dal_command *command, const char *format, bool *json);
/* A limit or count as text, from 1. -1 after a message. */
int dal_number_parse(const struct dal_command *command, const char *option, const char *text,
		     uint64_t *number);

/* "dalamb emit: ..." on stderr; returns `status`. */
int dal_fail(const struct dal_command *command, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Prints errors as file:line: text; warnings with "warning: " in front. */
void dal_errors_print(const struct dal_errors *errors, const char *kind);

#endif
