/* Folders NAME/{lib,rules,tests}/x.lua: loads them, prints the errors; one TAP line each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "rules/rules.h"

struct app {
	struct dal_rules_source sources[16];
	struct dal_buffer texts[16];
	size_t count;
};

static void add_folder(struct app *app, const char *root, const char *folder,
		       enum dal_rules_role role)
{
	char **names, *path = dal_asprintf("%s/%s", root, folder);
	size_t count = 0;
	if (dal_folder_list(path, ".lua", &names, &count) != 0) {
		count = 0;
		names = NULL;
	}
	for (size_t i = 0; i < count && app->count < 16; i++) {
		char *file = dal_asprintf("%s/%s", path, names[i]);
		struct dal_buffer *text = &app->texts[app->count];
		if (dal_file_read(file, 1 << 20, text) == 0) {
			app->sources[app->count++] = (struct dal_rules_source){
				dal_asprintf("%s/%s", folder, names[i]), dal_buffer_slice(text),
				role};
		}
		free(file);
		free(names[i]);
	}
	free(names);
	free(path);
}

static void load(const char *root, struct dal_buffer *out)
{
	struct app app = {0};
	struct dal_errors errors = {0};
	struct dal_rules *rules;
	add_folder(&app, root, "rules", DAL_RULES_RULES);
	add_folder(&app, root, "lib", DAL_RULES_LIB);
	add_folder(&app, root, "tests", DAL_RULES_TESTS);
	struct dal_rules_options options = {.sources = app.sources, .count = app.count};
	if (dal_rules_load(&options, &rules, &errors, NULL) == 0) {
		dal_buffer_printf(out, "%zu rules, %zu projections, %zu tests\n",
				  dal_rules_rule_count(rules), dal_rules_projection_count(rules),
				  dal_rules_test_count(rules));
	}
	for (size_t i = 0; i < errors.count; i++) {
		dal_buffer_printf(out, "%s:%d: %s\n", errors.items[i].file, errors.items[i].line,
				  errors.items[i].text);
	}
	dal_rules_unref(rules);
	dal_errors_deinit(&errors);
	for (size_t i = 0; i < app.count; i++) {
		free((void *)app.sources[i].name);
		dal_buffer_deinit(&app.texts[i]);
	}
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
		load(root, &found);
		if (argc > 2 && strcmp(argv[2], "-w") == 0) {
			dal_file_write(path, dal_buffer_slice(&found), 0644);
		}
		int r = dal_file_read(path, 1 << 20, &expected);
		bool same = r == 0 &&
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
