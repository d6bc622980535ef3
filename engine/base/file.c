#include "engine/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/memory.h"

#define READ_BYTES ((size_t)65536)

static int read_all(int fd, size_t max_size, struct dal_buffer *out)
{
	size_t start = out->size;

	for (;;) {
		char *place = dal_buffer_reserve(out, READ_BYTES);
		ssize_t got = read(fd, place, READ_BYTES);

		if (got == 0) {
			return 0;
		}
		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		out->size += got > 0 ? (size_t)got : 0;
		if (out->size - start > max_size) {
			return -EFBIG;
		}
	}
}

int dal_file_read(const char *path, size_t max_size, struct dal_buffer *out)
{
	size_t start = out->size;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0) {
		return -errno;
	}
	result = read_all(fd, max_size, out);
	if (result != 0) {
		out->size = start;
	}
	close(fd);
	return result;
}

static int write_all(int fd, struct dal_slice data)
{
	while (data.size) {
		ssize_t written = write(fd, data.data, data.size);

		if (written < 0 && errno != EINTR) {
			return -errno;
		}
		if (written > 0) {
			data = dal_slice(data.data + written, data.size - (size_t)written);
		}
	}
	return 0;
}

/* Writes, syncs and closes; on failure too. */
static int fill_take(int fd, struct dal_slice data, unsigned mode)
{
	int result = write_all(fd, data);

	if (result == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
		result = -errno;
	}
	if (close(fd) != 0 && result == 0) {
		result = -errno;
	}
	return result;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash) {
		return dal_strdup(".");
	}
	return slash == path ? dal_strdup("/")
			     : dal_slice_dup(dal_slice(path, (size_t)(slash - path)));
}

/* A rename is durable once its folder is. */
static int sync_folder_of(const char *path)
{
	char *folder = folder_of(path);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 || fsync(fd) != 0 ? -errno : 0;

	if (fd >= 0) {
		close(fd);
	}
	free(folder);
	return result;
}

int dal_file_write(const char *path, struct dal_slice data, unsigned mode)
{
	char *temporary = dal_asprintf("%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC);
	int result = fd < 0 ? -errno : fill_take(fd, data, mode);

	if (result == 0 && rename(temporary, path) != 0) {
		result = -errno;
	}
	if (result == 0) {
		result = sync_folder_of(path);
	} else if (fd >= 0) {
		unlink(temporary);
	}
	free(temporary);
	return result;
}

static int make_one(const char *path, unsigned mode)
{
	struct stat status;

	if (mkdir(path, mode) == 0) {
		return 0;
	}
	if (errno == EEXIST && stat(path, &status) == 0) {
		return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
	}
	return -errno;
}

int dal_folder_make(const char *path, unsigned mode)
{
	char *parents = dal_strdup(path);
	int result = 0;

	for (char *slash = parents; result == 0 && (slash = strchr(slash, '/')); slash++) {
		if (slash != parents && slash[-1] != '/') {
			*slash = '\0';
			result = make_one(parents, mode);
			*slash = '/';
		}
	}
	free(parents);
	return result == 0 ? make_one(path, mode) : result;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t name_size = strlen(name), size = strlen(suffix);

	return name_size >= size && strcmp(name + name_size - size, suffix) == 0;
}

int dal_folder_list(const char *path, const char *suffix, char ***names, size_t *count)
{
	DIR *folder = opendir(path);
	size_t capacity = 0;
	struct dirent *entry;

	if (!folder) {
		return -errno;
	}
	*names = NULL;
	*count = 0;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] != '.' && ends_with(entry->d_name, suffix)) {
			DAL_GROW(*names, *count, capacity);
			(*names)[(*count)++] = dal_strdup(entry->d_name);
		}
	}
	closedir(folder);
	if (*count) {
		qsort(*names, *count, sizeof(**names), compare_names);
	}
	return 0;
}

int dal_file_lock(const char *path, int *fd)
{
	int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int result;

	if (opened < 0) {
		return -errno;
	}
	if (flock(opened, LOCK_EX | LOCK_NB) != 0) {
		result = -errno;
		close(opened);
		return result;
	}
	*fd = opened;
	return 0;
}

int dal_disk_free_bytes(const char *path, uint64_t *free_bytes)
{
	struct statvfs status;

	if (statvfs(path, &status) != 0) {
		return -errno;
	}
	*free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	return 0;
}
