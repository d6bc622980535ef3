/*
 * JSON from anywhere: read strictly, as trusted, with the last key winning; walked, converted, read
 * as an event. What is taken strictly must come back the same when it is written and read again.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "engine/event/document.h"
#include "engine/event/event.h"
#include "engine/event/path.h"
#include "tests/cases/tape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything that a tape can be asked, on whatever was let through. */
static void walk(const struct dal_json *json)
{
	struct dal_buffer key = {0};
	for (uint32_t node = 0; node < json->count; node++) {
		struct dal_slice raw = dal_json_raw(json, node);
		DAL_ASSERT(raw.data >= json->text &&
			   raw.data + raw.size <= json->text + json->size);
		DAL_ASSERT(dal_json_next(json, node) > node &&
			   dal_json_next(json, node) <= json->count);
		switch (dal_json_kind(json, node)) {
		case DAL_JSON_STRING:
			DAL_ASSERT(dal_json_string(json, node).size <= raw.size - 2);
			break;
		case DAL_JSON_INTEGER:
			(void)dal_json_integer(json, node);
			(void)dal_json_double(json, node);
			break;
		case DAL_JSON_FLOAT:
			(void)dal_json_double(json, node);
			break;
		case DAL_JSON_OBJECT:
			(void)dal_json_find(json, node, dal_slice_text("data"));
			break;
		case DAL_JSON_ARRAY:
			(void)dal_json_at(json, node, dal_json_count(json, node) / 2);
			break;
		default:
			break;
		}
		(void)dal_key_text(json, node, &key);
	}
	dal_buffer_deinit(&key);
}

static void read_event(const struct dal_json *json)
{
	struct dal_event event;
	struct dal_error error;
	dal_event_view(&event, json);
	(void)dal_event_attribute(&event, dal_slice_text("subject"));
	(void)dal_event_read(&event, json, &error);
}

/* Also with LAST_WINS no duplicates may be left: written again it passes the strict reader. */
static void check_round_trip(const struct dal_json *json)
{
	struct dal_buffer once = {0}, twice = {0};
	struct dal_json *again = dal_json_new();
	dal_tape_write(json, DAL_JSON_ROOT, &once);
	DAL_ASSERT(dal_json_parse(again, dal_buffer_slice(&once), 0, NULL) == 0);
	DAL_ASSERT(again->count == json->count);
	dal_tape_write(again, DAL_JSON_ROOT, &twice);
	DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&once), dal_buffer_slice(&twice)));
	dal_json_free(again);
	dal_buffer_deinit(&once);
	dal_buffer_deinit(&twice);
}

static int try_flags(struct dal_json *json, struct dal_slice text, int flags)
{
	struct dal_json_error error = {0};
	int result = dal_json_parse(json, text, flags, &error);
	if (result == 0) {
		walk(json);
		read_event(json);
	} else {
		DAL_ASSERT(result == DAL_JSON_INVALID && error.reason &&
			   error.position <= text.size);
		DAL_ASSERT(json->count == 0);
	}
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dal_json *json = dal_json_new();
	struct dal_slice text = dal_slice(data, size);
	char *padded = dal_calloc(1, size + DAL_JSON_PADDING);
	if (size) {
		memcpy(padded, data, size);
	}
	int trusted = try_flags(json, dal_slice(padded, size), DAL_JSON_PADDED | DAL_JSON_TRUSTED);
	int last_wins = try_flags(json, text, DAL_JSON_LAST_WINS);
	if (last_wins == 0) {
		check_round_trip(json);
	}
	int strict = try_flags(json, text, 0);
	DAL_ASSERT(strict != 0 || (trusted == 0 && last_wins == 0));
	if (strict == 0) {
		check_round_trip(json);
		DAL_ASSERT(dal_document_equal(text, text));
	}
	dal_json_free(json);
	free(padded);
	return 0;
}
