#include "functions/network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/memory.h"
#include "functions/spawner.h"

int dal_network_listen(int *listener)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(DAL_SPAWN_PORT),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 64) != 0) {
		int result = -errno;
		(void)close(fd);
		return result;
	}
	*listener = fd;
	return 0;
}

/* What the passing thread is to do, and did. */
struct making {
	const char *path, *step;
	int listener, result;
};

static int make(struct making *making)
{
	making->step = "a network namespace";
	if (unshare(CLONE_NEWNET) != 0) {
		return -errno;
	}
	making->step = "the loopback network of a namespace";
	int result = dal_network_listen(&making->listener);
	if (result != 0) {
		return result;
	}
	making->step = "a mount of a network namespace";
	if (mount("/proc/thread-self/ns/net", making->path, NULL, MS_BIND, NULL) != 0) {
		result = -errno;
		(void)close(making->listener);
	}
	return result;
}

static void *run(void *data)
{
	struct making *making = data;
	making->result = make(making);
	return NULL;
}

int dal_network_new(const char *path, int *listener, const char **step)
{
	struct making making = {.path = path, .listener = -1};
	pthread_t thread;
	*step = path;
	int file = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (file < 0) {
		return -errno;
	}
	(void)close(file);
	*step = "a thread";
	int result = -pthread_create(&thread, NULL, run, &making);
	if (result == 0) {
		(void)pthread_join(thread, NULL);
		result = making.result;
		*step = making.step;
	}
	if (result != 0) {
		(void)unlink(path);
	}
	*listener = making.listener;
	return result;
}

void dal_network_remove(const char *path)
{
	(void)umount2(path, MNT_DETACH);
	(void)unlink(path);
}

int dal_network_clear(const char *folder)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	int count = 0;
	if (!entries) {
		return -errno;
	}
	while ((entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] != '.') {
			char *path = dal_asprintf("%s/%s", folder, entry->d_name);
			dal_network_remove(path);
			free(path);
			count++;
		}
	}
	(void)closedir(entries);
	return count;
}
