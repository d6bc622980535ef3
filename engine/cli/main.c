#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/cli.h"

static const struct {
	const char *title;
	const struct dal_command *commands[8]; /* ends with NULL */
} groups[] = {
	{"An app", {&dal_command_init, &dal_command_check, &dal_command_test, &dal_command_run}},
	{"Events",
	 {&dal_command_emit, &dal_command_tail, &dal_command_match, &dal_command_explain}},
	{"State and history", {&dal_command_query, &dal_command_replay}},
	{"Operations",
	 {&dal_command_status, &dal_command_reload, &dal_command_dead, &dal_command_token}},
};

enum { GROUPS = sizeof(groups) / sizeof(*groups), COMMANDS_MAX = 64 };

/* All of them, in the order of the help; returns how many. */
static size_t commands_list(const struct dal_command *list[COMMANDS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < GROUPS; i++) {
		for (size_t k = 0; groups[i].commands[k]; k++) {
			list[count++] = groups[i].commands[k];
		}
	}
	return count;
}

static void help_print(FILE *to)
{
	fprintf(to, "dalamb: events in, rules in Lua, projections, functions in any language\n\n"
		    "usage: dalamb COMMAND [options]\n");
	for (size_t i = 0; i < GROUPS; i++) {
		fprintf(to, "\n%s\n", groups[i].title);
		for (size_t k = 0; groups[i].commands[k]; k++) {
			const struct dal_command *command = groups[i].commands[k];
			fprintf(to, "  %-8s  %s\n", command->name, command->summary);
		}
	}
	fprintf(to,
		"\n`dalamb COMMAND --help` says more, with an example. Commands that ask a running "
		"engine\nuse --url or DALAMB_URL, and DALAMB_TOKEN. Exit status: 0 done, 1 no, "
		"2 usage,\n3 could not reach or open.\n");
}

static int unknown(const char *word)
{
	const struct dal_command *list[COMMANDS_MAX];
	const char *names[COMMANDS_MAX];
	const char *near;
	size_t count = commands_list(list);

	for (size_t i = 0; i < count; i++) {
		names[i] = list[i]->name;
	}
	near = dal_error_suggest(word, names, count);
	fprintf(stderr, "dalamb: there is no command %s%s%s%s; `dalamb --help` lists them\n", word,
		near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
	return DAL_EXIT_USAGE;
}

/* What could not be printed was not done. */
static int finish(const struct dal_command *command, int status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		return dal_fail(command, status == DAL_EXIT_DONE ? DAL_EXIT_UNREACHABLE : status,
				"the output can't be written: %s", strerror(errno));
	}
	return status;
}

int main(int argc, char **argv)
{
	static char help[] = "--help";
	const struct dal_command *list[COMMANDS_MAX];
	size_t count;

	if (argc < 2) {
		help_print(stderr);
		return DAL_EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 && argc > 2) { /* dalamb help emit */
		argv[1] = argv[2];
		argv[2] = help;
		argc = 3;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		help_print(stdout);
		return DAL_EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("dalamb %s\n", DAL_VERSION);
		return DAL_EXIT_DONE;
	}
	count = commands_list(list);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(argv[1], list[i]->name) == 0) {
			return finish(list[i], list[i]->run(list[i], argc - 1, argv + 1));
		}
	}
	return unknown(argv[1]);
}
