/* Queries: the entries of projections. */
#include "engine/api/api_private.h"

#include "state/view.h"

static void put_entry(struct dal_json_writer *w, struct dal_slice key,
		      const struct dal_view_entry *entry, uint64_t next, uint32_t version)
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
	dal_api_put_place(w, &entry->position);
	dal_json_key(w, "at");
	dal_api_put_at(w, next);
	dal_json_key(w, "version");
	dal_json_put_integer(w, version);
	if (entry->parked) {
		dal_json_key(w, "parked");
		dal_json_begin_object(w);
		dal_json_key(w, "position");
		dal_api_put_place(w, &entry->parked_at);
		dal_json_key(w, "message");
		dal_json_put_slice(w, entry->message);
		dal_json_end_object(w);
	}
	dal_json_end_object(w);
}

static const struct dal_projection *find(struct dal_http_request *request, struct dal_api *api)
{
	struct dal_slice name = dal_http_parameter(request, "name");
	long index = dal_rules_projection_index(api->app->rules, name);

	if (index < 0) {
		dal_http_problem(request, 404,
				 "there is no projection \"%.*s\": GET /v1/projections lists them",
				 (int)name.size, name.data);
		return NULL;
	}
	return dal_rules_projection(api->app->rules, (size_t)index);
}

static void get_entry(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {NULL};
	struct dal_api *api = data;
	const struct dal_projection *projection = find(request, api);
	struct dal_slice key = dal_http_parameter(request, "key");
	struct dal_worker_status status;
	struct dal_view_entry entry;
	struct dal_buffer memory = {0}, body = {0};
	struct dal_json_writer w = {.out = &body};
	int r;

	if (!projection || !dal_api_known(request, names)) {
		return;
	}
	dal_worker_status(dal_engine_worker(api->engine), &status);
	r = dal_view_get(dal_engine_state(api->engine), NULL,
			 &(struct dal_view_name){.lane = DAL_API_LANE,
						 .projection = dal_slice_text(projection->name),
						 .version = projection->version},
			 key, &entry, &memory);
	if (r == DAL_STATE_ABSENT) {
		dal_http_problem(request, 404, "projection \"%s\" has no entry \"%.*s\"",
				 projection->name, (int)key.size, key.data);
	} else if (r < 0) {
		dal_api_fail(request, "the entry", r);
	} else {
		put_entry(&w, key, &entry, status.next, projection->version);
		dal_api_reply(request, &body);
	}
	dal_buffer_deinit(&memory);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/projections/{name}/{key}", DAL_HTTP_QUERY, 0, get_entry, NULL},
};

const struct dal_api_routes dal_api_projections = DAL_API_ROUTES(routes);
