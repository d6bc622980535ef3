/*
 * A function for tests of containers: a static program that speaks the Runtime API and nothing
 * else, for an image of one file. What it does stands in the event, as "do":"..." anywhere in it:
 *
 *	echo    gives the event back         walls   tries each wall, and says what came of it
 *	print   writes to both outputs       exit    ends with status 3
 *	hang    never answers                abort   dies of a signal
 *	mute    closes both outputs
 *	eat     uses memory until it dies    fail    answers with an error
 *	steal   answers the invocation whose id follows ("id":"..."), and says with what status
 *
 * PROBE_TERM=ignore in its environment: it catches SIGTERM and goes on.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define BODY_BYTES (7 * 1024 * 1024)

static char answer[BODY_BYTES], body[BODY_BYTES], request_id[64];

/* --- HTTP --- */

static int connect_to(const char *address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct timeval time = {2, 0};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd < 0) {
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		int error = errno;
		(void)close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static void send_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
		if (sent <= 0) {
			exit(7);
		}
		data += sent;
		size -= (size_t)sent;
	}
}

/* One exchange on a connection of its own. The answer's body, in `answer`; NULL: not 2xx. */
static char *ask(const char *method, const char *target, const char *data, size_t size)
{
	const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
	char address[64], head[512];
	size_t got = 0;
	ssize_t part;
	(void)snprintf(address, sizeof(address), "%s", api ? api : "");
	char *colon = strchr(address, ':');
	if (!colon) {
		exit(8);
	}
	*colon = '\0';
	int fd = connect_to(address, (int)strtol(colon + 1, NULL, 10));
	if (fd < 0) {
		exit(9);
	}
	int written = snprintf(head, sizeof(head),
			       "%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: %s\r\n"
			       "Connection: close\r\nContent-Length: %zu\r\n\r\n",
			       method, target, api, size);
	send_all(fd, head, (size_t)written);
	send_all(fd, data, size);
	while (got < sizeof(answer) - 1 &&
	       (part = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0) {
		got += (size_t)part;
	}
	answer[got] = '\0';
	(void)close(fd);
	char *end = strstr(answer, "\r\n\r\n");
	return end && strncmp(answer, "HTTP/1.1 2", 10) == 0 ? end + 4 : NULL;
}

static char *next(void)
{
	static const char name[] = "Lambda-Runtime-Aws-Request-Id: ";
	char *event = ask("GET", "invocation/next", "", 0);
	if (!event) {
		exit(0); /* dalamb wants it to end */
	}
	const char *id = strcasestr(answer, name);
	if (!id) {
		exit(10);
	}
	(void)snprintf(request_id, sizeof(request_id), "%.36s", id + strlen(name));
	return event;
}

static void reply(const char *kind, const char *data)
{
	char target[128];
	(void)snprintf(target, sizeof(target), "invocation/%s/%s", request_id, kind);
	(void)ask("POST", target, data, strlen(data));
}

/* --- the walls: each try says what errno it met, 0 is a hole --- */

static char *out;

static void put(const char *name, long value)
{
	size_t room = sizeof(body) - (size_t)(out - body);
	out += snprintf(out, room, "%s\"%s\":%ld", out[-1] == '{' ? "" : ",", name, value);
}

static void put_status(const char *name, const char *field, int base)
{
	char line[256];
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status)) {
		if (strncmp(line, field, strlen(field)) == 0) {
			put(name, strtol(line + strlen(field), NULL, base));
		}
	}
	if (status) {
		(void)fclose(status);
	}
}

static long result_of(int result)
{
	return result < 0 ? errno : 0;
}

static long try_write(const char *path)
{
	int fd = open(path, O_WRONLY);
	long result = result_of(fd);
	if (fd >= 0) {
		(void)close(fd);
	}
	return result;
}

static char writable[4096];

/* Counts the folders below `path` in which a file can be made, but for /tmp; names them. */
static int find_writable(const char *path, int depth)
{
	char inner[4096];
	struct dirent *entry;
	DIR *folder = opendir(path);
	int count = 0;
	(void)snprintf(inner, sizeof(inner), "%s/probe", path);
	int fd = open(inner, O_CREAT | O_WRONLY, 0600);
	if (fd >= 0) {
		(void)close(fd);
		(void)unlink(inner);
		size_t size = strlen(writable);
		(void)snprintf(writable + size, sizeof(writable) - size, "%s ", path);
		count++;
	}
	while (folder && depth > 0 && (entry = readdir(folder)) != NULL) {
		struct stat stat_of;
		(void)snprintf(inner, sizeof(inner), "%s/%.255s", path, entry->d_name);
		if (entry->d_name[0] != '.' && lstat(inner, &stat_of) == 0 &&
		    S_ISDIR(stat_of.st_mode) && strcmp(inner, "/tmp") != 0 &&
		    strncmp(inner, "/proc/", 6) != 0) {
			count += find_writable(inner, depth - 1);
		}
	}
	if (folder) {
		(void)closedir(folder);
	}
	return count;
}

static long count_processes(void)
{
	long count = 0;
	struct dirent *entry;
	DIR *proc = opendir("/proc");
	while (proc && (entry = readdir(proc)) != NULL) {
		count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
	}
	if (proc) {
		(void)closedir(proc);
	}
	return count;
}

static long count_interfaces(void)
{
	struct if_nameindex *all = if_nameindex();
	long count = 0;
	while (all && all[count].if_index != 0) {
		count++;
	}
	if (all) {
		if_freenameindex(all);
	}
	return count;
}

/* By number alone, as 32-bit programs ask for sockets: its arguments are in memory. */
static long try_socketcall(int family)
{
	long result = 0;
#ifdef __x86_64__
	uint32_t *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (arguments == MAP_FAILED) {
		exit(11);
	}
	arguments[0] = (uint32_t)family;
	arguments[1] = SOCK_STREAM;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(102L), "b"(1L), "c"(arguments)
			 : "memory", "r8", "r9", "r10", "r11");
	result = (int)result < 0 ? -(int)result : 0;
#else
	(void)family;
	result = ENOSYS;
#endif
	return result;
}

static long try_connect(const char *address, int port)
{
	int fd = connect_to(address, port);
	long result = result_of(fd);
	if (fd >= 0) {
		(void)close(fd);
	}
	return result;
}

static long try_fill_tmp(void)
{
	static char block[65536];
	long written = 0;
	int fd = open("/tmp/fill", O_CREAT | O_WRONLY, 0600);
	memset(block, 'x', sizeof(block));
	while (fd >= 0 && written < 64 * 1024 * 1024 && write(fd, block, sizeof(block)) > 0) {
		written += (long)sizeof(block);
	}
	if (fd >= 0) {
		(void)close(fd);
		(void)unlink("/tmp/fill");
	}
	return written;
}

static void put_writable(void)
{
	put("writable_count", find_writable("", 6));
	out += snprintf(out, sizeof(body) - (size_t)(out - body), ",\"writable\":\"%s\"", writable);
}

/* What stands behind a key, wherever it is; NULL: it isn't. */
static const char *member(const char *event, const char *key)
{
	const char *found = strstr(event, key);
	return found ? found + strlen(key) + strspn(found + strlen(key), " ") : NULL;
}

static void put_walls(const char *event)
{
	const char *port = member(event, "\"port\":");
	mqd_t queue = mq_open("/probe", O_CREAT | O_RDWR, 0600, NULL);
	put("uid", (long)getuid());
	put("gid", (long)getgid());
	put_status("cap_effective", "CapEff:", 16);
	put_status("cap_permitted", "CapPrm:", 16);
	put_status("cap_bounding", "CapBnd:", 16);
	put_status("cap_ambient", "CapAmb:", 16);
	put_status("no_new_privileges", "NoNewPrivs:", 10);
	put_status("seccomp", "Seccomp:", 10);
	put("queue", result_of((int)queue));
	put("tmp_bytes", try_fill_tmp());
	put_writable();
	put("become_root", result_of(setuid(0)));
	put("user_namespace", result_of(unshare(CLONE_NEWUSER)));
	put("mount_namespace", result_of(unshare(CLONE_NEWNS)));
	put("mount", result_of(mount("none", "/tmp", "tmpfs", 0, NULL)));
	put("remount", result_of(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL)));
	put("device", result_of(mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0))));
	put("chroot", result_of(chroot("/tmp")));
	put("host_name", result_of(sethostname("x", 1)));
	put("raw_socket", result_of(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)));
	put("vsock", result_of(socket(AF_VSOCK, SOCK_STREAM, 0)));
	put("kernel_crypto", result_of(socket(AF_ALG, SOCK_SEQPACKET, 0)));
	put("netlink_audit", result_of(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT)));
	put("socketcall", try_socketcall(AF_VSOCK));
	put("core_pattern", try_write("/proc/sys/kernel/core_pattern"));
	put("sysrq", try_write("/proc/sysrq-trigger"));
	put("kernel_memory", try_write("/proc/kcore"));
	put("cgroup", try_write("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
	put("processes", count_processes());
	put("interfaces", count_interfaces());
	put("outside", try_connect("192.0.2.1", 80));
	put("host_loopback", try_connect("127.0.0.1", port ? (int)strtol(port, NULL, 10) : 1));
	put("own_api", try_connect("127.0.0.1", 9001));
	put("podman_socket", result_of(access("/run/podman/podman.sock", F_OK)));
	put("docker_socket", result_of(access("/var/run/docker.sock", F_OK)));
}

static void probe_walls(const char *event)
{
	out = body;
	*out++ = '{';
	put_walls(event);
	*out++ = '}';
	*out = '\0';
	reply("response", body);
}

/* --- the others --- */

static void eat(void)
{
	for (;;) {
		char *piece = malloc(1 << 20);
		if (piece) {
			memset(piece, 1, 1 << 20);
		}
	}
}

static void print(void)
{
	(void)printf("to stdout\n");
	(void)fflush(stdout);
	(void)fprintf(stderr, "to stderr\nwithout an end");
	(void)fflush(stderr);
}

/* Somebody else's invocation. */
static void steal(const char *event)
{
	char target[128], head[16];
	const char *id = member(event, "\"id\":");
	(void)snprintf(target, sizeof(target), "invocation/%.36s/response", id ? id + 1 : "");
	(void)ask("POST", target, "{}", 2);
	(void)snprintf(head, sizeof(head), "%.12s", answer);
	reply("response", head + 9); /* behind "HTTP/1.1 " */
}

static int is(const char *event, const char *what)
{
	const char *value = member(event, "\"do\":");
	return value && strncmp(value + 1, what, strlen(what)) == 0;
}

static void serve(const char *event)
{
	if (is(event, "walls")) {
		probe_walls(event);
	} else if (is(event, "exit")) {
		(void)fprintf(stderr, "no more\n");
		exit(3);
	} else if (is(event, "abort")) {
		abort();
	} else if (is(event, "hang")) {
		(void)fprintf(stderr, "hangs\n");
		for (;;) {
			(void)pause();
		}
	} else if (is(event, "eat")) {
		eat();
	} else if (is(event, "steal")) {
		steal(event);
	} else if (is(event, "fail")) {
		reply("error", "{\"errorType\":\"Probe\",\"errorMessage\":\"as told\"}");
	} else {
		if (is(event, "print")) {
			print();
		} else if (is(event, "mute")) {
			(void)fclose(stdout);
			(void)fclose(stderr);
		}
		(void)snprintf(body, sizeof(body), "%s", event);
		reply("response", body);
	}
}

static void on_signal(int number)
{
	(void)number;
}

int main(void)
{
	const char *term = getenv("PROBE_TERM"), *init = getenv("PROBE_INIT");
	if (term && strcmp(term, "ignore") == 0) {
		(void)signal(SIGTERM, on_signal);
	}
	if (init) {
		char event[64];
		(void)snprintf(event, sizeof(event), "\"do\":\"%s\"", init);
		serve(event);
	}
	for (;;) {
		serve(next());
	}
}
