#include "engine/api/entry.h"

#include <inttypes.h>
#include <stdio.h>

struct dal_view_name dal_entry_view(const struct dal_projection *projection)
{
	return (struct dal_view_name){.lane = DAL_API_LANE,
				      .projection = dal_slice_text(projection->name),
				      .version = projection->version};
}

/* Of a parked entry that was never folded, the event that failed is all there is. */
static uint64_t newest(const struct dal_view_entry *entry)
{
	uint64_t parked = entry->parked ? entry->parked_at.offset : 0;

	return entry->position.offset > parked ? entry->position.offset : parked;
}

static void put_parked(struct dal_json_writer *w, const struct dal_view_entry *entry)
{
	dal_json_key(w, "parked");
	dal_json_begin_object(w);
	dal_json_key(w, "position");
	dal_api_put_place(w, &entry->parked_at);
	dal_json_key(w, "message");
	dal_json_put_slice(w, entry->message);
	dal_json_end_object(w);
}

void dal_entry_put(struct dal_json_writer *w, const struct dal_projection *projection,
		   struct dal_slice key, const struct dal_view_entry *entry, uint64_t next)
{
	uint64_t seen = newest(entry);

	dal_json_begin_object(w);
	dal_json_key(w, "key");
	dal_json_put_slice(w, key);
	dal_json_key(w, "value");
	if (entry->json.size > 0) {
		dal_json_put_raw(w, entry->json);
	} else {
		dal_json_put_null(w);
	}
	dal_json_key(w, "position");
	if (entry->position.topic.size > 0) {
		dal_api_put_place(w, &entry->position);
	} else {
		dal_json_put_null(w);
	}
	dal_json_key(w, "at");
	dal_api_put_at(w, next > seen ? next : seen + 1);
	dal_json_key(w, "version");
	dal_json_put_integer(w, projection->version);
	if (entry->parked) {
		put_parked(w, entry);
	}
	dal_json_end_object(w);
}

void dal_entry_etag(const struct dal_projection *projection, const struct dal_view_entry *entry,
		    struct dal_slice log_id, char etag[DAL_ETAG_BYTES])
{
	snprintf(etag, DAL_ETAG_BYTES, "W/\"%" PRIu32 ".%" PRIu64 ".%" PRIu64 ".%.*s\"",
		 projection->version, entry->position.offset,
		 entry->parked ? entry->parked_at.offset : 0,
		 (int)(log_id.size < 36 ? log_id.size : 36), log_id.data);
}
