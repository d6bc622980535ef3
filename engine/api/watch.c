#include "engine/api/watch.h"

#include "engine/api/entries.h"
#include "engine/api/entry.h"
#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"

#define PIECE_BYTES (256 * DAL_KIB) /* written at one go */
#define RANGE_PAUSE_MS 250

/* What the client was last told of a key. */
struct told {
	char *key;
	size_t size;
	uint64_t tag; /* a hash of the entry's ETag */
	uint16_t lane;
};

struct list {
	struct told *items;
	size_t count, capacity;
};

struct watch {
	struct dal_api_sleeper sleeper;
	struct dal_api *api;
	struct dal_app *app; /* whose the projection is; a reference */
	const struct dal_projection *projection;
	struct dal_buffer prefix, from, to; /* of the range */
	struct dal_view_range range;
	int64_t pause_us; /* between two looks */
	int64_t looked_us, said_us;
	struct list told;           /* by key */
	struct dal_api_stand stand; /* as of the last whole look; count 0: none yet */
	bool begun;
};

/* One look at the range: what is there is merged with what was told. */
struct look {
	struct watch *watch;
	struct dal_buffer *out;
	struct list now;
	size_t at; /* in watch->told */
	const struct dal_api_stand *stand;
	bool cut; /* enough was written: the rest in the next one */
};

static void list_free(struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->items[i].key);
	}
	free(list->items);
	*list = (struct list){0};
}

static void release(void *own)
{
	struct watch *watch = own;

	dal_api_sleeper_remove(watch->api, &watch->sleeper);
	list_free(&watch->told);
	dal_api_stand_deinit(&watch->stand);
	dal_buffer_deinit(&watch->prefix);
	dal_buffer_deinit(&watch->from);
	dal_buffer_deinit(&watch->to);
	dal_app_free(watch->app);
	dal_api_unref(watch->api);
	free(watch);
}

/* --- what is said --- */

static void say_gone(struct look *look, const struct told *told)
{
	struct dal_json_writer w = {.out = look->out};

	dal_buffer_text(look->out, "event: gone\ndata: ");
	dal_json_begin_object(&w);
	dal_json_key(&w, "key");
	dal_json_put_slice(&w, dal_slice(told->key, told->size));
	dal_json_key(&w, "at");
	dal_api_put_at(&w, &look->stand->lanes[told->lane]);
	dal_json_end_object(&w);
	dal_buffer_text(look->out, "\n\n");
}

static void say_entry(struct look *look, uint16_t lane, struct dal_slice key,
		      const struct dal_view_entry *entry)
{
	struct dal_json_writer w = {.out = look->out};

	dal_buffer_text(look->out, "event: entry\ndata: ");
	dal_entry_put(&w, look->watch->projection, key, entry, &look->stand->lanes[lane]);
	dal_buffer_text(look->out, "\n\n");
}

static void say_live(struct look *look)
{
	struct dal_json_writer w = {.out = look->out};

	dal_buffer_text(look->out, "event: live\ndata: ");
	dal_json_begin_object(&w);
	dal_json_key(&w, "at");
	dal_api_put_stand(&w, look->stand);
	dal_json_end_object(&w);
	dal_buffer_text(look->out, "\n\n");
}

static int say_overflow(struct dal_buffer *out)
{
	dal_buffer_printf(out,
			  "event: error\ndata: {\"detail\":\"more than %d entries are in this "
			  "range: watch a narrower one, by prefix or from and to\"}\n\n",
			  DAL_LIMIT_LIST_MAX);
	return DAL_HTTP_STREAM_END;
}

/* --- a look --- */

static void keep(struct look *look, struct told told)
{
	DAL_GROW(look->now.items, look->now.count, look->now.capacity);
	look->now.items[look->now.count++] = told;
}

static int order(const struct told *told, struct dal_slice key)
{
	return dal_slice_compare(dal_slice(told->key, told->size), key);
}

/* What was told of keys before this one is there no more. */
static void pass_gone(struct look *look, const struct dal_slice *key)
{
	struct list *told = &look->watch->told;

	for (; look->at < told->count && (!key || order(&told->items[look->at], *key) < 0);
	     look->at++) {
		say_gone(look, &told->items[look->at]);
		free(told->items[look->at].key);
	}
}

static uint64_t tag_of(const struct watch *watch, const struct dal_view_entry *entry)
{
	struct dal_buffer etag = {0};
	uint64_t tag;

	dal_entry_etag(watch->projection, entry, dal_engine_log(watch->api->engine), &etag);
	tag = dal_hash64(dal_buffer_slice(&etag), 0);
	dal_buffer_deinit(&etag);
	return tag;
}

static bool on_entry(uint16_t lane, struct dal_slice key, const struct dal_view_entry *entry,
		     void *own)
{
	struct look *look = own;
	struct list *told = &look->watch->told;
	struct told now = {.size = key.size, .tag = tag_of(look->watch, entry), .lane = lane};
	bool same = false;

	if (look->out->size > PIECE_BYTES) {
		look->cut = true;
		return false;
	}
	pass_gone(look, &key);
	if (look->at < told->count && order(&told->items[look->at], key) == 0) {
		const struct told *old = &told->items[look->at++];
		same = old->tag == now.tag;
		now.key = old->key;
	} else {
		now.key = dal_slice_dup(key);
	}
	if (!same) {
		say_entry(look, lane, key, entry);
	}
	keep(look, now);
	return true;
}

/* The list of what was told becomes what it is now. */
static void look_end(struct look *look)
{
	struct list *told = &look->watch->told;

	if (!look->cut) {
		pass_gone(look, NULL);
	}
	for (; look->at < told->count; look->at++) {
		keep(look, told->items[look->at]);
	}
	free(told->items);
	*told = look->now;
}

/* `stand` becomes the watch's if the look is whole. */
static int look_take(struct watch *watch, struct dal_api_stand *stand, struct dal_buffer *out)
{
	struct look look = {.watch = watch, .out = out, .stand = stand};
	bool more;
	int r = dal_entries_scan(watch->api, watch->projection, &watch->range, on_entry, &look,
				 &more);

	look.cut = look.cut || r < 0 || more;
	look_end(&look);
	if (r < 0) {
		dal_logger_write(DAL_LOGGER_ERROR, "api", "projection \"%s\" can't be read",
				 watch->projection->name);
		return r;
	}
	if (more) {
		return say_overflow(out);
	}
	if (!look.cut) {
		if (watch->stand.count == 0) {
			say_live(&look);
		}
		dal_api_stand_deinit(&watch->stand);
		watch->stand = *stand;
		*stand = (struct dal_api_stand){0};
	}
	return 0;
}

/* --- the stream --- */

static void begin(struct watch *watch, struct dal_buffer *out)
{
	if (!watch->begun) {
		dal_buffer_text(out, "event: reset\ndata: {}\n\n");
		watch->begun = true;
	}
}

/* Nothing is new. Ranges are woken more often than a heartbeat is due. */
static int rest(struct watch *watch, int64_t now_us, struct dal_buffer *out)
{
	if (now_us - watch->said_us < DAL_LIMIT_HTTP_HEARTBEAT_MS * 1000ll) {
		return DAL_HTTP_STREAM_WAIT;
	}
	dal_buffer_text(out, ": \n\n");
	watch->said_us = now_us;
	return 0;
}

static int look_again(struct watch *watch, int64_t now_us, struct dal_buffer *out)
{
	struct dal_api_stand stand;
	int r;

	dal_api_stand_take(watch->api, &stand);
	if (dal_api_stand_equal(&stand, &watch->stand)) {
		r = rest(watch, now_us, out);
	} else {
		begin(watch, out);
		r = look_take(watch, &stand, out);
		watch->looked_us = now_us;
		if (out->size > 0) {
			watch->said_us = now_us;
		}
		r = r != 0 || out->size > 0 ? r : DAL_HTTP_STREAM_WAIT;
	}
	dal_api_stand_deinit(&stand);
	return r;
}

/* Other rules may run since the last look. False: they have another version of the projection, or
 * none. */
static bool follow(struct watch *watch)
{
	struct dal_app *app = dal_engine_app(watch->api->engine);
	const struct dal_projection *now = NULL;
	long index;

	if (app == watch->app) {
		dal_app_free(app);
		return true;
	}
	index = dal_rules_projection_index(app->rules, dal_slice_text(watch->projection->name));
	if (index >= 0) {
		now = dal_rules_projection(app->rules, (size_t)index);
	}
	if (!now || now->version != watch->projection->version ||
	    strcmp(now->digest, watch->projection->digest) != 0) {
		dal_app_free(app);
		return false;
	}
	dal_app_free(watch->app);
	watch->app = app;
	watch->projection = now;
	return true;
}

static int fill(struct dal_buffer *out, void *own)
{
	struct watch *watch = own;
	int64_t now_us = dal_clock_monotonic_us();

	if (!follow(watch)) {
		return DAL_HTTP_STREAM_END; /* who asks again is given the new one from its start */
	}

	if (watch->stand.count > 0 && now_us - watch->looked_us < watch->pause_us) {
		return DAL_HTTP_STREAM_WAIT; /* its own clock wakes it (heartbeat_ms) */
	}
	atomic_store(&watch->sleeper.asleep, true);
	return look_again(watch, now_us, out);
}

/* --- start --- */

bool dal_watch_asked(struct dal_http_request *request)
{
	struct dal_slice value;

	if (dal_http_query(request, "watch", &value)) {
		return value.size == 0 || dal_slice_is(value, "true") || dal_slice_is(value, "1");
	}
	return dal_http_header(request, "Accept", &value) &&
	       dal_slice_equal_nocase(dal_slice_trim(value), dal_slice_text("text/event-stream"));
}

static struct dal_slice copy(struct dal_buffer *to, struct dal_slice from)
{
	dal_buffer_slice_append(to, from);
	return dal_buffer_slice(to);
}

/* One key is the range from it to the next possible one. */
static void range_of_key(struct watch *watch, struct dal_slice key)
{
	watch->range.from = copy(&watch->from, key);
	dal_buffer_slice_append(&watch->to, key);
	dal_buffer_byte(&watch->to, 0);
	watch->range.to = dal_buffer_slice(&watch->to);
}

static struct watch *watch_new(struct dal_api *api, struct dal_app *app,
			       const struct dal_projection *projection, const struct dal_slice *key,
			       const struct dal_view_range *range)
{
	struct watch *watch = dal_calloc(1, sizeof(*watch));

	watch->sleeper.wants = DAL_API_FOLDED;
	watch->api = dal_api_ref(api);
	watch->app = dal_app_ref(app);
	watch->projection = projection;
	watch->range.limit = DAL_LIMIT_LIST_MAX;
	if (key) {
		range_of_key(watch, *key);
	} else {
		watch->pause_us = RANGE_PAUSE_MS * 1000;
		watch->range.prefix = copy(&watch->prefix, range->prefix);
		watch->range.from = copy(&watch->from, range->from);
		watch->range.to = copy(&watch->to, range->to);
	}
	return watch;
}

void dal_watch_start(struct dal_api *api, struct dal_http_request *request, struct dal_app *app,
		     const struct dal_projection *projection, const struct dal_slice *key,
		     const struct dal_view_range *range)
{
	static const struct dal_http_header_line headers[] = {{"Cache-Control", "no-store"},
							      {NULL, NULL}};
	struct watch *watch = watch_new(api, app, projection, key, range);

	dal_api_sleeper_start(api, &watch->sleeper, request,
			      &(struct dal_http_stream_options){
				      .status = 200,
				      .type = "text/event-stream",
				      .headers = headers,
				      .fill = fill,
				      .release = release,
				      .own = watch,
				      .heartbeat_ms = key ? DAL_LIMIT_HTTP_HEARTBEAT_MS
							  : RANGE_PAUSE_MS,
				      .heartbeat = "",
			      });
}
