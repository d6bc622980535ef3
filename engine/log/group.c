#include "engine/log/group.h"

#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

enum {
	COMPRESSION_LEVEL = 1,
	/* Look-ups are begun so many items ahead, so that their cache misses overlap. */
	PREFETCH_AHEAD = 16,
	RECORD_REQUESTS = 32,
};

void dal_group_init(struct dal_group *group, const struct dal_embedded *log,
		    struct dal_dedup *dedup, uint64_t next, int64_t last_time_us)
{
	*group = (struct dal_group){
		.log = log,
		.dedup = dedup,
		.compressor = dal_compressor_new(COMPRESSION_LEVEL),
		.next = next,
		.time_us = last_time_us,
		.origin = log->meta.origin,
		.batch = dal_store_batch_new(),
	};
}

static void blocks_forget(struct dal_group *group)
{
	for (size_t i = 0; i < group->blocks_count; i++) {
		dal_block_unref(group->blocks[i]);
	}
	group->blocks_count = 0;
}

void dal_group_deinit(struct dal_group *group)
{
	blocks_forget(group);
	dal_dedup_free(group->dedup);
	dal_compressor_free(group->compressor);
	dal_store_batch_free(group->batch);
	dal_buffer_deinit(&group->answers);
	dal_buffer_deinit(&group->scratch);
	free(group->items);
	free(group->events);
	free(group->requests);
	free(group->blocks);
}

/* --- settling --- */

/* Dedup records that are of no use any more go away in the batch that comes next. */
static void delete_old_records(struct dal_group *group, int64_t kept_since_us)
{
	uint8_t from[DAL_DEDUP_KEY_BYTES];
	uint8_t to[DAL_DEDUP_KEY_BYTES];
	if (kept_since_us <= group->kept_since_us) {
		return;
	}
	dal_dedup_record_key(0, 0, from);
	dal_dedup_record_key(kept_since_us, 0, to);
	dal_store_batch_delete_range(group->batch, dal_slice(from, sizeof(from)),
				     dal_slice(to, sizeof(to)));
	group->kept_since_us = kept_since_us;
}

void dal_group_begin(struct dal_group *group)
{
	int64_t now_us = dal_clock_now_us();
	blocks_forget(group);
	dal_store_batch_clear(group->batch);
	dal_buffer_clear(&group->answers);
	group->items_count = group->events_count = group->requests_count = group->repeated = 0;
	group->origin_moved = false;
	/* Monotone, whatever the wall clock does, and different for each group. */
	group->time_us = now_us > group->time_us ? now_us : group->time_us + 1;
	delete_old_records(group, dal_dedup_advance(group->dedup, group->time_us));
}

static struct dal_table_key item_key(const struct dal_log_item *item)
{
	return (struct dal_table_key){item->private_.key[0], item->private_.key[1]};
}

static void item_append(struct dal_group *group, struct dal_log_item *item)
{
	item->place.offset = group->next++;
	item->repeated = false;
	DAL_GROW(group->items, group->items_count, group->items_capacity);
	group->items[group->items_count++] = (struct dal_block_item){item->event,
								     item->private_.topic};
	if (item->dedup.size > 0) {
		dal_dedup_add(group->dedup, item_key(item), item->place.offset);
		DAL_GROW(group->events, group->events_count, group->events_capacity);
		group->events[group->events_count++] = (struct dal_dedup_event){item_key(item),
										item->place.offset};
	}
}

static void item_settle(struct dal_group *group, struct dal_log_item *item)
{
	item->place.topic = item->topic;
	item->place.partition = 0;
	if (item->dedup.size > 0 &&
	    dal_dedup_find(group->dedup, item_key(item), &item->place.offset)) {
		item->repeated = true;
		group->repeated++;
	} else {
		item_append(group, item);
	}
}

static void items_settle(struct dal_group *group, struct dal_log_append *append)
{
	for (size_t i = 0; i < append->count; i++) {
		if (i % PREFETCH_AHEAD == 0) {
			for (size_t k = i; k < append->count && k < i + PREFETCH_AHEAD; k++) {
				dal_dedup_prefetch(group->dedup, item_key(&append->items[k]));
			}
		}
		item_settle(group, &append->items[i]);
	}
}

/* The request came before: the same answer, or a conflict. */
static void request_repeat(struct dal_group *group, struct dal_log_append *append,
			   struct dal_slice answer)
{
	append->result = dal_dedup_answer_read(answer, append->request_body, append->items,
					       append->count);
	if (append->result != 0) {
		return;
	}
	for (size_t i = 0; i < append->count; i++) {
		append->items[i].place.topic = append->items[i].topic;
		append->items[i].place.partition = 0;
		append->items[i].repeated = true;
	}
	group->repeated += append->count;
}

static void request_remember(struct dal_group *group, const struct dal_log_append *append,
			     struct dal_table_key key)
{
	size_t start = group->answers.size;
	dal_dedup_answer_write(append->request_body, append->items, append->count, &group->answers);
	struct dal_slice answer = dal_slice(group->answers.data + start,
					    group->answers.size - start);
	dal_dedup_add_request(group->dedup, key, answer);
	DAL_GROW(group->requests, group->requests_count, group->requests_capacity);
	group->requests[group->requests_count++] = (struct dal_dedup_request){key, answer};
}

void dal_group_add(struct dal_group *group, struct dal_log_append *append)
{
	struct dal_table_key key = {0};
	struct dal_slice answer;
	append->result = 0;
	if (append->request_key.size > 0) {
		key = dal_embedded_hash(group->log, append->request_key);
		if (dal_dedup_find_request(group->dedup, key, &answer)) {
			request_repeat(group, append, answer);
			return;
		}
	}
	items_settle(group, append);
	if (append->request_key.size > 0) {
		request_remember(group, append, key);
	}
	if (append->origin > group->origin) {
		group->origin = append->origin;
		group->origin_moved = true;
	}
}

/* --- sealing --- */

/* How many of these items make the next block: one at least. */
static size_t block_cut(const struct dal_block_item *items, size_t count)
{
	size_t bytes = 0;
	size_t n = 0;
	while (n < count && n < DAL_LIMIT_LOG_BLOCK_EVENTS) {
		bytes += items[n].event.size;
		if (n > 0 && bytes > DAL_LIMIT_LOG_BLOCK_BYTES) {
			break;
		}
		n++;
	}
	return n;
}

static void blocks_seal(struct dal_group *group)
{
	uint64_t first = group->next - group->items_count;
	for (size_t i = 0; i < group->items_count;) {
		size_t n = block_cut(&group->items[i], group->items_count - i);
		struct dal_block *block = dal_block_new(first + i, group->time_us, &group->items[i],
							n);
		uint8_t key[DAL_BLOCK_KEY_BYTES];
		dal_block_key(block->first, key);
		dal_buffer_clear(&group->scratch);
		dal_block_write(block, group->compressor, &group->scratch);
		dal_store_batch_put(group->batch, dal_slice(key, sizeof(key)),
				    dal_buffer_slice(&group->scratch));
		DAL_GROW(group->blocks, group->blocks_count, group->blocks_capacity);
		group->blocks[group->blocks_count++] = block;
		i += n;
	}
}

/* The buffer of the answers may have moved while it grew. */
static void answers_locate(struct dal_group *group)
{
	const char *at = group->answers.data;
	for (size_t i = 0; i < group->requests_count; i++) {
		group->requests[i].answer.data = at;
		at += group->requests[i].answer.size;
	}
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void records_seal(struct dal_group *group)
{
	size_t e = 0;
	size_t r = 0;
	answers_locate(group);
	for (uint16_t number = 0; e < group->events_count || r < group->requests_count; number++) {
		size_t events = smaller(group->events_count - e, DAL_DEDUP_RECORD_EVENTS);
		size_t requests = smaller(group->requests_count - r, RECORD_REQUESTS);
		uint8_t key[DAL_DEDUP_KEY_BYTES];
		dal_dedup_record_key(group->time_us, number, key);
		dal_buffer_clear(&group->scratch);
		dal_dedup_record_write(group->events + e, events, group->requests + r, requests,
				       &group->scratch);
		dal_store_batch_put(group->batch, dal_slice(key, sizeof(key)),
				    dal_buffer_slice(&group->scratch));
		e += events;
		r += requests;
	}
}

void dal_group_seal(struct dal_group *group)
{
	blocks_seal(group);
	records_seal(group);
	if (group->origin_moved) {
		dal_meta_put_origin(group->batch, 0, group->origin);
	}
}
