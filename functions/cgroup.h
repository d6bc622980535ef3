/*
 * The figures of a control group: what a container used, and whether the kernel killed in it for
 * want of memory. Version 1 (a tree for each controller), version 2, and both side by side.
 *
 * The files are opened once while the group is there and read again and again; one that is missing
 * gives -1 ("not measured"). Source: Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst.
 * Thread: whoever holds it.
 */
#ifndef DAL_FUNCTIONS_CGROUP_H
#define DAL_FUNCTIONS_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define DAL_CGROUP_ROOT "/sys/fs/cgroup"

struct dal_cgroup {
	bool unified;           /* version 2 */
	int cpu, memory, kills; /* files; -1: none */
};

#define DAL_CGROUP_NONE ((struct dal_cgroup){false, -1, -1, -1})

/* `membership` is the text of /proc/PID/cgroup. */
void dal_cgroup_open(const char *root, const char *membership, struct dal_cgroup *cgroup);
void dal_cgroup_close(struct dal_cgroup *cgroup);
/* The peak is of what is used from now on, where the kernel can do that. */
void dal_cgroup_forget_peak(const struct dal_cgroup *cgroup);
int64_t dal_cgroup_cpu_us(const struct dal_cgroup *cgroup);
int64_t dal_cgroup_peak_memory_mb(const struct dal_cgroup *cgroup);
/* How often the kernel has killed a process of it because the group's memory was used up. */
int64_t dal_cgroup_kills(const struct dal_cgroup *cgroup);

#endif
