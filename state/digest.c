#include <errno.h>

#include "engine/base/digest.h"
#include "state/key.h"
#include "state/outbox.h"

/* Each walk is in key order, so equal states give equal pieces whatever order they were written in.
 */

/* The version is left out: a projection rebuilt beside the old one is the same projection. */
static bool add_entry(struct dal_digester *digester, struct dal_slice key, struct dal_slice value)
{
	struct dal_slice name;
	uint32_t version;

	if (!dal_key_take_name(&key, &name) || !dal_slice_take_u32be(&key, &version)) {
		return false;
	}
	dal_digester_add(digester, name);
	dal_digester_add(digester, key);
	dal_digester_add(digester, value);
	return true;
}

/* Open and delivered are one: which of both depends on when dispatch came to it, not on the log. */
static bool add_status(struct dal_digester *digester, struct dal_slice key, struct dal_slice value)
{
	uint8_t status;

	if (!dal_slice_take_u8(&value, &status)) {
		return false;
	}
	if (status != DAL_ROW_SETTLED) {
		dal_digester_add(digester, key);
		dal_digester_add(digester,
				 dal_slice_text(status == DAL_ROW_DEAD ? "dead" : "open"));
	}
	return true;
}

static int add_kind(struct dal_state *state, uint16_t lane, enum dal_key_kind kind,
		    struct dal_digester *digester,
		    bool (*add)(struct dal_digester *, struct dal_slice key,
				struct dal_slice value))
{
	struct dal_buffer prefix = {0};
	struct dal_store_iterator *walk;
	struct dal_slice key, value;
	int r;

	dal_key_begin(&prefix, lane, kind);
	walk = dal_key_walk_new(state, dal_buffer_slice(&prefix));
	dal_digester_add(digester, dal_slice(prefix.data + 2, 1)); /* tells the kinds apart */
	while ((r = dal_key_walk_next(walk, &key, &value)) == 0) {
		if (!add(digester, key, value)) {
			r = -EBADMSG;
			break;
		}
	}
	dal_store_iterator_free(walk);
	dal_buffer_deinit(&prefix);
	return r == DAL_STORE_ABSENT ? 0 : r;
}

int dal_state_digest(struct dal_state *state, uint16_t lane, char hex[65])
{
	struct dal_digester *digester = dal_digester_new();
	struct dal_buffer text = {0};
	struct dal_digest digest;
	int r = add_kind(state, lane, DAL_KEY_ENTRY, digester, add_entry);

	r = r ? r : add_kind(state, lane, DAL_KEY_STATUS, digester, add_status);
	digest = dal_digester_finish_take(digester);
	if (r == 0) {
		dal_hex_encode(dal_slice(digest.bytes, sizeof(digest.bytes)), &text);
		memcpy(hex, dal_buffer_cstr(&text), 65);
		dal_buffer_deinit(&text);
	}
	return r;
}
