#include "functions/proc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The beginning of /proc/PID/NAME, NUL-terminated; empty if the process is gone. */
static void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = file < 0 ? -1 : read(file, text, size - 1);
	if (file >= 0) {
		(void)close(file);
	}
	text[got < 0 ? 0 : got] = '\0';
}

pid_t dal_proc_parent(pid_t pid)
{
	char text[512];
	read_proc(pid, "stat", text, sizeof(text));
	const char *rest = strrchr(text, ')'); /* the name before it may hold anything */
	return rest && strlen(rest) > 4 ? (pid_t)strtol(rest + 4, NULL, 10) : 0;
}

int64_t dal_proc_peak_memory_mb(pid_t pid)
{
	char text[2048];
	read_proc(pid, "status", text, sizeof(text));
	const char *found = strstr(text, "VmHWM:");
	return found ? (strtol(found + strlen("VmHWM:"), NULL, 10) + 1023) / 1024 : -1;
}

void dal_proc_cgroup(pid_t pid, char *text, size_t size)
{
	read_proc(pid, "cgroup", text, size);
}

static uint64_t signals_of(const char *status, const char *field)
{
	const char *found = strstr(status, field);
	return found ? strtoull(found + strlen(field), NULL, 16) : 0;
}

/* A program that blocks it waits for it (tini, dumb-init). */
bool dal_proc_catches(pid_t pid, int signal)
{
	char text[2048];
	read_proc(pid, "status", text, sizeof(text));
	uint64_t caught = signals_of(text, "SigCgt:") | signals_of(text, "SigBlk:");
	return (caught >> (signal - 1) & 1) != 0;
}
