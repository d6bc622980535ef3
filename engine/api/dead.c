/* GET /v1/dead: calls that failed for good, with all that is known of why. */
#include "engine/api/api_private.h"
#include "engine/api/cursor.h"
#include "engine/base/digest.h"
#include "engine/base/limits.h"
#include "engine/event/json.h"
#include "state/outbox.h"

#define PAGE_BYTES (8 * DAL_MIB)

/* A page of the list. */
struct page {
	struct dal_api *api;
	struct dal_json_writer w;
	struct dal_json *json; /* of a completion */
	size_t limit, given;
	bool more;
	uint16_t scanned; /* lane */
	/* Behind this row: by lane, then functions by name, then rows by sequence. */
	uint16_t lane;
	struct dal_buffer function;
	uint64_t sequence;
	uint64_t after;
	bool resumes;
};

/* --- one row --- */

/* `error`, `reason` and the tries, as the completion told them. */
static void put_completion(struct page *page, struct dal_slice completion)
{
	static const char *const members[] = {
		"reason", "error", "tries", "version", "generation", "generation_number", NULL};
	struct dal_json *json = page->json;

	if (dal_json_parse(json, completion, DAL_JSON_TRUSTED, NULL) != 0) {
		return;
	}
	for (size_t i = 0; members[i]; i++) {
		uint32_t node = dal_json_find(json, DAL_JSON_ROOT, dal_slice_text(members[i]));
		if (node != DAL_JSON_NONE) {
			dal_json_key(&page->w, members[i]);
			dal_json_put_raw(&page->w, dal_json_raw(json, node));
		}
	}
}

static void put_payload(struct dal_json_writer *w, struct dal_slice payload)
{
	dal_json_key(w, "payload");
	if (payload.size > 0) {
		dal_json_put_raw(w, payload);
	} else {
		dal_json_put_null(w);
	}
}

static void put_row(struct page *page, const struct dal_row *row)
{
	struct dal_json_writer *w = &page->w;
	struct dal_buffer id = {0};

	dal_row_id_format(&row->id, &id);
	dal_json_begin_object(w);
	dal_json_key(w, "row");
	dal_json_put_slice(w, dal_buffer_slice(&id));
	dal_json_key(w, "function");
	dal_json_put_slice(w, row->function);
	dal_json_key(w, "rule");
	dal_json_put_slice(w, row->id.declaration);
	dal_json_key(w, "died");
	dal_json_put_time(w, row->died_us);
	dal_json_key(w, "cause");
	dal_api_put_place(w, &row->id.cause);
	dal_json_key(w, "completion");
	dal_api_put_place(w, &row->completed);
	if (row->subject.size > 0) {
		dal_json_key(w, "subject");
		dal_json_put_slice(w, row->subject);
	}
	dal_json_key(w, "revived");
	dal_json_put_integer(w, row->revived);
	put_completion(page, row->completion);
	put_payload(w, row->payload);
	dal_json_end_object(w);
	dal_buffer_deinit(&id);
}

/* --- the list --- */

static bool is_before(const struct page *page, const struct dal_row *row)
{
	int order = dal_slice_compare(row->function, dal_buffer_slice(&page->function));

	return page->resumes && (order < 0 || (order == 0 && row->sequence <= page->after));
}

static bool on_row(const struct dal_row *row, void *own)
{
	struct page *page = own;

	if (is_before(page, row)) {
		return true;
	}
	if (page->given == page->limit || page->w.out->size > PAGE_BYTES) {
		page->more = true;
		return false;
	}
	page->resumes = false;
	put_row(page, row);
	dal_buffer_clear(&page->function);
	dal_buffer_slice_append(&page->function, row->function);
	page->sequence = row->sequence;
	page->lane = page->scanned;
	page->given++;
	return true;
}

static void put_cursor(struct page *page)
{
	struct dal_buffer content = {0}, cursor = {0};

	dal_buffer_varint(&content, page->lane);
	dal_buffer_varint(&content, page->sequence);
	dal_buffer_slice_append(&content, dal_buffer_slice(&page->function));
	dal_cursor_write(DAL_CURSOR_DEAD, dal_buffer_slice(&content), &cursor);
	dal_json_key(&page->w, "cursor");
	dal_json_put_slice(&page->w, dal_buffer_slice(&cursor));
	dal_buffer_deinit(&content);
	dal_buffer_deinit(&cursor);
}

static bool cursor_read(struct dal_http_request *request, struct page *page)
{
	struct dal_buffer content = {0};
	struct dal_slice text, rest;
	uint64_t lane;
	bool ok;

	if (!dal_http_query(request, "cursor", &text)) {
		return true;
	}
	ok = dal_cursor_read(text, DAL_CURSOR_DEAD, &content);
	rest = dal_buffer_slice(&content);
	ok = ok && dal_slice_take_varint(&rest, &lane) &&
	     lane < dal_engine_lanes(page->api->engine) &&
	     dal_slice_take_varint(&rest, &page->after);
	if (ok) {
		page->lane = (uint16_t)lane;
		dal_buffer_slice_append(&page->function, rest);
		page->resumes = true;
	}
	dal_buffer_deinit(&content);
	return ok || dal_api_cursor_wrong(request);
}

static int rows_write(struct page *page, const struct dal_slice *function)
{
	int r = 0;

	for (page->scanned = page->lane;
	     r == 0 && !page->more && page->scanned < dal_engine_lanes(page->api->engine);
	     page->scanned++) {
		r = dal_outbox_scan(dal_engine_state(page->api->engine), page->scanned,
				    DAL_ROW_DEAD, function,
				    function && page->resumes ? page->after : 0, on_row, page);
		page->resumes = false; /* the next lane begins at its start */
	}
	return r;
}

static int page_write(struct page *page, const struct dal_slice *function)
{
	int r;

	page->json = dal_json_new();
	dal_json_begin_object(&page->w);
	dal_json_key(&page->w, "dead");
	dal_json_begin_array(&page->w);
	r = rows_write(page, function);
	dal_json_end_array(&page->w);
	if (page->more) {
		put_cursor(page);
	}
	dal_json_end_object(&page->w);
	dal_json_free(page->json);
	return r;
}

static void get_dead(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {"function", "limit", "cursor", NULL};
	struct dal_buffer body = {0};
	struct page page = {.api = data, .w = {.out = &body}};
	struct dal_slice function;
	int r;

	if (!dal_api_known(request, names) ||
	    !dal_api_limit(request, DAL_LIMIT_LIST_DEFAULT, &page.limit) ||
	    !cursor_read(request, &page)) {
		return;
	}
	r = page_write(&page, dal_http_query(request, "function", &function) ? &function : NULL);
	dal_buffer_deinit(&page.function);
	if (r < 0) {
		dal_buffer_deinit(&body);
		dal_api_fail(request, "the dead letters", r);
		return;
	}
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/dead", DAL_HTTP_QUERY, 0, get_dead, NULL},
};

const struct dal_api_routes dal_api_dead = DAL_API_ROUTES(routes);
