#include "tests/unit/state/fixture.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/digest.h"
#include "engine/base/memory.h"

int fixture_setup(void **own)
{
	const char *folder = getenv("TMPDIR");
	char *path = dal_asprintf("%s/dal-state-XXXXXX", folder ? folder : "/tmp");

	*own = path;
	return mkdtemp(path) ? 0 : -1;
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
	int r = nftw(*own, remove_one, 8, FTW_DEPTH | FTW_PHYS);

	free(*own);
	return r;
}

const char *fixture_path(void *own)
{
	return own;
}

struct dal_store *fixture_store(void *own, enum dal_store_shape shape)
{
	struct dal_store_options options = {.path = own, .shape = shape};
	struct dal_store *store = NULL;
	struct dal_error error = {0};

	if (dal_store_open(&options, &store, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return store;
}

struct dal_state *fixture_state(void *own)
{
	struct dal_state *state = NULL;
	struct dal_error error = {0};

	if (dal_state_open(own, dal_slice_text("testlog"), false, &state, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return state;
}

void fixture_write(struct dal_state *state, struct dal_store_batch *batch)
{
	assert_int_equal(dal_store_write(dal_state_store(state), batch, false), 0);
}

void fixture_put(struct dal_state *state, struct dal_slice key, struct dal_slice value)
{
	struct dal_store_batch *batch = dal_store_batch_new();

	dal_store_batch_put(batch, key, value);
	fixture_write(state, batch);
	dal_store_batch_free(batch);
}

char *fixture_dump(struct dal_state *state)
{
	const struct dal_slice all = {0};
	struct dal_store_iterator *iterator = dal_store_iterator_new(dal_state_store(state), NULL,
								     all, all);
	struct dal_buffer out = {0};
	struct dal_slice key, value;

	while (dal_store_iterator_next(iterator, &key, &value) == 0) {
		dal_hex_encode(key, &out);
		dal_buffer_byte(&out, '=');
		dal_hex_encode(value, &out);
		dal_buffer_byte(&out, '\n');
	}
	dal_store_iterator_free(iterator);
	(void)dal_buffer_cstr(&out);
	return out.data;
}
