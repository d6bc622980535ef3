/*
 * Files as a whole: read one, write one durably, make folders, list a folder. Any thread.
 */
#ifndef DAL_BASE_FILE_H
#define DAL_BASE_FILE_H

#include <stdint.h>

#include "engine/base/slice.h"

/* Appends the file's bytes. -EFBIG over max_size, else a negated errno. */
int dal_file_read(const char *path, size_t max_size, struct dal_buffer *out);
/* Replaces a file durably: a temporary beside it, fsync, rename, fsync of the folder. */
int dal_file_write(const char *path, struct dal_slice data, unsigned mode);
int dal_folder_make(const char *path, unsigned mode); /* and its parents; 0 if it is there */
/*
 * The names in a folder that end with `suffix`, in byte order, but for hidden ones; free each and
 * the array. -ENOENT if there is no such folder.
 */
int dal_folder_list(const char *path, const char *suffix, char ***names, size_t *count);
/*
 * Takes the exclusive lock of an engine on its data folder (`path` is a file in it): -EWOULDBLOCK
 * if held. `*fd` keeps it, and so does a child that was forked while it was open.
 */
int dal_file_lock(const char *path, int *fd);
int dal_disk_free_bytes(const char *path, uint64_t *free_bytes);

#endif
