/* What makes a version: the declaration as written, and the content of the function's folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"
#include "functions/function.h"
#include "functions/limits.h"

struct walk {
	struct dal_digester *digester;
	size_t files;
	uint64_t bytes;
	int depth;
};

static void add_text(struct walk *walk, const char *text)
{
	dal_digester_add(walk->digester, dal_slice_text(text));
}

static void add_numbers(struct walk *walk, uint64_t a, uint64_t b)
{
	struct dal_buffer bytes = {0};
	dal_buffer_u64be(&bytes, a);
	dal_buffer_u64be(&bytes, b);
	dal_digester_add(walk->digester, dal_buffer_slice(&bytes));
	dal_buffer_deinit(&bytes);
}

/* --- the folder --- */

/*
 * A file beyond the bounds (a model, a large dependency) counts by its size and time of change:
 * good enough to notice that it was replaced, and the start stays fast.
 */
static int add_file(struct walk *walk, const char *path, const struct stat *stat_of)
{
	uint64_t size = (uint64_t)stat_of->st_size;
	add_numbers(walk, size, (stat_of->st_mode & 0111) != 0);
	if (walk->files > DAL_LIMIT_FUNCTION_FILES_DIGESTED ||
	    walk->bytes + size > DAL_LIMIT_FUNCTION_DIGESTED_BYTES) {
		add_numbers(walk, (uint64_t)stat_of->st_mtim.tv_sec,
			    (uint64_t)stat_of->st_mtim.tv_nsec);
		return 0;
	}
	struct dal_buffer content = {0};
	int result = dal_file_read(path, DAL_LIMIT_FUNCTION_DIGESTED_BYTES, &content);
	walk->bytes += content.size;
	dal_digester_add(walk->digester, dal_buffer_slice(&content));
	dal_buffer_deinit(&content);
	return result;
}

static int add_folder(struct walk *walk, const char *path);

static int add_entry(struct walk *walk, const char *folder, const char *name)
{
	struct stat stat_of;
	char target[4096], *path = dal_asprintf("%s/%s", folder, name);
	int result = lstat(path, &stat_of) != 0 ? -errno : 0;
	add_text(walk, name);
	walk->files++;
	if (result == 0 && S_ISREG(stat_of.st_mode)) {
		result = add_file(walk, path, &stat_of);
	} else if (result == 0 && S_ISDIR(stat_of.st_mode)) {
		result = add_folder(walk, path);
	} else if (result == 0 && S_ISLNK(stat_of.st_mode)) {
		ssize_t size = readlink(path, target, sizeof(target));
		dal_digester_add(walk->digester, dal_slice(target, size < 0 ? 0 : (size_t)size));
	}
	free(path);
	return result;
}

/* What Python writes beside a program when it runs is not the program. */
static int is_program_part(const struct dirent *entry)
{
	static const char *const others[] = {".", "..", "__pycache__", ".git"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(entry->d_name, others[i]) == 0) {
			return 0;
		}
	}
	return 1;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(struct walk *walk, const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_program_part, by_bytes);
	int result = count < 0 ? -errno : walk->depth > DAL_LIMIT_FUNCTION_DEPTH ? -ELOOP : 0;
	walk->depth++;
	for (int i = 0; i < count; i++) {
		if (result == 0) {
			result = add_entry(walk, path, entries[i]->d_name);
		}
		free(entries[i]);
	}
	if (count >= 0) {
		free(entries);
	}
	walk->depth--;
	add_text(walk, "/"); /* the folder's end */
	return result;
}

/* --- the declaration --- */

static void add_value(struct walk *walk, const struct dal_value *value)
{
	add_text(walk, value->key);
	add_numbers(walk, value->set ? (uint64_t)value->kind : 0, (uint64_t)value->number);
	char real[64];
	(void)snprintf(real, sizeof(real), "%a %d", value->real, value->boolean);
	add_text(walk, real);
	/* The version is shown to everybody: a weak secret could be guessed from it. */
	dal_digester_add(walk->digester, value->secret ? dal_slice(NULL, 0)
						       : dal_slice(value->text, value->text_size));
	add_numbers(walk, value->count, value->secret);
	for (size_t i = 0; i < value->count; i++) {
		add_value(walk, &value->items[i]);
	}
}

static uint64_t hash_secrets(char *const *environment)
{
	static uint64_t seed;
	if (seed == 0) {
		dal_random(&seed, sizeof(seed));
	}
	uint64_t hash = seed;
	for (; environment && *environment; environment++) {
		hash = dal_hash64(dal_slice_text(*environment), hash);
	}
	return hash;
}

static void set_version_take(struct dal_function *function, struct dal_digester *digester)
{
	struct dal_buffer hex = {0};
	struct dal_digest digest = dal_digester_finish_take(digester);
	dal_hex_encode(dal_slice(digest.bytes, 8), &hex);
	(void)snprintf(function->version, sizeof(function->version), "%s", dal_buffer_cstr(&hex));
	dal_buffer_deinit(&hex);
}

int dal_function_digest(struct dal_function *function, const struct dal_declaration *declaration)
{
	struct walk walk = {.digester = dal_digester_new()};
	for (size_t i = 0; i < declaration->count; i++) {
		add_text(&walk, declaration->what->fields[i].name);
		add_value(&walk, &declaration->values[i]);
	}
	int result = function->folder ? add_folder(&walk, function->folder) : 0;
	set_version_take(function, walk.digester);
	function->secrets = hash_secrets(function->environment);
	return result;
}

void dal_function_pin(struct dal_function *function, const struct dal_image *image)
{
	struct dal_digester *digester = dal_digester_new();
	dal_digester_add(digester, dal_slice_text(function->version));
	dal_digester_add(digester, dal_slice_text(image->id));
	set_version_take(function, digester);
	dal_image_deinit(&function->image);
	function->image = dal_image_copy(image);
}
