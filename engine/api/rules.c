/* GET /v1/rules: what is declared, and how often it matched. */
#include "engine/api/api_private.h"
#include "engine/api/cursor.h"
#include "engine/base/limits.h"

static void put_list(struct dal_json_writer *w, const char *key, const char *const *texts)
{
	dal_json_key(w, key);
	dal_json_begin_array(w);
	for (; texts && *texts; texts++) {
		dal_json_put_text(w, *texts);
	}
	dal_json_end_array(w);
}

static void put_counters(struct dal_json_writer *w, struct dal_api *api, const char *rule)
{
	struct dal_rule_counters counters;

	dal_engine_rule_counters(api->engine, rule, &counters);
	dal_json_key(w, "matched");
	dal_json_put_integer(w, (int64_t)counters.matched);
	dal_json_key(w, "passed");
	dal_json_put_integer(w, (int64_t)counters.passed);
	dal_json_key(w, "refused"); /* its guard said no; another thread may be between the two */
	dal_json_put_integer(w, counters.matched > counters.passed
					? (int64_t)(counters.matched - counters.passed)
					: 0);
	dal_json_key(w, "failed");
	dal_json_put_integer(w, (int64_t)counters.failed);
}

static void put_rule(struct dal_json_writer *w, struct dal_api *api, const struct dal_app *app,
		     size_t index)
{
	const struct dal_rule *rule = dal_rules_rule(app->rules, index);
	struct dal_buffer pattern = {0};

	dal_pattern_print(dal_rules_pattern(app->rules, rule->pattern), &pattern);
	dal_json_begin_object(w);
	dal_json_key(w, "name");
	dal_json_put_text(w, rule->name);
	dal_json_key(w, "file");
	dal_json_put_text(w, rule->file);
	dal_json_key(w, "line");
	dal_json_put_integer(w, rule->line);
	put_list(w, "topics", rule->topics);
	dal_json_key(w, "on");
	dal_json_put_raw(w, dal_buffer_slice(&pattern));
	dal_json_key(w, "when");
	dal_json_put_boolean(w, rule->has_when);
	put_list(w, "call", rule->calls);
	dal_json_key(w, "emit");
	dal_json_put_boolean(w, rule->has_emit);
	put_counters(w, api, rule->name);
	dal_json_end_object(w);
	dal_buffer_deinit(&pattern);
}

static void put_rules(struct dal_json_writer *w, struct dal_api *api, const struct dal_app *app,
		      uint64_t first, size_t limit)
{
	size_t count = dal_rules_rule_count(app->rules);
	size_t from = first < count ? (size_t)first : count;
	size_t to = limit < count - from ? from + limit : count;
	struct dal_buffer cursor = {0};

	dal_json_key(w, "rules");
	dal_json_begin_array(w);
	for (size_t i = from; i < to; i++) {
		put_rule(w, api, app, i);
	}
	dal_json_end_array(w);
	if (to < count) {
		dal_cursor_write_number(DAL_CURSOR_RULE, to, &cursor);
		dal_json_key(w, "cursor");
		dal_json_put_slice(w, dal_buffer_slice(&cursor));
		dal_buffer_deinit(&cursor);
	}
}

static void get_rules(struct dal_http_request *request, void *data)
{
	static const char *const names[] = {"limit", "cursor", NULL};
	struct dal_api *api = data;
	struct dal_app *app;
	struct dal_slice cursor;
	struct dal_buffer body = {0};
	struct dal_json_writer w = {.out = &body};
	uint64_t first = 0;
	size_t limit;

	if (!dal_api_known(request, names) ||
	    !dal_api_limit(request, DAL_LIMIT_LIST_DEFAULT, &limit)) {
		return;
	}
	if (dal_http_query(request, "cursor", &cursor) &&
	    !dal_cursor_read_number(cursor, DAL_CURSOR_RULE, &first)) {
		dal_api_cursor_wrong(request);
		return;
	}
	app = dal_engine_app(api->engine);
	dal_json_begin_object(&w);
	dal_json_key(&w, "generation");
	dal_json_put_text(&w, dal_rules_digest(app->rules));
	dal_json_key(&w, "generation_number");
	dal_json_put_integer(&w, (int64_t)app->number);
	dal_json_key(&w, "since"); /* of the counters */
	dal_json_put_time(&w, dal_engine_started_us(api->engine));
	put_rules(&w, api, app, first, limit);
	dal_json_end_object(&w);
	dal_app_free(app);
	dal_api_reply(request, &body);
}

static const struct dal_http_route routes[] = {
	{"GET", "/v1/rules", DAL_HTTP_QUERY, 0, get_rules, NULL},
};

const struct dal_api_routes dal_api_rules = DAL_API_ROUTES(routes);
