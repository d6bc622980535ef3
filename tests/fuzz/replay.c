/*
 * Runs a fuzz target over the files of its corpus, for compilers without libFuzzer and for the
 * ordinary test run: one TAP line a file.
 *
 *	json_fuzz_replay FOLDER
 */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/file.h"

#define LARGEST (16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay(const char *folder, const char *name, int number)
{
	char path[PATH_MAX];
	struct dal_buffer input = {0};
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	bool good = dal_file_read(path, LARGEST, &input) == 0;
	if (good) {
		/* In memory of its exact size, so that a read past its end is seen. */
		uint8_t *exact = malloc(input.size);
		if (input.size) {
			memcpy(exact, input.data, input.size);
		}
		LLVMFuzzerTestOneInput(exact, input.size);
		free(exact);
	}
	printf("%sok %d - %s\n", good ? "" : "not ", number, name);
	fflush(stdout);
	dal_buffer_deinit(&input);
	return good;
}

int main(int argc, char **argv)
{
	char **names;
	size_t count;
	int failed = 0;
	if (argc != 2 || dal_folder_list(argv[1], "", &names, &count) != 0) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++) {
		failed += !replay(argv[1], names[i], (int)i + 1);
		free(names[i]);
	}
	free(names);
	return failed > 0;
}
