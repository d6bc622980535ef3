/* An entry of a projection, as the API shows it; shared by queries and watches. */
#ifndef DAL_API_ENTRY_H
#define DAL_API_ENTRY_H

#include "engine/api/api_private.h"
#include "state/view.h"

struct dal_view_name dal_entry_view(const struct dal_projection *projection, uint16_t lane);
/*
 * {"key", "value", "position", "at", "version"}, a parked one with "parked". `next`: the lane's,
 * read before the entry was; an entry that is newer says so in its `at`.
 */
void dal_entry_put(struct dal_json_writer *writer, const struct dal_projection *projection,
		   struct dal_slice key, const struct dal_view_entry *entry,
		   const struct dal_position *next);
/*
 * Appends a weak one, as `at` moves on while the entry stays: W/"version.position.parked.log".
 * Position and parked are offsets on the embedded log, and whole places on another.
 */
void dal_entry_etag(const struct dal_projection *projection, const struct dal_view_entry *entry,
		    const struct dal_log *log, struct dal_buffer *etag);

#endif
