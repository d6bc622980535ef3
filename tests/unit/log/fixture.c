#include "tests/unit/log/fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/memory.h"

int fixture_setup(void **own)
{
	const char *base = getenv("TMPDIR");
	struct fixture *f = dal_calloc(1, sizeof(*f));
	f->folder = dal_asprintf("%s/dal-log-XXXXXX", base ? base : "/tmp");
	if (!mkdtemp(f->folder)) {
		return -1;
	}
	f->path = dal_asprintf("%s/log", f->folder);
	f->options = (struct dal_log_options){.path = f->path, .disk_free_bytes = 1};
	*own = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

int fixture_teardown(void **own)
{
	struct fixture *f = *own;
	fixture_close(f);
	int r = nftw(f->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(f->folder);
	free(f->path);
	free(f);
	return r;
}

void fixture_open(struct fixture *f)
{
	struct dal_error error = {0};
	if (dal_log_open(&f->options, &f->log, &error) != 0) {
		fail_msg("%s", error.text);
	}
}

void fixture_close(struct fixture *f)
{
	dal_log_close(f->log);
	f->log = NULL;
}

void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

struct dal_store *store_open(struct fixture *f)
{
	struct dal_store_options options = {.path = f->path, .shape = DAL_STORE_LOG};
	struct dal_store *store = NULL;
	assert_int_equal(dal_store_open(&options, &store, NULL), 0);
	return store;
}

uint64_t append_to(struct fixture *f, const char *topic, const char *event, const char *dedup,
		   bool *repeated)
{
	struct dal_log_item item = {
		.topic = dal_slice_text(topic),
		.event = dal_slice_text(event),
		.dedup = dal_slice_text(dedup),
	};
	struct dal_log_append append = {.items = &item, .count = 1};
	assert_int_equal(dal_log_append_wait(f->log, &append), 0);
	assert_true(dal_slice_is(item.place.topic, topic));
	assert_int_equal(item.place.partition, 0);
	if (repeated) {
		*repeated = item.repeated;
	}
	return item.place.offset;
}

uint64_t append_event(struct fixture *f, const char *event)
{
	return append_to(f, DAL_TOPIC_EVENTS, event, NULL, NULL);
}

uint64_t log_end(struct fixture *f)
{
	struct dal_position end = {0};
	dal_log_end(f->log, 0, &end);
	assert_int_equal(end.count, 1);
	assert_true(dal_slice_is(end.marks[0].topic, "*"));
	uint64_t next = end.marks[0].next;
	dal_position_deinit(&end);
	return next;
}

struct dal_log_reader *reader_at(struct fixture *f, uint64_t next, const char *topic)
{
	struct dal_log_reader *reader = NULL;
	assert_int_equal(dal_log_reader_new(f->log, 0, DAL_POSITION_AT(next), topic, &reader), 0);
	return reader;
}

static void check_record(const struct dal_log_record *record, const char *topic)
{
	assert_int_equal(record->place.partition, 0);
	assert_true(record->appended_us > 0);
	if (topic) {
		assert_true(dal_slice_is(record->place.topic, topic));
	}
	/* Under a sanitizer this notices bytes that can't be read. */
	volatile char sum = 0;
	for (size_t i = 0; i < DAL_JSON_PADDING; i++) {
		sum = (char)(sum + record->event.data[record->event.size + i]);
	}
}

size_t read_all(struct fixture *f, uint64_t next, const char *topic, size_t at_once)
{
	struct dal_log_reader *reader = reader_at(f, next, topic);
	struct dal_log_batch batch = {0};
	uint64_t last = next - 1;
	size_t count = 0;
	int r;
	while ((r = dal_log_read(reader, at_once, 1 << 20, &batch)) == 0) {
		assert_in_range(batch.count, 1, at_once);
		for (size_t i = 0; i < batch.count; i++) {
			uint64_t offset = batch.records[i].place.offset;
			assert_true(topic ? offset > last : offset == last + 1);
			last = offset;
			check_record(&batch.records[i], topic);
		}
		count += batch.count;
	}
	assert_int_equal(r, DAL_LOG_END);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return count;
}

char *event_at(struct fixture *f, uint64_t offset)
{
	struct dal_log_reader *reader = reader_at(f, offset, NULL);
	struct dal_log_batch batch = {0};
	assert_int_equal(dal_log_read(reader, 1, 1, &batch), 0);
	assert_int_equal(batch.count, 1);
	assert_int_equal(batch.records[0].place.offset, offset);
	char *text = dal_slice_dup(batch.records[0].event);
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return text;
}
