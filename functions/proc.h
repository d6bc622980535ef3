/* What /proc says of a process. Any thread; no allocation. */
#ifndef DAL_FUNCTIONS_PROC_H
#define DAL_FUNCTIONS_PROC_H

#include <stdint.h>
#include <sys/types.h>

pid_t dal_proc_parent(pid_t pid);           /* 0 if there is no such process */
int64_t dal_proc_peak_memory_mb(pid_t pid); /* resident; -1 if it isn't known */

#endif
