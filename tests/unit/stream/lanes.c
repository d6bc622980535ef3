#include "tests/unit/stream/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/memory.h"

static const char *const topics[] = {"clicks", NULL};

int lanes_setup(void **own)
{
	int r = fixture_setup(own);

	if (r == 0) {
		lanes_reopen_log(*own, &(struct lanes_log_options){.lanes = LANES,
								   .topics = topics,
								   .gap = LANES_GAP,
								   .clock_us = LANES_CLOCK_US});
	}
	return r;
}

void lanes_reopen_log(struct fixture *f, const struct lanes_log_options *options)
{
	dal_log_close(f->log);
	lanes_log_open(options, &f->log);
}

char *lanes_event(const char *type, const char *data, const char *more)
{
	static unsigned id;

	return dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/t\","
			    "\"type\":\"%s\",\"data\":%s%s}",
			    ++id, type, data, more);
}

uint64_t lanes_append(struct fixture *f, const char *topic, uint16_t lane, const char *type,
		      const char *data)
{
	char *event = lanes_event(type, data, "");
	struct dal_log_item item = {.topic = dal_slice_text(topic),
				    .event = dal_slice_text(event),
				    .placed = true,
				    .lane = lane};

	assert_int_equal(dal_log_append_wait(f->log,
					     &(struct dal_log_append){.items = &item, .count = 1}),
			 0);
	free(event);
	return item.place.offset;
}

uint64_t lanes_write(struct fixture *f, const char *topic, uint16_t lane, const char *type,
		     const char *data, const char *more)
{
	char *event = lanes_event(type, data, more);
	uint64_t offset = lanes_log_write(f->log, topic, lane, event, NULL);

	free(event);
	return offset;
}

uint64_t lanes_complete(struct fixture *f, const char *row, bool failed)
{
	char *data = dal_asprintf("{\"row\":\"%s\",\"name\":\"check\",\"result\":{}}", row);
	uint64_t offset = lanes_append(
		f, "system", f->number,
		failed ? "dalamb.function.failed" : "dalamb.function.succeeded", data);

	free(data);
	return offset;
}

char *lanes_row(struct fixture *f, const char *topic, uint64_t offset)
{
	struct dal_slice log = dal_log_id(f->log);

	return dal_asprintf("%.*s/%s/%u/%llu/r/check/0", (int)log.size, log.data, topic, f->number,
			    (unsigned long long)offset);
}

static bool on_row(const struct dal_row *row, void *own)
{
	struct lanes_rows *rows = own;
	struct dal_buffer id = {0};

	assert_true(rows->count < sizeof(rows->list) / sizeof(rows->list[0]));
	dal_row_id_format(&row->id, &id);
	rows->list[rows->count].id = dal_slice_dup(dal_buffer_slice(&id));
	rows->list[rows->count].topic = dal_slice_dup(row->topic);
	rows->list[rows->count].payload = dal_slice_dup(row->payload);
	rows->list[rows->count++].hops = row->hops;
	dal_buffer_deinit(&id);
	return true;
}

void lanes_rows_read(struct fixture *f, struct lanes_rows *rows)
{
	struct dal_slice of_log = {0};

	*rows = (struct lanes_rows){0};
	assert_true(dal_outbox_scan(f->state, f->number, DAL_ROW_OPEN, &of_log, 0, on_row, rows) >=
		    0);
}

void lanes_rows_free(struct lanes_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		free(rows->list[i].id);
		free(rows->list[i].topic);
		free(rows->list[i].payload);
	}
	rows->count = 0;
}

void lanes_expect_at_end(struct fixture *f)
{
	struct dal_position end = {0};

	dal_log_end(f->log, f->number, &end);
	assert_true(end.count > 1);
	assert_true(dal_position_equal(dal_lane_position(f->lane), &end));
	dal_position_deinit(&end);
}

void lanes_fold(struct fixture *f, const char *rules)
{
	assert_int_equal(fixture_open(f, rules), 0);
	assert_int_equal(fixture_run(f), 0);
	lanes_expect_at_end(f);
}

void lanes_expect_view(struct fixture *f, const char *projection, const char *key, const char *json)
{
	char *text = fixture_view(f, projection, key);

	if (json && text) {
		assert_string_equal(text, json);
	} else {
		assert_null(json);
		assert_null(text);
	}
	free(text);
}
