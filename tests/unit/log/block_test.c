/* The block's format: golden bytes, round trips, and every way of damage told. */
#include "tests/unit/log/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"
#include "engine/log/block.h"

#define EVENT(text, number)                                                                        \
	{                                                                                          \
		.event = DAL_SLICE_LITERAL(text), .topic = (number)                                \
	}

static struct dal_buffer written(const struct dal_block_item *items, size_t count)
{
	struct dal_compressor *compressor = dal_compressor_new(1);
	struct dal_block *block = dal_block_new(17, 1700000000123456, items, count);
	struct dal_buffer out = {0};
	dal_block_write(block, compressor, &out);
	dal_block_unref(block);
	dal_compressor_free(compressor);
	return out;
}

static int read_back(struct dal_slice value, struct dal_block **block)
{
	struct dal_compressor *compressor = dal_compressor_new(1);
	struct dal_block_head head;
	int r = dal_block_head_read(value, &head);
	if (r == 0) {
		r = dal_block_read(&head, compressor, block);
	}
	dal_compressor_free(compressor);
	return r;
}

static void assert_hex(const struct dal_buffer *bytes, const char *hex)
{
	struct dal_buffer text = {0};
	dal_hex_encode(dal_buffer_slice(bytes), &text);
	assert_string_equal(dal_buffer_cstr(&text), hex);
	dal_buffer_deinit(&text);
}

/* What other versions will read: if this fails, the format has changed. */
static void test_golden_bytes(void **own)
{
	const struct dal_block_item one[] = {EVENT("{}", 0), EVENT("{\"a\":1}", 0)};
	const struct dal_block_item two[] = {EVENT("{}", 5), EVENT("", 1), EVENT("[]", 5)};
	(void)own;
	struct dal_buffer bytes = written(one, 2);
	assert_hex(&bytes, "444c42310000004097c73217e7c7667030560fb726ec90c90000000000000011"
			   "00060a2418202240000000000000000200000001000000090000000900000207"
			   "7b7d7b2261223a317d");
	dal_buffer_deinit(&bytes);
	bytes = written(two, 3);
	assert_hex(&bytes, "444c4231000000464ac97241279479572181b71d4092fff70000000000000011"
			   "00060a2418202240000000000000000300000002000000040000000400010005"
			   "0205000102057b7d5b5d");
	dal_buffer_deinit(&bytes);
}

static void assert_same(const struct dal_block *block, const struct dal_block_item *items,
			size_t count)
{
	assert_int_equal(block->first, 17);
	assert_int_equal(block->appended_us, 1700000000123456);
	assert_int_equal(block->count, count);
	for (uint32_t i = 0; i < count; i++) {
		assert_true(dal_slice_equal(dal_block_event(block, i), items[i].event));
		assert_int_equal(block->entries[i].topic, items[i].topic);
	}
	for (size_t i = 0; i < DAL_JSON_PADDING; i++) {
		assert_int_equal(block->payload[block->payload_bytes + i], 0);
	}
}

static void test_round_trips(void **own)
{
	char random[3000];
	char regular[3000];
	(void)own;
	dal_random(random, sizeof(random));
	memset(regular, 'r', sizeof(regular));
	const struct dal_block_item items[] = {
		{{regular, sizeof(regular)}, 0},
		{{random, sizeof(random)}, 255},
		EVENT("", 255),
		{{regular, 1}, 65535},
		{{random, 700}, 300},
	};
	for (size_t from = 0; from < 5; from++) {
		for (size_t count = 1; count <= 5 - from; count++) {
			struct dal_buffer bytes = written(items + from, count);
			struct dal_block *block = NULL;
			assert_int_equal(read_back(dal_buffer_slice(&bytes), &block), 0);
			assert_same(block, items + from, count);
			dal_block_unref(block);
			dal_buffer_deinit(&bytes);
		}
	}
}

static void test_it_compresses_where_it_pays(void **own)
{
	char random[3000];
	char regular[3000];
	(void)own;
	dal_random(random, sizeof(random));
	memset(regular, 'r', sizeof(regular));
	const struct dal_block_item noise = {{random, sizeof(random)}, 0};
	const struct dal_block_item order = {{regular, sizeof(regular)}, 0};
	const struct dal_block_item small = {{regular, 200}, 0};
	struct dal_buffer bytes = written(&order, 1);
	assert_in_range(bytes.size, 60, 200);
	dal_buffer_deinit(&bytes);
	bytes = written(&noise, 1);
	assert_int_equal(bytes.size, 60 + 2 + 2 + sizeof(random));
	dal_buffer_deinit(&bytes);
	bytes = written(&small, 1);
	assert_int_equal(bytes.size, 60 + 2 + 2 + 200);
	dal_buffer_deinit(&bytes);
}

static void test_topics_of_a_head(void **own)
{
	const struct dal_block_item items[] = {EVENT("a", 7), EVENT("b", 2), EVENT("c", 7),
					       EVENT("d", 500)};
	struct dal_block_head head;
	(void)own;
	struct dal_buffer bytes = written(items, 4);
	assert_int_equal(dal_block_head_read(dal_buffer_slice(&bytes), &head), 0);
	assert_int_equal(head.topics.size, 6);
	assert_true(dal_block_head_has(&head, 2));
	assert_true(dal_block_head_has(&head, 7));
	assert_true(dal_block_head_has(&head, 500));
	assert_false(dal_block_head_has(&head, 0));
	assert_false(dal_block_head_has(&head, 3));
	dal_buffer_deinit(&bytes);
}

/* Any byte changed, anywhere; any length cut. */
static void test_damage_is_told(void **own)
{
	const struct dal_block_item items[] = {EVENT("{\"a\":1}", 0), EVENT("{\"b\":2}", 1)};
	struct dal_block *block = NULL;
	(void)own;
	struct dal_buffer bytes = written(items, 2);
	for (size_t i = 0; i < bytes.size; i++) {
		for (int bit = 0; bit < 8; bit++) {
			bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
			assert_int_equal(read_back(dal_buffer_slice(&bytes), &block), -EBADMSG);
			bytes.data[i] = (char)(bytes.data[i] ^ (1 << bit));
		}
	}
	for (size_t size = 0; size < bytes.size; size++) {
		char *exact = dal_malloc(size + 1);
		memcpy(exact, bytes.data, size);
		assert_int_equal(read_back(dal_slice(exact, size), &block), -EBADMSG);
		free(exact);
	}
	assert_int_equal(read_back(dal_buffer_slice(&bytes), &block), 0);
	dal_block_unref(block);
	dal_buffer_deinit(&bytes);
}

static void test_keys(void **own)
{
	uint8_t key[DAL_BLOCK_KEY_BYTES];
	uint64_t first = 0;
	(void)own;
	dal_block_key(0x0102030405060708, key);
	assert_memory_equal(key, "B\1\2\3\4\5\6\7\10", 9);
	assert_true(dal_block_key_read(dal_slice(key, 9), &first));
	assert_true(first == 0x0102030405060708);
	assert_false(dal_block_key_read(dal_slice(key, 8), &first));
	assert_false(dal_block_key_read(dal_slice("C12345678", 9), &first));
	assert_false(dal_block_key_read(dal_slice("B123456789", 10), &first));
}

static void test_references(void **own)
{
	const struct dal_block_item item = EVENT("{}", 0);
	(void)own;
	struct dal_block *block = dal_block_new(1, 1, &item, 1);
	dal_block_ref(block);
	dal_block_unref(block);
	assert_true(dal_slice_is(dal_block_event(block, 0), "{}"));
	assert_in_range(dal_block_memory(block), 64, 300);
	dal_block_unref(block);
	dal_block_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_bytes),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_it_compresses_where_it_pays),
		cmocka_unit_test(test_topics_of_a_head),
		cmocka_unit_test(test_damage_is_told),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_references),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
