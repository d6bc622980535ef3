#include "engine/api/entry.h"

#include <inttypes.h>

struct dal_view_name dal_entry_view(const struct dal_projection *projection, uint16_t lane)
{
	return (struct dal_view_name){.lane = lane,
				      .projection = dal_slice_text(projection->name),
				      .version = projection->version};
}

/* Behind the events that made it. Of a parked entry that was never folded, the event that failed is
 * all there is. */
static void put_at(struct dal_json_writer *w, const struct dal_view_entry *entry,
		   const struct dal_position *next)
{
	struct dal_position at = {0};

	dal_position_copy(&at, next);
	if (entry->position.topic.size > 0 && !dal_position_has(&at, &entry->position)) {
		dal_position_pass(&at, &entry->position);
	}
	if (entry->parked && !dal_position_has(&at, &entry->parked_at)) {
		dal_position_pass(&at, &entry->parked_at);
	}
	dal_api_put_at(w, &at);
	dal_position_deinit(&at);
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
		   struct dal_slice key, const struct dal_view_entry *entry,
		   const struct dal_position *next)
{
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
	put_at(w, entry, next);
	dal_json_key(w, "version");
	dal_json_put_integer(w, projection->version);
	if (entry->parked) {
		put_parked(w, entry);
	}
	dal_json_end_object(w);
}

static void append_place(struct dal_buffer *etag, const struct dal_log *log, bool is,
			 const struct dal_place *place)
{
	if (is && dal_log_kind(log) != DAL_LOG_EMBEDDED) {
		dal_place_format(place, etag);
	} else {
		dal_buffer_printf(etag, "%" PRIu64, is ? place->offset : 0);
	}
}

void dal_entry_etag(const struct dal_projection *projection, const struct dal_view_entry *entry,
		    const struct dal_log *log, struct dal_buffer *etag)
{
	dal_buffer_printf(etag, "W/\"%" PRIu32 ".", projection->version);
	append_place(etag, log, entry->position.topic.size > 0, &entry->position);
	dal_buffer_byte(etag, '.');
	append_place(etag, log, entry->parked, &entry->parked_at);
	dal_buffer_byte(etag, '.');
	dal_buffer_slice_append(etag, dal_log_id(log));
	dal_buffer_byte(etag, '"');
}
