/* The bubblewrap command line: what a sandboxed program sees of the machine. */
#include "functions/sandbox.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/memory.h"

struct words {
	char **items;
	size_t count, capacity;
};

static void add_taken(struct words *words, char *word)
{
	DAL_GROW(words->items, words->count, words->capacity);
	words->items[words->count++] = word;
}

static void add_list(struct words *words, const char *const *list)
{
	for (; *list; list++) {
		add_taken(words, dal_strdup(*list));
	}
}

#define ADD(words, ...) add_list((words), (const char *const[]){__VA_ARGS__, NULL})

static void add_number(struct words *words, uint64_t number)
{
	add_taken(words, dal_asprintf("%llu", (unsigned long long)number));
}

/* As it is on the host: on most systems /bin and /lib are links into /usr. */
static void add_system(struct words *words, const char *path)
{
	struct stat stat;
	char target[256];
	if (lstat(path, &stat) != 0) {
		return;
	}
	if (!S_ISLNK(stat.st_mode)) {
		ADD(words, "--ro-bind", path, path);
		return;
	}
	ssize_t size = readlink(path, target, sizeof(target) - 1);
	if (size > 0) {
		target[size] = '\0';
		ADD(words, "--symlink", target, path);
	}
}

static const char *const system_folders[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/libx32", "/lib64", NULL,
};

/* What loaders, certificates and names need. No resolver: there is no network. */
static const char *const system_files[] = {
	"/etc/ld.so.cache",     "/etc/ld.so.conf",      "/etc/ld.so.conf.d",
	"/etc/alternatives",    "/etc/ssl/certs",       "/etc/pki/tls",
	"/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/nsswitch.conf",
	"/etc/hosts",           "/etc/passwd",          "/etc/group",
	"/etc/localtime",       "/etc/timezone",        NULL,
};

static void add_tmpfs(struct words *words, const char *path, uint64_t size)
{
	ADD(words, "--perms", "1777", "--size");
	add_number(words, size);
	ADD(words, "--tmpfs", path);
}

static void add_path(struct words *words, const struct dal_sandbox *sandbox, size_t index,
		     const char *path)
{
	ADD(words, "--ro-bind");
	add_taken(words, sandbox->staged ? dal_asprintf("%s/%zu", DAL_SANDBOX_STAGE, index)
					 : dal_strdup(path));
	ADD(words, path);
}

/*
 * No --unshare-net: the namespace of the caller is empty but for the Runtime API. The environment
 * is the one of exec, never --setenv, which everybody could read in `ps`.
 */
char **dal_sandbox_arguments(const struct dal_spawn *spawn, const struct dal_sandbox *sandbox,
			     int info)
{
	struct words words = {0};
	ADD(&words, "bwrap", "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts",
	    "--unshare-cgroup-try", "--disable-userns", "--uid", "65534", "--gid", "65534",
	    "--hostname", spawn->name, "--die-with-parent", "--new-session", "--info-fd");
	add_number(&words, (uint64_t)info);
	for (const char *const *path = system_folders; *path; path++) {
		add_system(&words, *path);
	}
	for (const char *const *path = system_files; *path; path++) {
		ADD(&words, "--ro-bind-try", *path, *path);
	}
	ADD(&words, "--proc", "/proc", "--dev", "/dev");
	add_tmpfs(&words, "/dev/shm", spawn->tmp_bytes);
	add_tmpfs(&words, "/tmp", spawn->tmp_bytes);
	/* After /tmp: an app may live below it. */
	add_path(&words, sandbox, 0, spawn->folder);
	for (size_t i = 0; spawn->paths && spawn->paths[i]; i++) {
		add_path(&words, sandbox, i + 1, spawn->paths[i]);
	}
	ADD(&words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", spawn->folder, "--");
	add_list(&words, (const char *const *)spawn->command);
	DAL_GROW(words.items, words.count, words.capacity);
	words.items[words.count] = NULL;
	return words.items;
}
