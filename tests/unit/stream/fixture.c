#include "tests/unit/stream/fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/memory.h"

static const struct dal_field func_fields[] = {{.name = "x", .kind = DAL_FIELD_STRING, .doc = "x"},
					       {0}};
static const struct dal_declarable func = {.name = "func",
					   .named = true,
					   .rights = DAL_DECLARE_OPERATOR,
					   .fields = func_fields,
					   .doc = "a function"};
static const struct dal_declarable *const declarables[] = {&func, NULL};

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
	(void)st;
	(void)kind;
	(void)walk;
	return remove(path);
}

static void folder_remove(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int fixture_setup(void **own)
{
	struct fixture *f = dal_calloc(1, sizeof(*f));
	const char *parent = getenv("TMPDIR");
	char *path;
	struct dal_error error = {0};

	f->folder = dal_asprintf("%s/dal-stream-XXXXXX", parent ? parent : "/tmp");
	if (!mkdtemp(f->folder)) {
		return -1;
	}
	path = dal_asprintf("%s/log", f->folder);
	if (dal_log_open(&(struct dal_log_options){.path = path, .disk_free_bytes = 1}, &f->log,
			 &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		return -1;
	}
	free(path);
	f->target = (struct dal_target){.name = "check", .age_us = 3600000000};
	f->cache_entries = 1000;
	f->batch_events = 1000;
	*own = f;
	return 0;
}

int fixture_teardown(void **own)
{
	struct fixture *f = *own;

	fixture_close(f);
	dal_log_close(f->log);
	dal_errors_deinit(&f->errors);
	folder_remove(f->folder);
	free(f->folder);
	free(f);
	return 0;
}

void fixture_rules(struct fixture *f, const char *text)
{
	struct dal_rules_source sources[] = {
		{"dalamb.lua", dal_slice_text("func \"check\" {}"), DAL_RULES_OPERATOR},
		{"rules/test.lua", dal_slice_text(text), DAL_RULES_RULES},
	};
	struct dal_errors errors = {0};
	int r = dal_rules_load(&(struct dal_rules_options){.sources = sources,
							   .count = 2,
							   .declarables = declarables,
							   .call_declarable = "func"},
			       &f->rules, &errors, NULL);

	if (r != 0) {
		fail_msg("%s:%d: %s", errors.items[0].file, errors.items[0].line,
			 errors.items[0].text);
	}
}

void fixture_load(struct fixture *f, const char *rules)
{
	char *path = dal_asprintf("%s/state", f->folder);
	struct dal_error error = {0};

	fixture_rules(f, rules);
	if (dal_state_open(path, dal_log_id(f->log), false, &f->state, &error) != 0) {
		fail_msg("%s", error.text);
	}
	free(path);
}

struct dal_lane_options fixture_lane_options(struct fixture *f)
{
	return (struct dal_lane_options){
		.state = f->state,
		.log = f->log,
		.number = f->number,
		.rules = f->rules,
		.targets = &f->target,
		.target_count = 1,
		.app = "test",
		.cache_entries = f->cache_entries,
		.outbox = !f->no_outbox,
		.rights = f->rights,
		.rebuild_changed = f->rebuild_changed,
		.watch = f->watch,
		.own = f->own,
	};
}

int fixture_open(struct fixture *f, const char *rules)
{
	struct dal_lane_options options;
	int r;

	fixture_load(f, rules);
	options = fixture_lane_options(f);
	r = dal_lane_new(&options, &f->lane, &f->errors);
	return r == 0 ? dal_lane_build(f->lane, NULL, NULL) : r;
}

void fixture_close(struct fixture *f)
{
	dal_lane_free(f->lane);
	dal_rules_unref(f->rules);
	dal_state_close(f->state);
	f->lane = NULL;
	f->rules = NULL;
	f->state = NULL;
}

void fixture_forget(struct fixture *f)
{
	char *path = dal_asprintf("%s/state", f->folder);

	fixture_close(f);
	folder_remove(path);
	free(path);
}

uint64_t fixture_append_to(struct fixture *f, const char *topic, const char *event)
{
	struct dal_log_item item = {.topic = dal_slice_text(topic), .event = dal_slice_text(event)};

	assert_int_equal(dal_log_append_wait(f->log,
					     &(struct dal_log_append){.items = &item, .count = 1}),
			 0);
	return item.place.offset;
}

uint64_t fixture_append(struct fixture *f, const char *type, const char *data)
{
	static unsigned id;
	char *event = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/t\","
				   "\"type\":\"%s\",\"data\":%s}",
				   ++id, type, data);
	uint64_t offset = fixture_append_to(f, "events", event);

	free(event);
	return offset;
}

/* What a read that gives no events means, as the worker takes it. */
static int nothing_read(struct fixture *f, struct dal_log_reader *reader,
			const struct dal_log_batch *batch, int r)
{
	struct dal_place place;
	struct dal_error why;

	if (r == DAL_LOG_LOST) {
		dal_log_reader_lost(reader, &place, &why);
		dal_lane_lost(f->lane, &place, &why);
		return DAL_LANE_HALTED;
	}
	if (r == DAL_LOG_END) {
		dal_lane_pass(f->lane, &batch->position);
		r = dal_lane_commit(f->lane);
	}
	return r;
}

int fixture_run(struct fixture *f)
{
	struct dal_log_batch batch = {0};
	struct dal_log_reader *reader;
	int r;

	assert_int_equal(dal_log_follow(f->log, f->number, dal_lane_position(f->lane), &reader), 0);
	while ((r = dal_log_read(reader, f->batch_events, 1 << 20, &batch)) == 0) {
		r = dal_lane_process(f->lane, &batch);
		if (r != 0) {
			break;
		}
	}
	if (batch.count == 0) {
		r = nothing_read(f, reader, &batch, r);
	}
	dal_log_batch_release(&batch);
	dal_log_reader_free(reader);
	return r;
}

char *fixture_view(struct fixture *f, const char *projection, const char *key)
{
	long index = dal_rules_projection_index(f->rules, dal_slice_text(projection));
	struct dal_view_name name = {
		.lane = f->number,
		.projection = dal_slice_text(projection),
		.version = dal_rules_projection(f->rules, (size_t)index)->version};
	struct dal_view_entry entry;
	struct dal_buffer memory = {0};
	char *text = NULL;
	int r = dal_view_get(f->state, NULL, &name, dal_slice_text(key), &entry, &memory);

	assert_true(r >= 0);
	if (r == 0) {
		text = dal_slice_dup(entry.json);
	}
	dal_buffer_deinit(&memory);
	return text;
}

void fixture_digest(struct fixture *f, char hex[65])
{
	assert_int_equal(dal_state_digest(f->state, f->number, hex), 0);
}

struct rows {
	size_t count;
	char *id;
};

static bool on_row(const struct dal_row *row, void *own)
{
	struct rows *rows = own;
	struct dal_buffer id = {0};

	if (rows->count++ == 0) {
		dal_row_id_format(&row->id, &id);
		rows->id = dal_slice_dup(dal_buffer_slice(&id));
		dal_buffer_deinit(&id);
	}
	return true;
}

size_t fixture_rows(struct fixture *f, enum dal_row_status status)
{
	struct rows rows = {0};

	assert_true(dal_outbox_scan(f->state, f->number, status, NULL, 0, on_row, &rows) >= 0);
	free(rows.id);
	return rows.count;
}

char *fixture_row_id(struct fixture *f, enum dal_row_status status)
{
	struct rows rows = {0};

	assert_true(dal_outbox_scan(f->state, f->number, status, NULL, 0, on_row, &rows) >= 0);
	assert_non_null(rows.id);
	return rows.id;
}

uint64_t fixture_complete(struct fixture *f, const char *row, bool failed)
{
	char *event = dal_asprintf(
		"{\"specversion\":\"1.0\",\"id\":\"%s.done\",\"source\":\"/dalamb/test\","
		"\"type\":\"dalamb.function.%s\",\"data\":{\"row\":\"%s\",\"name\":\"check\","
		"\"result\":{\"risk\":1}}}",
		row, failed ? "failed" : "succeeded", row);
	uint64_t offset = fixture_append_to(f, "system", event);

	free(event);
	return offset;
}
