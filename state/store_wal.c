#include "state/store_wal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

/*
 * The format (RocksDB's wiki, "Write Ahead Log File Format"): blocks of 32 KiB; in them fragments,
 * a record is one or several of them: masked CRC-32C of type and data (4 bytes), size of the data
 * (2), type (1), data. All little-endian. The last bytes of a block, too few for a head, are zeros.
 */
enum { BLOCK = 32 * 1024, HEAD = 7, WHOLE = 1, FIRST = 2, MIDDLE = 3, LAST = 4 };
enum { SECTOR = 512, PROOF = 64 }; /* so many zeros at least: fewer may be data */
#define WAL_BYTES (1024 * DAL_MIB)

static uint32_t table[256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t sum = i;

		for (int bit = 0; bit < 8; bit++) {
			sum = sum >> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
		}
		table[i] = sum;
	}
}

static uint32_t checksum(const uint8_t *data, size_t size)
{
	uint32_t sum = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		sum = sum >> 8 ^ table[(sum ^ data[i]) & 0xff];
	}
	sum = ~sum;
	return (sum >> 15 | sum << 17) + 0xa282ead8;
}

struct wal {
	const uint8_t *data;
	size_t size;
};

static size_t block_end(const struct wal *wal, size_t at)
{
	size_t end = at - at % BLOCK + BLOCK;

	return end < wal->size ? end : wal->size;
}

/* The type of the whole fragment at `at`, and where it ends; 0 if there is none. */
static int fragment(const struct wal *wal, size_t at, size_t *end)
{
	const uint8_t *head = wal->data + at;
	size_t most = block_end(wal, at), size;

	if (most - at < HEAD || head[6] < WHOLE || head[6] > LAST) {
		return 0;
	}
	size = head[4] | (size_t)head[5] << 8;
	if (size > most - at - HEAD ||
	    checksum(head + 6, 1 + size) != ((uint32_t)head[0] | (uint32_t)head[1] << 8 |
					     (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24)) {
		return 0;
	}
	*end = at + HEAD + size;
	return head[6];
}

static size_t next_place(size_t at)
{
	return BLOCK - at % BLOCK < HEAD ? at - at % BLOCK + BLOCK : at;
}

/* Where the first record begins that is not there whole; the size if all are. */
static size_t torn_record(const struct wal *wal)
{
	size_t start = 0;

	for (size_t at = 0; at < wal->size; at = next_place(at)) {
		int type = fragment(wal, at, &at);

		if (type == 0) {
			return start;
		}
		start = type == WHOLE || type == LAST ? next_place(at) : start;
	}
	return start < wal->size ? start : wal->size;
}

/* Behind a torn fragment nothing says where the next one is: all places are tried. */
static bool another_begins(const struct wal *wal, size_t at)
{
	size_t end;

	while (at < wal->size) {
		int type = fragment(wal, at, &end);

		if (type == WHOLE || type == FIRST) {
			return true;
		}
		at = type == 0 ? at + 1 : next_place(end);
	}
	return false;
}

static bool has_zeros(const struct wal *wal, size_t start)
{
	for (size_t at = start; at < wal->size;) {
		size_t end = at - at % SECTOR + SECTOR, i = at;

		end = end < wal->size ? end : wal->size;
		while (i < end && wal->data[i] == 0) {
			i++;
		}
		if (i == end && end - at >= PROOF) {
			return true;
		}
		at = end;
	}
	return false;
}

static bool cut(const char *file, size_t size)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	return done;
}

static bool mend(const char *file)
{
	struct dal_buffer text = {0};
	bool done = false;

	if (dal_file_read(file, WAL_BYTES, &text) == 0) {
		struct wal wal = {(const uint8_t *)text.data, text.size};
		size_t start = torn_record(&wal);

		done = start < wal.size && has_zeros(&wal, start) &&
		       !another_begins(&wal, start + 1) && cut(file, start);
	}
	dal_buffer_deinit(&text);
	return done;
}

bool dal_store_wal_mend(const char *path)
{
	char **names, *file;
	size_t count;
	bool done = false;

	pthread_once(&table_once, table_make);
	if (dal_folder_list(path, ".log", &names, &count) != 0) {
		return false;
	}
	if (count > 0) {
		file = dal_asprintf("%s/%s", path, names[count - 1]);
		done = mend(file);
		free(file);
	}
	for (size_t i = 0; i < count; i++) {
		free(names[i]);
	}
	free(names);
	return done;
}
