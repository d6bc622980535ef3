/* What /proc says of a process. Any thread; no allocation. */
#ifndef DAL_FUNCTIONS_PROC_H
#define DAL_FUNCTIONS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

pid_t dal_proc_parent(pid_t pid);           /* 0 if there is no such process */
int64_t dal_proc_peak_memory_mb(pid_t pid); /* resident; -1 if it isn't known */
/* The text of /proc/PID/cgroup, cut to `size`; empty if the process is gone. */
void dal_proc_cgroup(pid_t pid, char *text, size_t size);
bool dal_proc_catches(pid_t pid, int signal); /* it has a handler for it */

#endif
