#include "functions/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "functions/limits.h"
#include "functions/network.h"

#define NOBODY 65534

/*
 * Binds one path to DAL_SANDBOX_STAGE/<index>. It goes over a descriptor, since the stage may hide
 * the path (an app below /tmp), and the path may be closed to nobody (an app below /root).
 */
static int stage_path(int source, size_t index)
{
	char from[32], to[64];
	struct stat stat;
	(void)snprintf(from, sizeof(from), "/proc/self/fd/%d", source);
	(void)snprintf(to, sizeof(to), "%s/%zu", DAL_SANDBOX_STAGE, index);
	if (fstat(source, &stat) != 0) {
		return -errno;
	}
	int made = S_ISDIR(stat.st_mode) ? mkdir(to, 0755) : mknod(to, S_IFREG | 0644, 0);
	if (made != 0 || mount(from, to, NULL, MS_BIND | MS_REC, NULL) != 0) {
		return -errno;
	}
	return 0;
}

static const char *path_at(const struct dal_spawn *spawn, size_t index)
{
	return index == 0 ? spawn->folder : spawn->paths[index - 1];
}

static size_t path_count(const struct dal_spawn *spawn)
{
	size_t count = 1;
	while (spawn->paths && spawn->paths[count - 1]) {
		count++;
	}
	return count;
}

static int open_paths(const struct dal_spawn *spawn, int *sources, const char **step)
{
	for (size_t i = 0; i < path_count(spawn); i++) {
		sources[i] = open(path_at(spawn, i), O_PATH | O_CLOEXEC);
		if (sources[i] < 0) {
			*step = path_at(spawn, i);
			return -errno;
		}
	}
	return 0;
}

/* In a mount namespace of its own: what the dropped user is to see, where it can reach it. */
static int stage(const struct dal_spawn *spawn, const char **step)
{
	int sources[DAL_LIMIT_FUNCTION_PATHS + 1] = {0};
	*step = "a mount namespace";
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		return -errno;
	}
	int result = open_paths(spawn, sources, step);
	if (result != 0) {
		return result;
	}
	*step = "a staging area in " DAL_SANDBOX_STAGE;
	if (mount("dalamb", DAL_SANDBOX_STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") != 0) {
		return -errno;
	}
	for (size_t i = 0; i < path_count(spawn); i++) {
		result = stage_path(sources[i], i);
		if (result != 0) {
			return result;
		}
	}
	return 0;
}

static int drop_root(void)
{
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0) {
		return -errno;
	}
	/* Otherwise /proc/self belongs to root, and the maps below can't be written. */
	return prctl(PR_SET_DUMPABLE, 1) != 0 ? -errno : 0;
}

static int write_proc(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	if (file < 0) {
		return -errno;
	}
	ssize_t written = write(file, text, strlen(text));
	int result = written < 0 ? -errno : 0;
	(void)close(file);
	return result;
}

/* One user inside, the same as outside. */
static int map_user(uid_t uid, gid_t gid)
{
	char map[64];
	int result = write_proc("/proc/self/setgroups", "deny");
	if (result == 0) {
		(void)snprintf(map, sizeof(map), "%u %u 1", uid, uid);
		result = write_proc("/proc/self/uid_map", map);
	}
	if (result == 0) {
		(void)snprintf(map, sizeof(map), "%u %u 1", gid, gid);
		result = write_proc("/proc/self/gid_map", map);
	}
	return result;
}

int dal_sandbox_enter(const struct dal_spawn *spawn, struct dal_sandbox *sandbox, const char **step)
{
	int result;
	*sandbox = (struct dal_sandbox){.listener = -1};
	if (geteuid() == 0) {
		result = stage(spawn, step);
		if (result != 0) {
			return result;
		}
		sandbox->staged = true;
		*step = "another user than root";
		result = drop_root();
		if (result != 0) {
			return result;
		}
	}
	uid_t uid = geteuid();
	gid_t gid = getegid();
	*step = "a user and a network namespace";
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
		return -errno;
	}
	*step = "the user map of a namespace";
	result = map_user(uid, gid);
	if (result == 0) {
		*step = "the loopback network of a namespace";
		result = dal_network_listen(&sandbox->listener);
	}
	return result;
}

static int limit(int which, uint64_t value)
{
	struct rlimit now;
	if (getrlimit((__rlimit_resource_t)which, &now) != 0) {
		return -errno;
	}
	if (value < now.rlim_max) {
		now.rlim_max = value;
	}
	now.rlim_cur = now.rlim_max;
	return setrlimit((__rlimit_resource_t)which, &now) != 0 ? -errno : 0;
}

/*
 * Memory is bounded by RLIMIT_DATA (writable private memory), not by RLIMIT_AS: Go and Node reserve
 * gigabytes of addresses that they never touch. Arenas and stacks of threads count in full from the
 * start (an empty Go program needs between 64 and 96 MB, Node less than 64), hence the allowance on
 * top; a cgroup would count what is really used. Over the limit an allocation fails, nothing is
 * killed. RLIMIT_NPROC counts per user namespace from here on: only this program's processes and
 * threads.
 */
int dal_sandbox_limit(const struct dal_spawn *spawn)
{
	int result = limit(RLIMIT_CORE, 0);
	if (result == 0 && spawn->memory_bytes != 0) {
		result = limit(RLIMIT_DATA,
			       spawn->memory_bytes + DAL_LIMIT_FUNCTION_ALLOWANCE_BYTES);
	}
	if (result == 0) {
		result = limit(RLIMIT_NOFILE, DAL_LIMIT_FUNCTION_FILES);
	}
	if (result == 0 && spawn->sandbox) {
		result = limit(RLIMIT_NPROC, DAL_LIMIT_FUNCTION_PROCESSES);
	}
	if (result == 0 && spawn->sandbox) {
		result = limit(RLIMIT_FSIZE, spawn->tmp_bytes);
	}
	return result;
}
