#include <errno.h>

#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/embedded.h"

struct embedded_reader {
	struct dal_log_reader reader; /* first */
	struct dal_embedded *log;
	uint64_t next;           /* the first offset not given yet */
	int topic;               /* its number; -1: all */
	struct dal_block *block; /* the one that holds `next`, or NULL */
	/* The store's blocks from `next` on, as of when it was made, or NULL. */
	struct dal_store_iterator *iterator;
	struct dal_compressor *compressor; /* made when it is needed */
};

static struct dal_embedded *embedded(struct dal_log *log)
{
	return DAL_CONTAINER(log, struct dal_embedded, log);
}

static struct embedded_reader *embedded_reader(const struct dal_log_reader *reader)
{
	return DAL_CONTAINER(reader, struct embedded_reader, reader);
}

static void position_is(struct dal_position *position, uint64_t next)
{
	dal_position_set(position, dal_slice_text(DAL_POSITION_ALL_TOPICS), 0, next);
}

void dal_embedded_start(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	(void)log;
	(void)lane;
	position_is(position, 1);
}

void dal_embedded_end(struct dal_log *log, uint16_t lane, struct dal_position *position)
{
	(void)lane;
	position_is(position, atomic_load_explicit(&embedded(log)->end, memory_order_acquire));
}

/* --- finding --- */

/* A value of the store is the block that its key says. */
static int head_of(struct dal_slice key, struct dal_slice value, struct dal_block_head *head)
{
	uint64_t first = 0;
	int r = dal_block_head_read(value, head);
	if (r == 0 && (!dal_block_key_read(key, &first) || first != head->first)) {
		r = -EBADMSG;
	}
	return r;
}

int dal_embedded_find(struct dal_store *store, uint64_t offset,
		      struct dal_store_iterator **iterator, struct dal_block_head *head)
{
	uint8_t to[DAL_BLOCK_KEY_BYTES];
	struct dal_slice behind = dal_slice_text("C");
	struct dal_slice key;
	struct dal_slice value;
	if (offset < UINT64_MAX) {
		dal_block_key(offset + 1, to);
		behind = dal_slice(to, sizeof(to));
	}
	*iterator = dal_store_iterator_new_reverse(store, NULL, dal_slice_text("B"), behind);
	int r = dal_store_iterator_next(*iterator, &key, &value);
	return r == 0 ? head_of(key, value, head) : r;
}

/* Once a process: whoever reads meets it again and again. */
static void report_damage(struct dal_embedded *log, uint64_t offset)
{
	if (atomic_exchange(&log->damaged, true)) {
		return;
	}
	dal_logger_write(DAL_LOGGER_ERROR, "log",
			 "%s: the block of offset %llu is damaged or missing: stop, and restore "
			 "the folder from a copy",
			 log->path, (unsigned long long)offset);
}

/* Append times ascend with offsets, so that the offsets are bisected. A damaged block on the way
 * counts as too early. */
int dal_embedded_at(struct dal_log *base, uint16_t lane, int64_t time_us,
		    struct dal_position *position)
{
	struct dal_embedded *log = embedded(base);
	uint64_t low = 1;
	uint64_t high = atomic_load_explicit(&log->end, memory_order_acquire);
	(void)lane;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		struct dal_store_iterator *iterator = NULL;
		struct dal_block_head head;
		int r = dal_embedded_find(log->store, middle, &iterator, &head);
		dal_store_iterator_free(iterator);
		if (r != 0) {
			report_damage(log, middle);
			low = middle + 1;
		} else if (head.appended_us < time_us) {
			low = head.first + head.count;
		} else {
			high = head.first;
		}
	}
	position_is(position, low);
	return 0;
}

/* --- a reader --- */

int dal_embedded_reader_new(struct dal_log *base, uint16_t lane, const struct dal_position *from,
			    const char *topic, struct dal_log_reader **out)
{
	struct dal_embedded *log = embedded(base);
	int number = -1;
	if (lane != 0 && lane != DAL_LOG_ALL_LANES) {
		return -EINVAL;
	}
	if (topic && (number = dal_meta_topic(&log->meta, dal_slice_text(topic))) < 0) {
		return -ENOENT;
	}
	struct embedded_reader *reader = dal_calloc(1, sizeof(*reader));
	reader->reader.log = base;
	reader->log = log;
	reader->topic = number;
	reader->next = 1;
	if (from && from->count > 0 && from->marks[0].next > 0) {
		reader->next = from->marks[0].next;
	}
	*out = &reader->reader;
	return 0;
}

static void iterator_drop(struct embedded_reader *reader)
{
	dal_store_iterator_free(reader->iterator);
	reader->iterator = NULL;
}

static void block_drop(struct embedded_reader *reader)
{
	dal_block_unref(reader->block);
	reader->block = NULL;
}

void dal_embedded_reader_free(struct dal_log_reader *base)
{
	struct embedded_reader *reader = embedded_reader(base);
	block_drop(reader);
	iterator_drop(reader);
	dal_compressor_free(reader->compressor);
	free(reader);
}

/* An iterator that gives the block of `next` first. */
static int iterator_make(struct embedded_reader *reader)
{
	struct dal_store_iterator *found = NULL;
	struct dal_block_head head;
	uint8_t from[DAL_BLOCK_KEY_BYTES];
	int r = dal_embedded_find(reader->log->store, reader->next, &found, &head);
	dal_store_iterator_free(found);
	if (r != 0) {
		return r < 0 ? r : -EBADMSG;
	}
	dal_block_key(head.first, from);
	reader->iterator = dal_store_iterator_new(
		reader->log->store, NULL, dal_slice(from, sizeof(from)), dal_slice_text("C"));
	return 0;
}

/* The head of the block of `next` from the store. An iterator sees nothing that was written after
 * it was made: if it has no more, a new one is made. */
static int head_next(struct embedded_reader *reader, struct dal_block_head *head)
{
	struct dal_slice key;
	struct dal_slice value;
	bool fresh = !reader->iterator;
	int r = fresh ? iterator_make(reader) : 0;
	if (r == 0) {
		r = dal_store_iterator_next(reader->iterator, &key, &value);
	}
	if (r == DAL_STORE_ABSENT && !fresh) {
		iterator_drop(reader);
		return head_next(reader, head);
	}
	if (r == 0) {
		r = head_of(key, value, head);
	}
	if (r == DAL_STORE_ABSENT ||
	    (r == 0 && (head->first > reader->next || head->first + head->count <= reader->next))) {
		r = -EBADMSG;
	}
	return r;
}

/* A block of topics that the meta records don't name isn't this log's. */
static bool topics_known(const struct dal_meta *meta, const struct dal_block_head *head)
{
	struct dal_slice rest = head->topics;
	uint16_t number = 0;
	while (dal_slice_take_u16be(&rest, &number)) {
		if (number >= meta->topics_count || meta->topics[number].name.size == 0) {
			return false;
		}
	}
	return true;
}

static int block_decode(struct embedded_reader *reader, const struct dal_block_head *head)
{
	if (!topics_known(&reader->log->meta, head)) {
		return -EBADMSG;
	}
	if (!reader->compressor && head->compressed) {
		reader->compressor = dal_compressor_new(1);
	}
	return dal_block_read(head, reader->compressor, &reader->block);
}

/* Sets `block`, passing over blocks without the topic. 0, DAL_LOG_END or negative. */
static int block_load(struct embedded_reader *reader, uint64_t end)
{
	while (reader->next < end) {
		struct dal_block_head head;
		reader->block = dal_recent_find(reader->log->recent, reader->next);
		if (reader->block) {
			iterator_drop(reader);
			return 0;
		}
		int r = head_next(reader, &head);
		if (r == 0 && reader->topic >= 0 &&
		    !dal_block_head_has(&head, (uint16_t)reader->topic)) {
			reader->next = head.first + head.count;
			continue;
		}
		if (r == 0) {
			r = block_decode(reader, &head);
		}
		if (r < 0) {
			iterator_drop(reader);
			report_damage(reader->log, reader->next);
		}
		return r;
	}
	return DAL_LOG_END;
}

static void add_record(struct embedded_reader *reader, const struct dal_block *block, uint32_t i,
		       struct dal_slice event, struct dal_log_batch *batch)
{
	struct dal_log_record record = {
		.place = {.topic = reader->log->meta.topics[block->entries[i].topic].name,
			  .offset = block->first + i},
		.appended_us = block->appended_us,
		.event = event,
	};
	dal_log_batch_add(batch, &record);
}

/* Gives events of the block until it ends (true) or the batch is full (false). */
static bool block_give(struct embedded_reader *reader, size_t max_events, size_t max_bytes,
		       struct dal_log_batch *batch)
{
	struct dal_block *block = reader->block;
	size_t before = batch->count;
	uint32_t i = (uint32_t)(reader->next - block->first);
	for (; i < block->count; i++) {
		struct dal_slice event = dal_block_event(block, i);
		if (reader->topic >= 0 && block->entries[i].topic != reader->topic) {
			continue;
		}
		if (batch->count > 0 &&
		    (batch->count >= max_events || batch->bytes + event.size > max_bytes)) {
			break;
		}
		add_record(reader, block, i, event, batch);
	}
	if (batch->count > before) {
		dal_log_batch_hold(batch, &block->hold);
	}
	reader->next = block->first + i;
	return i == block->count;
}

int dal_embedded_read(struct dal_log_reader *base, size_t max_events, size_t max_bytes,
		      struct dal_log_batch *batch)
{
	struct embedded_reader *reader = embedded_reader(base);
	uint64_t end = atomic_load_explicit(&reader->log->end, memory_order_acquire);
	for (;;) {
		int r = reader->block ? 0 : block_load(reader, end);
		if (r == DAL_LOG_END) {
			/* It would pin old files and memory while nothing comes. */
			iterator_drop(reader);
		}
		if (r != 0) {
			return batch->count > 0 ? 0 : r;
		}
		if (!block_give(reader, max_events, max_bytes, batch)) {
			return 0;
		}
		block_drop(reader);
	}
}

void dal_embedded_reader_position(const struct dal_log_reader *reader,
				  struct dal_position *position)
{
	position_is(position, embedded_reader(reader)->next);
}
