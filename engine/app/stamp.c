#include "engine/app/stamp.h"

#include <dirent.h>
#include <sys/stat.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"

enum { DEPTH_MAX = 8 };

static uint64_t stamp(const char *path, int depth);

/* Names come in any order: what they add up to has none. */
static uint64_t folder_stamp(const char *path, int depth)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	uint64_t sum = 0;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] != '.') { /* editors keep their own there */
			char *name = dal_asprintf("%s/%s", path, entry->d_name);
			sum += stamp(name, depth + 1);
			free(name);
		}
	}
	if (folder) {
		closedir(folder);
	}
	return sum;
}

static uint64_t stamp(const char *path, int depth)
{
	struct stat st;

	if (depth > DEPTH_MAX || stat(path, &st) != 0) {
		return 0;
	}
	if (S_ISDIR(st.st_mode)) {
		return folder_stamp(path, depth);
	}
	int64_t facts[] = {st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (int64_t)st.st_ino,
			   st.st_mode};

	return dal_hash64(dal_slice(facts, sizeof(facts)), dal_hash64(dal_slice_text(path), 0));
}

uint64_t dal_app_stamp(const char *folder)
{
	static const char *const parts[] = {"dalamb.lua", "rules", "lib", "functions", NULL};
	uint64_t sum = 0;

	for (size_t i = 0; parts[i]; i++) {
		char *path = dal_asprintf("%s/%s", folder, parts[i]);
		sum += stamp(path, 0);
		free(path);
	}
	return sum;
}
