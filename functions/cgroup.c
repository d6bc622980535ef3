#include "functions/cgroup.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "engine/base/slice.h"

/*
 * The path of the group in a controller's tree: lines are "4:memory:/a/b", several controllers
 * with commas between, "0::/a/b" of version 2 (an empty name here). False if there is none.
 */
static bool find_path(const char *membership, const char *controller, struct dal_slice *path)
{
	struct dal_slice rest = dal_slice_text(membership), line, number, names, name;
	while (dal_slice_cut(rest, '\n', &line, &rest)) {
		if (!dal_slice_cut(line, ':', &number, &line) ||
		    !dal_slice_cut(line, ':', &names, path)) {
			continue;
		}
		if (controller[0] == '\0' && names.size == 0) {
			return true;
		}
		for (bool more = names.size > 0; more;) {
			more = dal_slice_cut(names, ',', &name, &names);
			if (dal_slice_is(more ? name : names, controller)) {
				return true;
			}
		}
	}
	return false;
}

static int open_file(const char *root, const char *membership, const char *controller,
		     const char *name)
{
	struct dal_slice path;
	if (!find_path(membership, controller, &path)) {
		return -1;
	}
	char *file = dal_asprintf("%s/%s%.*s/%s", root, controller, (int)path.size, path.data,
				  name);
	int fd = open(file, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fd = open(file, O_RDONLY | O_CLOEXEC); /* most can't be written */
	}
	free(file);
	return fd;
}

void dal_cgroup_open(const char *root, const char *membership, struct dal_cgroup *cgroup)
{
	struct dal_slice path;
	cgroup->unified = !find_path(membership, "memory", &path);
	if (cgroup->unified) {
		cgroup->cpu = open_file(root, membership, "", "cpu.stat");
		cgroup->memory = open_file(root, membership, "", "memory.peak");
		cgroup->kills = open_file(root, membership, "", "memory.events");
	} else {
		cgroup->cpu = open_file(root, membership, "cpuacct", "cpuacct.usage");
		cgroup->memory = open_file(root, membership, "memory", "memory.max_usage_in_bytes");
		cgroup->kills = open_file(root, membership, "memory", "memory.oom_control");
	}
}

void dal_cgroup_close(struct dal_cgroup *cgroup)
{
	int files[] = {cgroup->cpu, cgroup->memory, cgroup->kills};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (files[i] >= 0) {
			(void)close(files[i]);
		}
	}
	*cgroup = DAL_CGROUP_NONE;
}

/* The number behind "name " at the start of a line, or the file's only one; -1: there is none. */
static int64_t read_number(int file, const char *name)
{
	char text[1024];
	ssize_t size = file < 0 ? -1 : pread(file, text, sizeof(text) - 1, 0);
	struct dal_slice rest = dal_slice(text, size < 0 ? 0 : (size_t)size), line, key, value;
	int64_t number;
	while (dal_slice_cut(rest, '\n', &line, &rest)) {
		if (!name && dal_slice_to_i64(line, &number)) {
			return number;
		}
		if (name && dal_slice_cut(line, ' ', &key, &value) && dal_slice_is(key, name) &&
		    dal_slice_to_i64(value, &number)) {
			return number;
		}
	}
	return -1;
}

int64_t dal_cgroup_cpu_us(const struct dal_cgroup *cgroup)
{
	if (cgroup->unified) {
		return read_number(cgroup->cpu, "usage_usec");
	}
	int64_t ns = read_number(cgroup->cpu, NULL);
	return ns < 0 ? -1 : ns / 1000;
}

/* Version 1 takes a zero; version 2 anything, from Linux 6.12 on, and for this descriptor alone. */
void dal_cgroup_forget_peak(const struct dal_cgroup *cgroup)
{
	if (cgroup->memory >= 0) {
		(void)!pwrite(cgroup->memory, "0", 1, 0);
	}
}

int64_t dal_cgroup_peak_memory_mb(const struct dal_cgroup *cgroup)
{
	int64_t bytes = read_number(cgroup->memory, NULL);
	return bytes < 0 ? -1 : (bytes + (1 << 20) - 1) / (1 << 20);
}

int64_t dal_cgroup_kills(const struct dal_cgroup *cgroup)
{
	return read_number(cgroup->kills, "oom_kill");
}
