/* POST /v1/reload: the app's folder read again, all or nothing; how the last one went. */
#include "engine/api/api_private.h"
#include "engine/app/reload.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"

struct asked {
	struct dal_reload reload;
	struct dal_http_request *request;
	struct dal_api *api;
};

static void put_count(struct dal_json_writer *w, const char *key, uint64_t count)
{
	dal_json_key(w, key);
	dal_json_put_integer(w, (int64_t)count);
}

static void reply_done(struct asked *asked)
{
	const struct dal_app *app = asked->reload.app;
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};

	dal_json_begin_object(&w);
	dal_json_key(&w, "generation");
	dal_json_put_text(&w, dal_rules_digest(app->rules));
	put_count(&w, "generation_number", app->number);
	dal_json_key(&w, "changed");
	dal_json_put_boolean(&w, asked->reload.changed);
	put_count(&w, "rules", dal_rules_rule_count(app->rules));
	put_count(&w, "projections", dal_rules_projection_count(app->rules));
	put_count(&w, "functions", app->function_count);
	dal_json_put_errors(&w, "warnings", &asked->reload.warnings);
	dal_json_end_object(&w);
	dal_api_reply(asked->request, &body);
}

static void reply_failed(struct asked *asked)
{
	const struct dal_errors *errors = &asked->reload.errors;
	bool refused = asked->reload.outcome == DAL_RELOAD_REFUSED;
	struct dal_buffer more = {0};
	struct dal_json_writer w = {.out = &more};
	char *detail;

	dal_json_begin_object(&w);
	dal_json_put_errors(&w, "errors", errors);
	dal_json_end_object(&w);
	if (refused) {
		detail = dal_asprintf("the app's files have %zu %s: what ran before still runs",
				      errors->count, errors->count == 1 ? "error" : "errors");
	} else {
		detail = dal_asprintf("%s: what ran before still runs",
				      errors->count > 0 ? errors->items[0].text : "it failed");
	}
	/* its members, without the braces */
	more.data[more.size - 1] = '\0';
	dal_http_problem_with(asked->request, refused ? 422 : 503, detail, more.data + 1);
	dal_buffer_deinit(&more);
	free(detail);
}

static void on_done(struct dal_reload *reload)
{
	struct asked *asked = reload->own;

	if (reload->outcome == DAL_RELOAD_DONE) {
		reply_done(asked);
	} else {
		reply_failed(asked);
	}
	dal_api_unref(asked->api);
	free(asked);
}

static void post_reload(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {NULL};
	struct dal_api *api = data;
	struct asked *asked;

	if (!dal_api_known(request, names)) {
		return;
	}
	asked = dal_calloc(1, sizeof(*asked));
	asked->request = request;
	asked->api = dal_api_ref(api);
	asked->reload.by = "POST /v1/reload";
	asked->reload.done = on_done;
	asked->reload.own = asked;
	dal_engine_reload(api->engine, &asked->reload);
}

void dal_api_put_reload(struct dal_json_writer *w, struct dal_api *api)
{
	struct dal_reload_status status;

	dal_engine_reload_status(api->engine, &status);
	dal_json_key(w, "reload");
	dal_json_begin_object(w);
	put_count(w, "done", status.reloads);
	dal_json_key(w, "loaded");
	dal_json_put_time(w, status.loaded_us);
	if (status.failed_us > 0) {
		dal_json_key(w, "failed");
		dal_json_begin_object(w);
		dal_json_key(w, "at");
		dal_json_put_time(w, status.failed_us);
		dal_json_key(w, "by");
		dal_json_put_text(w, status.failed_by);
		dal_json_put_errors(w, "errors", &status.errors);
		dal_json_end_object(w);
	}
	dal_json_end_object(w);
	dal_errors_deinit(&status.errors);
}

static const struct dal_http_route routes[] = {
	{"POST", "/v1/reload", DAL_HTTP_ADMIN, DAL_KIB, post_reload, NULL},
};

const struct dal_api_routes dal_api_reload = DAL_API_ROUTES(routes);
