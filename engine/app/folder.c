#include "engine/app/folder.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

static void file_read(const char *folder, const char *name, enum dal_rules_role role,
		      struct dal_folder *files, struct dal_errors *errors)
{
	char *path = dal_asprintf("%s/%s", folder, name);
	struct dal_buffer text = {0};
	int r = dal_file_read(path, DAL_LIMIT_SOURCE_BYTES, &text);

	if (r == -EFBIG) {
		dal_errors_add(errors, name, 0, "this file is larger than 1 MiB: split it");
	} else if (r < 0) {
		dal_errors_add(errors, name, 0, "this file can't be read: %s", strerror(-r));
	} else {
		DAL_GROW(files->sources, files->count, files->capacity);
		files->sources[files->count++] = (struct dal_rules_source){
			.name = dal_strdup(name), .text = dal_buffer_slice(&text), .role = role};
		text = (struct dal_buffer){0};
	}
	dal_buffer_deinit(&text);
	free(path);
}

static void folder_read(const char *folder, const char *part, enum dal_rules_role role,
			struct dal_folder *files, struct dal_errors *errors)
{
	char *path = dal_asprintf("%s/%s", folder, part);
	char **names = NULL;
	size_t count = 0;
	int r = dal_folder_list(path, ".lua", &names, &count);

	if (r < 0 && r != -ENOENT) {
		dal_errors_add(errors, part, 0, "this folder can't be read: %s", strerror(-r));
	}
	for (size_t i = 0; r >= 0 && i < count; i++) {
		char *name = dal_asprintf("%s/%s", part, names[i]);
		file_read(folder, name, role, files, errors);
		free(name);
		free(names[i]);
	}
	free(names);
	free(path);
}

void dal_folder_read(const char *folder, const char *rules_folder, bool tests,
		     struct dal_folder *files, struct dal_errors *errors)
{
	char *operator_file = dal_asprintf("%s/dalamb.lua", folder);
	const char *rules = rules_folder ? rules_folder : folder;

	if (access(operator_file, F_OK) == 0) {
		file_read(folder, "dalamb.lua", DAL_RULES_OPERATOR, files, errors);
	}
	free(operator_file);
	folder_read(folder, "functions", DAL_RULES_OPERATOR, files, errors);
	folder_read(rules, "lib", DAL_RULES_LIB, files, errors);
	folder_read(rules, "rules", DAL_RULES_RULES, files, errors);
	if (tests) {
		folder_read(folder, "tests", DAL_RULES_TESTS, files, errors);
	}
}

void dal_folder_deinit(struct dal_folder *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free((char *)files->sources[i].name);
		free((char *)files->sources[i].text.data);
	}
	free(files->sources);
	*files = (struct dal_folder){0};
}
