/* Queries: one entry of a projection, or a range of them. */
#include <errno.h>

#include "engine/api/cursor.h"
#include "engine/api/entries.h"
#include "engine/api/entry.h"
#include "engine/api/watch.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

#define PAGE_BYTES (8 * DAL_MIB) /* a page of large entries ends early */

/* What was asked, checked; goes with the request. */
struct query {
	struct dal_api *api;
	struct dal_app *app; /* whose the projection is; a reference */
	const struct dal_projection *projection;
	struct dal_slice key;        /* one entry, or: */
	struct dal_view_range range; /* slices of the request and of `after` */
	struct dal_buffer after;
	size_t limit;
};

static void query_free(void *own)
{
	struct query *query = own;

	dal_buffer_deinit(&query->after);
	dal_app_free(query->app);
	free(query);
}

/* --- is it there --- */

struct sought {
	const struct dal_projection *projection;
	bool built;
};

static void on_known(const struct dal_state_projection *known, void *own)
{
	struct sought *sought = own;

	if (known->version == sought->projection->version &&
	    dal_slice_is(known->name, sought->projection->name)) {
		sought->built = known->built;
	}
}

/* In every lane? */
static bool is_built(struct dal_api *api, const struct dal_projection *projection)
{
	struct sought sought = {projection, true};

	for (uint16_t i = 0; sought.built && i < dal_engine_lanes(api->engine); i++) {
		if (dal_worker_building(dal_engine_worker(api->engine, i))) {
			sought.built = false;
			dal_state_projections(dal_engine_state(api->engine), i, on_known, &sought);
		}
	}
	return sought.built;
}

static const struct dal_projection *find(struct dal_http_request *request, struct dal_api *api,
					 const struct dal_app *app)
{
	struct dal_slice name = dal_http_parameter(request, "name");
	long index = dal_rules_projection_index(app->rules, name);
	const struct dal_projection *projection;

	if (index < 0) {
		dal_http_problem(request, 404,
				 "there is no projection \"%.*s\": GET /v1/projections lists them",
				 (int)name.size, name.data);
		return NULL;
	}
	projection = dal_rules_projection(app->rules, (size_t)index);
	if (!is_built(api, projection)) {
		/* what a query would give is half of the truth */
		dal_http_problem(request, 503,
				 "projection \"%s\" is being built for the first time: GET /readyz "
				 "says how far it is",
				 projection->name);
		return NULL;
	}
	return projection;
}

static struct query *query_new(struct dal_http_request *request, struct dal_api *api,
			       const char *const *names)
{
	struct dal_app *app = dal_engine_app(api->engine);
	const struct dal_projection *projection = find(request, api, app);
	struct query *query;

	if (!projection || !dal_api_known(request, names)) {
		dal_app_free(app);
		return NULL;
	}
	query = dal_calloc(1, sizeof(*query));
	*query = (struct query){.api = api, .app = app, .projection = projection};
	dal_http_attach(request, query, query_free);
	return query;
}

/* It waited, and other rules may run now: theirs is the projection. False: it has been answered. */
static bool query_follow(struct dal_http_request *request, struct query *query)
{
	struct dal_app *app = dal_engine_app(query->api->engine);
	const struct dal_projection *projection = query->projection;

	if (app != query->app) {
		projection = find(request, query->api, app);
	}
	if (!projection) {
		dal_app_free(app);
		return false;
	}
	dal_app_free(query->app);
	query->app = app;
	query->projection = projection;
	return true;
}

/* --- one entry --- */

static void reply_absent(struct dal_http_request *request, const struct query *query,
			 const struct dal_api_stand *stand)
{
	struct dal_buffer more = {0};
	struct dal_json_writer w = {.out = &more};
	char *detail;

	dal_buffer_text(&more, "\"at\":");
	dal_api_put_stand(&w, stand);
	detail = dal_asprintf("projection \"%s\" has no entry \"%.*s\" (as of %s): see "
			      "min-position if an event that makes it was just sent",
			      query->projection->name, (int)query->key.size, query->key.data,
			      dal_buffer_cstr(&more) + strlen("\"at\":"));
	dal_http_problem_with(request, 404, detail, dal_buffer_cstr(&more));
	dal_buffer_deinit(&more);
	free(detail);
}

/* Weak comparison (RFC 9110 section 8.8.3.2): the opaque part with its quotes. */
static bool is_held(struct dal_http_request *request, const char *etag)
{
	struct dal_slice held;
	size_t size = strlen(etag + 2);

	if (!dal_http_header(request, "If-None-Match", &held)) {
		return false;
	}
	return dal_slice_is(dal_slice_trim(held), "*") ||
	       memmem(held.data, held.size, etag + 2, size) != NULL;
}

static void reply_entry(struct dal_http_request *request, const struct query *query,
			const struct dal_view_entry *entry, const struct dal_position *next)
{
	struct dal_http_header_line headers[] = {
		{"ETag", NULL}, {"Cache-Control", "no-cache"}, {NULL, NULL}};
	struct dal_buffer body = {0}, etag = {0};
	struct dal_json_writer w = {.out = &body};

	dal_entry_etag(query->projection, entry, dal_engine_log(query->api->engine), &etag);
	headers[0].value = dal_buffer_cstr(&etag);
	if (is_held(request, headers[0].value)) {
		dal_http_reply(request, 304, NULL, headers, (struct dal_slice){0});
	} else {
		dal_entry_put(&w, query->projection, query->key, entry, next);
		dal_buffer_byte(&body, '\n');
		dal_http_reply_take(request, 200, DAL_API_JSON, headers, &body);
	}
	dal_buffer_deinit(&etag);
}

static void answer_entry(struct dal_api *api, struct dal_http_request *request, bool late)
{
	struct query *query = dal_http_attached(request);
	struct dal_api_stand stand;
	struct dal_view_entry entry;
	struct dal_buffer memory = {0};
	uint16_t lane;
	int r;

	(void)late; /* one read a lane: the worker has time for that */
	if (!query_follow(request, query)) {
		return;
	}
	dal_api_stand_take(api, &stand);
	r = dal_entries_get(api, query->projection, query->key, &lane, &entry, &memory);
	if (r == DAL_STATE_ABSENT) {
		reply_absent(request, query, &stand);
	} else if (r < 0) {
		dal_api_fail(request, "the entry", r);
	} else {
		reply_entry(request, query, &entry, &stand.lanes[lane]);
	}
	dal_buffer_deinit(&memory);
	dal_api_stand_deinit(&stand);
}

static void get_entry(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {"min-position", "timeout", "watch", NULL};
	static const char *const watched[] = {"watch", NULL};
	struct query *query = query_new(request, data, names);

	if (!query) {
		return;
	}
	query->key = dal_http_parameter(request, "key");
	if (dal_watch_asked(request)) {
		if (dal_api_known(request, watched)) {
			dal_watch_start(query->api, request, query->app, query->projection,
					&query->key, NULL);
		}
	} else {
		dal_api_when_folded(query->api, request, answer_entry);
	}
}

/* --- a range --- */

struct page {
	const struct query *query;
	struct dal_json_writer w;
	struct dal_buffer last; /* key */
	struct dal_api_stand stand;
	bool full;
};

static bool on_entry(uint16_t lane, struct dal_slice key, const struct dal_view_entry *entry,
		     void *own)
{
	struct page *page = own;

	if (page->w.out->size > PAGE_BYTES) {
		page->full = true;
		return false;
	}
	dal_entry_put(&page->w, page->query->projection, key, entry, &page->stand.lanes[lane]);
	dal_buffer_clear(&page->last);
	dal_buffer_slice_append(&page->last, key);
	return true;
}

static void put_cursor(struct page *page)
{
	struct dal_buffer cursor = {0};

	dal_cursor_write(DAL_CURSOR_ENTRY, dal_buffer_slice(&page->last), &cursor);
	dal_json_key(&page->w, "cursor");
	dal_json_put_slice(&page->w, dal_buffer_slice(&cursor));
	dal_buffer_deinit(&cursor);
}

static int page_write(const struct query *query, struct dal_buffer *out)
{
	struct page page = {.query = query, .w = {.out = out}};
	bool more;
	int r;

	dal_api_stand_take(query->api, &page.stand);
	dal_json_begin_object(&page.w);
	dal_json_key(&page.w, "entries");
	dal_json_begin_array(&page.w);
	r = dal_entries_scan(query->api, query->projection, &query->range, on_entry, &page, &more);
	dal_json_end_array(&page.w);
	dal_json_key(&page.w, "at");
	dal_api_put_stand(&page.w, &page.stand);
	if (more || page.full) {
		put_cursor(&page);
	}
	dal_json_end_object(&page.w);
	dal_buffer_deinit(&page.last);
	dal_api_stand_deinit(&page.stand);
	return r;
}

/* On the pool's thread: the worker has better to do than to write a page. */
static int on_fill(struct dal_buffer *out, void *own)
{
	int r = page_write(own, out);

	dal_buffer_byte(out, '\n');
	return r < 0 ? r : DAL_HTTP_STREAM_END;
}

static void answer_page(struct dal_api *api, struct dal_http_request *request, bool late)
{
	struct query *query = dal_http_attached(request);
	struct dal_buffer body = {0};
	int r;

	(void)api;
	if (!query_follow(request, query)) {
		return;
	}
	if (late) {
		dal_http_stream_start(request, &(struct dal_http_stream_options){
						       .status = 200,
						       .type = DAL_API_JSON,
						       .fill = on_fill,
						       .own = query,
					       });
		return;
	}
	r = page_write(query, &body);
	if (r < 0) {
		dal_buffer_deinit(&body);
		dal_api_fail(request, "the projection", r);
		return;
	}
	dal_api_reply(request, &body);
}

static bool range_read(struct dal_http_request *request, struct query *query)
{
	struct dal_view_range *range = &query->range;
	struct dal_slice cursor;

	dal_http_query(request, "prefix", &range->prefix);
	dal_http_query(request, "from", &range->from);
	dal_http_query(request, "to", &range->to);
	if (!dal_api_limit(request, DAL_LIMIT_LIST_DEFAULT, &range->limit)) {
		return false;
	}
	range->has_after = dal_http_query(request, "cursor", &cursor);
	if (range->has_after && !dal_cursor_read(cursor, DAL_CURSOR_ENTRY, &query->after)) {
		return dal_api_cursor_wrong(request);
	}
	range->after = dal_buffer_slice(&query->after);
	return true;
}

static void get_range(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {"prefix",       "from",    "to",    "limit", "cursor",
					    "min-position", "timeout", "watch", NULL};
	static const char *const watched[] = {"prefix", "from", "to", "watch", NULL};
	struct query *query = query_new(request, data, names);

	if (!query || !range_read(request, query)) {
		return;
	}
	if (dal_watch_asked(request)) {
		if (dal_api_known(request, watched)) {
			dal_watch_start(query->api, request, query->app, query->projection, NULL,
					&query->range);
		}
	} else {
		dal_api_when_folded(query->api, request, answer_page);
	}
}

/* --- all projections --- */

static void put_projection(struct dal_json_writer *w, struct dal_api *api,
			   const struct dal_projection *projection,
			   const struct dal_api_stand *stand)
{
	dal_json_begin_object(w);
	dal_json_key(w, "name");
	dal_json_put_text(w, projection->name);
	dal_json_key(w, "version");
	dal_json_put_integer(w, projection->version);
	dal_json_key(w, "file");
	dal_json_put_text(w, projection->file);
	dal_json_key(w, "line");
	dal_json_put_integer(w, projection->line);
	dal_json_key(w, "built");
	dal_json_put_boolean(w, is_built(api, projection));
	dal_json_key(w, "at");
	dal_api_put_stand(w, stand);
	dal_json_end_object(w);
}

static void get_all(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {NULL};
	struct dal_api *api = data;
	struct dal_app *app;
	struct dal_api_stand stand;
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};

	if (!dal_api_known(request, names)) {
		return;
	}
	app = dal_engine_app(api->engine);
	dal_api_stand_take(api, &stand);
	dal_json_begin_object(&w);
	dal_json_key(&w, "projections");
	dal_json_begin_array(&w);
	for (size_t i = 0; i < dal_rules_projection_count(app->rules); i++) {
		put_projection(&w, api, dal_rules_projection(app->rules, i), &stand);
	}
	dal_json_end_array(&w);
	dal_json_end_object(&w);
	dal_api_stand_deinit(&stand);
	dal_app_free(app);
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/projections", DAL_HTTP_QUERY, 0, get_all, NULL},
	{"GET", "/v1/projections/{name}", DAL_HTTP_QUERY, 0, get_range, NULL},
	{"GET", "/v1/projections/{name}/{key}", DAL_HTTP_QUERY, 0, get_entry, NULL},
};

const struct dal_api_routes dal_api_projections = DAL_API_ROUTES(routes);
