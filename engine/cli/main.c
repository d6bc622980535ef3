#include <stdio.h>
#include <string.h>

#include "engine/cli/cli.h"

static const struct dal_command *const commands[] = {
	&dal_command_run,
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

static void help_print(FILE *to)
{
	fprintf(to, "dalamb: events in, rules in Lua, projections, functions in any language\n\n"
		    "usage: dalamb COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	}
	fprintf(to, "\n`dalamb COMMAND --help` says more, with an example.\n");
}

static int unknown(const char *word)
{
	const char *names[COMMANDS];
	const char *near;

	for (size_t i = 0; i < COMMANDS; i++) {
		names[i] = commands[i]->name;
	}
	near = dal_error_suggest(word, names, COMMANDS);
	fprintf(stderr, "dalamb: there is no command %s%s%s%s; `dalamb --help` lists them\n", word,
		near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
	return DAL_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help_print(stderr);
		return DAL_EXIT_USAGE;
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
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i]->name) == 0) {
			return commands[i]->run(commands[i], argc - 1, argv + 1);
		}
	}
	return unknown(argv[1]);
}
