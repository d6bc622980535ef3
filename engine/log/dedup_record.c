#include "engine/log/dedup_record.h"

#include <errno.h>

#include "engine/base/digest.h"

static const char magic[4] = "DLD1";

void dal_dedup_record_key(int64_t time_us, uint16_t number, uint8_t key[DAL_DEDUP_KEY_BYTES])
{
	uint64_t time = (uint64_t)time_us;
	key[0] = 'D';
	for (int i = 8; i > 0; i--) {
		key[i] = (uint8_t)time;
		time >>= 8;
	}
	key[9] = (uint8_t)(number >> 8);
	key[10] = (uint8_t)number;
}

bool dal_dedup_record_key_read(struct dal_slice key, int64_t *time_us)
{
	uint8_t kind = 0;
	uint64_t time = 0;
	uint16_t number = 0;
	if (!dal_slice_take_u8(&key, &kind) || kind != 'D' || !dal_slice_take_u64be(&key, &time) ||
	    !dal_slice_take_u16be(&key, &number) || key.size > 0 || time > INT64_MAX) {
		return false;
	}
	*time_us = (int64_t)time;
	return true;
}

static void key_write(struct dal_table_key key, struct dal_buffer *out)
{
	dal_buffer_u64be(out, key.a);
	dal_buffer_u64be(out, key.b);
}

static bool key_take(struct dal_slice *from, struct dal_table_key *key)
{
	return dal_slice_take_u64be(from, &key->a) && dal_slice_take_u64be(from, &key->b);
}

void dal_dedup_record_write(const struct dal_dedup_event *events, size_t events_count,
			    const struct dal_dedup_request *requests, size_t requests_count,
			    struct dal_buffer *out)
{
	struct dal_buffer body = {0};
	uint64_t last = 0;
	dal_buffer_varint(&body, events_count);
	for (size_t i = 0; i < events_count; i++) {
		dal_buffer_varint(&body, events[i].offset - last);
		key_write(events[i].key, &body);
		last = events[i].offset;
	}
	dal_buffer_varint(&body, requests_count);
	for (size_t i = 0; i < requests_count; i++) {
		key_write(requests[i].key, &body);
		dal_buffer_sized(&body, requests[i].answer);
	}
	dal_buffer_append(out, magic, sizeof(magic));
	dal_buffer_u64be(out, dal_hash64(dal_buffer_slice(&body), 0));
	dal_buffer_slice_append(out, dal_buffer_slice(&body));
	dal_buffer_deinit(&body);
}

/* A record is passed twice: first checked, which also begins to load what the adding will need. */
enum pass { CHECK, ADD };

static bool events_read(struct dal_slice *from, struct dal_dedup *dedup, enum pass pass)
{
	uint64_t count = 0;
	uint64_t offset = 0;
	if (!dal_slice_take_varint(from, &count)) {
		return false;
	}
	for (uint64_t i = 0; i < count; i++) {
		uint64_t step = 0;
		struct dal_table_key key;
		if (!dal_slice_take_varint(from, &step) || !key_take(from, &key)) {
			return false;
		}
		offset += step;
		if (pass == CHECK) {
			dal_dedup_prefetch(dedup, key);
		} else {
			dal_dedup_add(dedup, key, offset);
		}
	}
	return true;
}

static bool requests_read(struct dal_slice *from, struct dal_dedup *dedup, enum pass pass)
{
	uint64_t count = 0;
	if (!dal_slice_take_varint(from, &count)) {
		return false;
	}
	for (uint64_t i = 0; i < count; i++) {
		struct dal_table_key key;
		struct dal_slice answer;
		if (!key_take(from, &key) || !dal_slice_take_sized(from, &answer)) {
			return false;
		}
		if (pass == ADD) {
			dal_dedup_add_request(dedup, key, answer);
		}
	}
	return true;
}

static bool body_read(struct dal_slice body, struct dal_dedup *dedup, enum pass pass)
{
	return events_read(&body, dedup, pass) && requests_read(&body, dedup, pass) &&
	       body.size == 0;
}

int dal_dedup_record_read(struct dal_slice value, struct dal_dedup *dedup)
{
	struct dal_slice name;
	uint64_t hash = 0;
	if (!dal_slice_take(&value, sizeof(magic), &name) ||
	    memcmp(name.data, magic, sizeof(magic)) != 0 || !dal_slice_take_u64be(&value, &hash) ||
	    dal_hash64(value, 0) != hash || !body_read(value, dedup, CHECK)) {
		return -EBADMSG;
	}
	body_read(value, dedup, ADD);
	return 0;
}

static uint64_t zigzag(uint64_t difference)
{
	return (difference << 1) ^ (uint64_t)((int64_t)difference >> 63);
}

static uint64_t unzigzag(uint64_t coded)
{
	return (coded >> 1) ^ (0 - (coded & 1));
}

/* A body's digest may be longer than what is kept, not shorter. */
static struct dal_slice body_kept(struct dal_slice body)
{
	DAL_ASSERT(body.size >= DAL_DEDUP_BODY_BYTES);
	return dal_slice(body.data, DAL_DEDUP_BODY_BYTES);
}

void dal_dedup_answer_write(struct dal_slice body, const struct dal_log_item *items, size_t count,
			    struct dal_buffer *out)
{
	uint64_t expected = 0;
	dal_buffer_slice_append(out, body_kept(body));
	dal_buffer_varint(out, count);
	for (size_t i = 0; i < count; i++) {
		dal_buffer_varint(out, zigzag(items[i].place.offset - expected));
		expected = items[i].place.offset + 1;
	}
}

int dal_dedup_answer_read(struct dal_slice answer, struct dal_slice body,
			  struct dal_log_item *items, size_t count)
{
	struct dal_slice first;
	uint64_t first_count = 0;
	if (!dal_slice_take(&answer, DAL_DEDUP_BODY_BYTES, &first) ||
	    !dal_slice_take_varint(&answer, &first_count)) {
		return -EBADMSG;
	}
	if (!dal_slice_equal(first, body_kept(body)) || first_count != count) {
		return DAL_LOG_CONFLICT;
	}
	uint64_t expected = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t coded = 0;
		if (!dal_slice_take_varint(&answer, &coded)) {
			return -EBADMSG;
		}
		items[i].place.offset = expected + unzigzag(coded);
		expected = items[i].place.offset + 1;
	}
	return 0;
}
