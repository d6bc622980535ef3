/*
 * Selected tapes: the first byte chooses names out of the text that follows. Of a valid text each
 * scan must find what the full tape projects to; of any other it may find what it likes, in memory
 * that is its own.
 */
#include <stdint.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/base/memory.h"
#include "tests/unit/event/projection.h"
#include "tests/cases/tape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same names whatever the scan: by a hash of the key's first byte and of `choice`. */
static void add_names(struct dal_json_names *names, uint32_t field, const struct dal_json *json,
		      uint32_t node, uint32_t choice)
{
	bool object = dal_json_kind(json, node) == DAL_JSON_OBJECT;
	uint32_t child = node + 1;
	for (uint32_t i = dal_json_count(json, node); i > 0; i--) {
		uint32_t id = field;
		if (object) {
			struct dal_slice key = dal_json_string(json, child++);
			uint32_t byte = key.size ? (uint8_t)key.data[0] : 0;
			uint32_t hash = (byte + choice) * 0x9E3779B1u >> 28;
			id = hash % 3 ? dal_json_names_add(names, field, key, hash & 1)
				      : DAL_JSON_NONE;
		}
		if (id != DAL_JSON_NONE) {
			add_names(names, id, json, child, choice);
		}
		child = dal_json_next(json, child);
	}
}

static void add_usual(struct dal_json_names *names)
{
	static const char *const usual[] = {"a", "b", "", "data", "type", "A long name of a field"};
	for (uint32_t parent = 0; parent < 3; parent++) {
		for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++) {
			dal_json_names_add(names, parent, dal_slice_text(usual[i]), i % 2);
		}
	}
}

static void check(struct dal_slice text, const struct dal_json_names *names,
		  const struct dal_json *full)
{
	struct dal_json *json = dal_json_new();
	struct dal_buffer expected = {0}, got = {0};
	if (full) {
		dal_projection_root(full, names, &expected);
	}
	for (int i = 0; dal_projection_scan(i); i++) {
		int r = dal_projection_scan(i)(json, text, names);
		DAL_ASSERT(r == 0 || (r == DAL_JSON_INVALID && json->count == 0 && !full));
		if (r == 0) {
			dal_projection_check(json, names);
		}
		if (full) {
			dal_buffer_clear(&got);
			dal_tape_write(json, DAL_JSON_ROOT, &got);
			DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&got),
						   dal_buffer_slice(&expected)));
		}
	}
	dal_buffer_deinit(&expected);
	dal_buffer_deinit(&got);
	dal_json_free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) {
		return 0;
	}
	struct dal_json *json = dal_json_new();
	struct dal_json_names *names = dal_json_names_new();
	struct dal_slice text = {dal_calloc(1, size - 1 + DAL_JSON_PADDING), size - 1};
	memcpy((char *)text.data, data + 1, text.size);
	bool valid = dal_json_parse(json, text, 0, NULL) == 0;
	if (valid) {
		add_names(names, DAL_JSON_NAMES_ROOT, json, DAL_JSON_ROOT, data[0]);
	} else {
		add_usual(names);
	}
	check(text, names, valid ? json : NULL);
	free((char *)text.data);
	dal_json_names_free(names);
	dal_json_free(json);
	return 0;
}
