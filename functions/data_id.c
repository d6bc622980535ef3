#include "functions/data_id.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

static void make(char id[DAL_DATA_ID_BYTES])
{
	unsigned char random[16];
	struct dal_buffer hex = {0};
	dal_random(random, sizeof(random));
	dal_hex_encode(dal_slice(random, sizeof(random)), &hex);
	memcpy(id, dal_buffer_cstr(&hex), DAL_DATA_ID_BYTES);
	dal_buffer_deinit(&hex);
}

/* 0; 1: of a folder that this one is a copy of; -EBADMSG. */
static int parse(struct dal_slice text, uint64_t inode, char id[DAL_DATA_ID_BYTES])
{
	struct dal_buffer bytes = {0};
	struct dal_slice name, number;
	uint64_t written = 0;
	bool good = dal_slice_cut(text, '\n', &text, &number) && number.size == 0 &&
		    dal_slice_cut(text, ' ', &name, &number) &&
		    dal_slice_to_u64(number, &written) && name.size == DAL_DATA_ID_BYTES - 1 &&
		    dal_hex_decode(name, &bytes);
	dal_buffer_deinit(&bytes);
	if (!good) {
		return -EBADMSG;
	}
	memcpy(id, name.data, name.size);
	id[name.size] = '\0';
	return written != inode;
}

static int write_new(const char *path, uint64_t inode, char id[DAL_DATA_ID_BYTES])
{
	struct dal_buffer text = {0};
	make(id);
	dal_buffer_printf(&text, "%s %llu\n", id, (unsigned long long)inode);
	int result = dal_file_write(path, dal_buffer_slice(&text), 0644);
	dal_buffer_deinit(&text);
	return result;
}

int dal_data_id(const char *folder, char id[DAL_DATA_ID_BYTES])
{
	struct dal_buffer text = {0};
	struct stat stat_of;
	if (!folder) {
		make(id);
		return 0;
	}
	if (stat(folder, &stat_of) != 0) {
		return -errno;
	}
	char *path = dal_asprintf("%s/id", folder);
	int result = dal_file_read(path, 256, &text);
	if (result == 0) {
		result = parse(dal_buffer_slice(&text), stat_of.st_ino, id);
	}
	if (result == -ENOENT || result > 0) {
		result = write_new(path, stat_of.st_ino, id);
	}
	dal_buffer_deinit(&text);
	free(path);
	return result;
}
