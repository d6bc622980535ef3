#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/slice.h"
#include "engine/cli/cli.h"

static void help_print(const struct dal_command *command, const struct dal_option *options)
{
	printf("dalamb %s%s%s: %s\n\n", command->name, command->arguments[0] ? " " : "",
	       command->arguments, command->summary);
	for (; options && options->name; options++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", options->name,
			 options->argument ? " " : "", options->argument ? options->argument : "");
		printf("  %-24s %s\n", left, options->help);
	}
	printf("  %-24s %s\n\nExample:\n%s", "--help", "prints this", command->example);
}

int dal_usage(const struct dal_command *command, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "dalamb %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; see `dalamb %s --help`\n", command->name);
	return DAL_EXIT_USAGE;
}

static const struct dal_option *option_find(const struct dal_option *options, const char *word,
					    size_t size)
{
	for (; options && options->name; options++) {
		if (strlen(options->name) == size && memcmp(options->name, word, size) == 0) {
			return options;
		}
	}
	return NULL;
}

static void unknown(const struct dal_command *command, const struct dal_option *options,
		    const char *word)
{
	const char *names[32];
	const char *near;
	size_t count = 0;

	for (; options && options->name && count < 32; options++) {
		names[count++] = options->name;
	}
	near = dal_error_suggest(word, names, count);
	dal_usage(command, "there is no option --%s%s%s%s", word, near ? ", did you mean --" : "",
		  near ? near : "", near ? "?" : "");
}

/* One option; returns how many words it took, or -1. */
static int option_take(const struct dal_command *command, const struct dal_option *options,
		       char **argv, int left)
{
	const char *word = argv[0] + 2, *equals = strchr(word, '=');
	size_t size = equals ? (size_t)(equals - word) : strlen(word);
	const struct dal_option *option = option_find(options, word, size);

	if (!option) {
		unknown(command, options, word);
		return -1;
	}
	if (!option->argument && equals) {
		dal_usage(command, "--%s takes no value", option->name);
		return -1;
	}
	if (!option->argument) {
		*option->value = "";
		return 1;
	}
	if (equals) {
		*option->value = equals + 1;
		return 1;
	}
	if (left < 2) {
		dal_usage(command, "--%s needs a value: --%s %s", option->name, option->name,
			  option->argument);
		return -1;
	}
	*option->value = argv[1];
	return 2;
}

int dal_options_parse(const struct dal_command *command, const struct dal_option *options,
		      int *argc, char **argv)
{
	int words = 1, i = 1;

	while (i < *argc) {
		int taken = 1;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help_print(command, options);
			exit(DAL_EXIT_DONE);
		}
		if (strcmp(argv[i], "--") == 0) {
			while (++i < *argc) {
				argv[words++] = argv[i];
			}
			break;
		}
		if (strncmp(argv[i], "--", 2) == 0) {
			taken = option_take(command, options, &argv[i], *argc - i);
			if (taken < 0) {
				return -1;
			}
		} else {
			argv[words++] = argv[i];
		}
		i += taken;
	}
	*argc = words;
	return 0;
}

int dal_fail(const struct dal_command *command, int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "dalamb %s: ", command->name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

int dal_format_parse(const struct dal_command *command, const char *format, bool *json)
{
	*json = format && strcmp(format, "json") == 0;
	if (format && !*json && strcmp(format, "text") != 0) {
		dal_usage(command, "--format is text or json, not \"%s\"", format);
		return -1;
	}
	return 0;
}

int dal_number_parse(const struct dal_command *command, const char *option, const char *text,
		     uint64_t *number)
{
	if (!dal_slice_to_u64(dal_slice_text(text), number) || *number == 0) {
		dal_usage(command, "--%s is a number from 1, not \"%s\"", option, text);
		return -1;
	}
	return 0;
}

void dal_errors_print(const struct dal_errors *errors, const char *kind)
{
	for (size_t i = 0; i < errors->count; i++) {
		const struct dal_error *error = &errors->items[i];
		if (error->file[0] && error->line > 0) {
			fprintf(stderr, "%s:%d: ", error->file, error->line);
		} else if (error->file[0]) {
			fprintf(stderr, "%s: ", error->file);
		}
		fprintf(stderr, "%s%s\n", kind, error->text);
	}
	if (errors->dropped > 0) {
		fprintf(stderr, "... and %zu more\n", errors->dropped);
	}
}
