/*
 * Folders NAME/{dalamb.lua,rules/x.lua,partitions,expected}: apps for Kafka, checked for the
 * numbers of partitions that the file gives (none: not known); one TAP line each. What is accepted
 * prints what each rule may read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/app/feeds.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

/* The number behind the topic's name in the file. */
static uint32_t partitions_of(struct dal_slice file, const char *topic)
{
	struct dal_slice line, name, number;
	uint64_t value;

	while (dal_slice_cut(file, '\n', &line, &file)) {
		if (dal_slice_cut(line, ' ', &name, &number) && dal_slice_is(name, topic) &&
		    dal_slice_to_u64(number, &value)) {
			return (uint32_t)value;
		}
	}
	return 0;
}

static uint32_t *partitions_read(const char *root, const struct dal_app *app)
{
	size_t count = app->settings.topic_count;
	uint32_t *partitions = dal_calloc(count + 2, sizeof(*partitions));
	char *path = dal_asprintf("%s/partitions", root);
	struct dal_buffer file = {0};

	dal_file_read(path, 1 << 20, &file);
	partitions[0] = partitions_of(dal_buffer_slice(&file), "events");
	partitions[1] = partitions_of(dal_buffer_slice(&file), "system");
	for (size_t i = 0; i < count; i++) {
		partitions[2 + i] = partitions_of(dal_buffer_slice(&file),
						  app->settings.topics[i].name);
	}
	dal_buffer_deinit(&file);
	free(path);
	return partitions;
}

static void reach_print(const struct dal_app *app, const uint32_t *partitions,
			struct dal_buffer *out)
{
	static const char *const words[] = {"nothing", "own key", "all"};
	struct dal_feeds *feeds = dal_feeds_new(app, partitions);
	size_t rules = dal_rules_rule_count(app->rules);

	for (uint32_t r = 0; feeds && r < rules; r++) {
		for (uint32_t p = 0; p < dal_rules_projection_count(app->rules); p++) {
			dal_buffer_printf(out, "%s of %s: %s\n",
					  dal_rules_rule(app->rules, r)->name,
					  dal_rules_projection(app->rules, p)->name,
					  words[dal_feeds_reach(feeds, r, p)]);
		}
	}
	dal_feeds_free(feeds);
}

static void check(const char *root, struct dal_buffer *out)
{
	char *const none[] = {NULL};
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;
	uint32_t *partitions = NULL;

	if (dal_app_load(&(struct dal_app_options){.folder = root,
						   .offline = true,
						   .environment = none,
						   .data = "/nowhere"},
			 &app, &errors, NULL) == 0) {
		partitions = partitions_read(root, app);
		if (dal_feeds_check(app, partitions, &errors) == 0) {
			dal_buffer_text(out, "ok\n");
			reach_print(app, partitions, out);
		}
	}
	for (size_t i = 0; i < errors.count; i++) {
		dal_buffer_printf(out, "%s:%d: %s\n", errors.items[i].file, errors.items[i].line,
				  errors.items[i].text);
	}
	free(partitions);
	dal_app_free(app);
	dal_errors_deinit(&errors);
}

/* With "-w" the expected files are written anew. */
int main(int argc, char **argv)
{
	char **names;
	size_t count;
	int failed = 0;

	if (argc < 2 || dal_folder_list(argv[1], "", &names, &count) != 0) {
		return 2;
	}
	for (size_t i = 0; i < count; i++) {
		char *root = dal_asprintf("%s/%s", argv[1], names[i]);
		char *path = dal_asprintf("%s/expected", root);
		struct dal_buffer found = {0}, expected = {0};
		bool same;

		check(root, &found);
		if (argc > 2 && strcmp(argv[2], "-w") == 0) {
			dal_file_write(path, dal_buffer_slice(&found), 0644);
		}
		same = dal_file_read(path, 1 << 20, &expected) == 0 &&
		       dal_slice_equal(dal_buffer_slice(&found), dal_buffer_slice(&expected));
		printf("%sok %zu - %s\n", same ? "" : "not ", i + 1, names[i]);
		if (!same) {
			fprintf(stderr, "%s", dal_buffer_cstr(&found));
			failed = 1;
		}
		dal_buffer_deinit(&found);
		dal_buffer_deinit(&expected);
		free(root);
		free(path);
		free(names[i]);
	}
	printf("1..%zu\n", count);
	free(names);
	return failed;
}
