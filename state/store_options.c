#include "state/store_private.h"

#include "engine/base/limits.h"

#define CACHE_BYTES (32 * DAL_MIB)
#define LOG_BUFFER_BYTES (16 * DAL_MIB)
#define STATE_BUFFER_BYTES (16 * DAL_MIB)
#define ARENA_BYTES (256 * DAL_KIB)
#define BLOB_BYTES (4 * DAL_KIB)
#define BLOOM_BITS 10
#define MEMTABLE_BLOOM 0.05 /* of a write buffer */
#define OPEN_FILES 512
#define LEVEL_WARN 2

/* Idle memory, open files and RocksDB's own log file are small and bounded, whatever the shape. */
static void set_common(rocksdb_options_t *to, const struct dal_store_options *options)
{
	rocksdb_options_set_create_if_missing(to, !options->read_only);
	rocksdb_options_set_paranoid_checks(to, 1);
	rocksdb_options_set_max_open_files(to, OPEN_FILES);
	rocksdb_options_set_max_file_opening_threads(to, 2);
	rocksdb_options_set_max_background_jobs(to, 2);
	rocksdb_options_set_arena_block_size(to, ARENA_BYTES);
	rocksdb_options_set_skip_stats_update_on_db_open(to, 1);
	rocksdb_options_set_stats_dump_period_sec(to, 0);
	rocksdb_options_set_stats_persist_period_sec(to, 0);
	rocksdb_options_set_info_log_level(to, LEVEL_WARN);
	rocksdb_options_set_max_log_file_size(to, 1 * DAL_MIB);
	rocksdb_options_set_keep_log_file_num(to, 2);
}

/*
 * The index and the filters count towards the cache, so that memory is bounded by it. They are cut
 * into partitions: whole ones of a table (some 500 KB) are larger than a shard of the cache, and
 * would be read again for every get.
 */
static void set_table(rocksdb_options_t *to, const struct dal_store_options *options,
		      size_t block_bytes)
{
	rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
	rocksdb_cache_t *cache = rocksdb_cache_create_lru(
		options->cache_bytes ? options->cache_bytes : CACHE_BYTES);

	rocksdb_block_based_options_set_block_cache(table, cache);
	rocksdb_block_based_options_set_block_size(table, block_bytes);
	rocksdb_block_based_options_set_format_version(table, 5);
	rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
	rocksdb_block_based_options_set_index_type(
		table, rocksdb_block_based_table_index_type_two_level_index_search);
	rocksdb_block_based_options_set_partition_filters(table, 1);
	rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
	rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
	rocksdb_block_based_options_set_filter_policy(
		table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS)); /* owned by table */
	rocksdb_options_set_block_based_table_factory(to, table);
	rocksdb_cache_destroy(cache); /* our reference; the table keeps its own */
	rocksdb_block_based_options_destroy(table);
}

/*
 * Large values lie in blob files, written once at a flush: compaction merges keys alone. It would
 * rewrite the values else, because each flush holds some of every kind of key (blocks, times, dedup
 * entries) and so overlaps all others. A blob file whose blocks are all dropped goes away.
 *
 * WAL recovery: an incomplete record at the end is cut (it was never acknowledged; store_wal.h:
 * with zeros in it, too), anything else that is wrong refuses to open. The default would silently
 * drop what follows the corruption.
 */
static void set_log(rocksdb_options_t *to, const struct dal_store_options *options)
{
	rocksdb_options_set_write_buffer_size(
		to, options->write_buffer_bytes ? options->write_buffer_bytes : LOG_BUFFER_BYTES);
	rocksdb_options_set_compression(to, rocksdb_no_compression);
	rocksdb_options_set_enable_blob_files(to, 1);
	rocksdb_options_set_min_blob_size(to, BLOB_BYTES);
	rocksdb_options_set_enable_blob_gc(to, 0);
	rocksdb_options_set_wal_recovery_mode(to, rocksdb_tolerate_corrupted_tail_records_recovery);
	set_table(to, options, 16 * DAL_KIB);
}

/*
 * WAL recovery: the longest prefix that is whole. The state is derived, so an earlier one is as
 * good: the worker goes on from its position.
 */
static void set_state(rocksdb_options_t *to, const struct dal_store_options *options, bool compress)
{
	rocksdb_options_set_write_buffer_size(
		to, options->write_buffer_bytes ? options->write_buffer_bytes : STATE_BUFFER_BYTES);
	rocksdb_options_set_compression(to, compress ? rocksdb_lz4_compression
						     : rocksdb_no_compression);
	rocksdb_options_set_level_compaction_dynamic_level_bytes(to, 1);
	/* Most keys that are read are in no memtable: saves half of a get. */
	rocksdb_options_set_memtable_whole_key_filtering(to, 1);
	rocksdb_options_set_memtable_prefix_bloom_size_ratio(to, MEMTABLE_BLOOM);
	rocksdb_options_set_wal_recovery_mode(to, rocksdb_point_in_time_recovery);
	set_table(to, options, 4 * DAL_KIB);
}

rocksdb_options_t *dal_store_options_new(const struct dal_store_options *options, bool compress)
{
	rocksdb_options_t *to = rocksdb_options_create();

	set_common(to, options);
	if (options->shape == DAL_STORE_LOG) {
		set_log(to, options);
	} else {
		set_state(to, options, compress);
	}
	return to;
}
