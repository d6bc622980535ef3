/*
 * The end of a log's write-ahead log after a power cut. Private to the store.
 *
 * Each write is synced before the next begins, so a cut leaves at most one record that was never
 * acknowledged: the last. A file that ends in the middle of it is RocksDB's to cut. But a file
 * system may have made the file longer before all of the new pages were on disk; what was not there
 * yet reads as zeros, at the end or between pages that were (seen on ext4). To RocksDB that is
 * damage, and it refuses to open.
 */
#ifndef DAL_STATE_STORE_WAL_H
#define DAL_STATE_STORE_WAL_H

#include <stdbool.h>

/*
 * After such a refusal: cuts the last record off if it has a sector of zeros and nothing whole
 * begins behind it. False: it is another damage, and the files are as they were.
 */
bool dal_store_wal_mend(const char *path);

#endif
