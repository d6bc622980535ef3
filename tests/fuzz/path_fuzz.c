/*
 * Paths, positions and row ids as people type them.
 */
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/event/event.h"
#include "engine/event/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_path(struct dal_slice text)
{
	struct dal_path *path;
	struct dal_error error;
	if (dal_path_parse(text, &path, &error) == 0) {
		DAL_ASSERT(dal_path_steps(path) > 0);
		DAL_ASSERT(dal_slice_equal(dal_path_text(path), text));
		dal_path_free(path);
	}
}

/* What parses is written again the same: there is one text for one place. */
static void try_place(struct dal_slice text)
{
	struct dal_place place;
	struct dal_row_id row;
	struct dal_buffer out = {0};
	if (dal_place_parse(text, NULL, &place)) {
		dal_place_format(&place, &out);
		DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&out), text));
	}
	dal_buffer_clear(&out);
	if (dal_row_id_parse(text, &row)) {
		dal_row_id_format(&row, &out);
		DAL_ASSERT(dal_slice_equal(dal_buffer_slice(&out), text));
	}
	dal_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_path(dal_slice(data, size));
	try_place(dal_slice(data, size));
	return 0;
}
