/* What /openapi.json says is what the engine does, and the other way round. */
#include "tests/unit/api/harness.h"

#include <stdlib.h>

#include "engine/api/api_private.h"
#include "engine/api/openapi.h"
#include "engine/base/memory.h"

static int setup(void **state)
{
	(void)state;
	harness_start(NULL, "projection \"p\" { version = 1, on = { type = \"a\" },\n"
			    "  key = \"subject\", fold = function() return { n = 1 } end }\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	harness_stop();
	return 0;
}

static const struct dal_operation *operation_find(const struct dal_http_route *route)
{
	for (size_t i = 0; i < dal_operation_count; i++) {
		if (strcmp(dal_operations[i].method, route->method) == 0 &&
		    strcmp(dal_operations[i].path, route->path) == 0) {
			return &dal_operations[i];
		}
	}
	return NULL;
}

static int scope_of(const char *name)
{
	return !name                         ? DAL_HTTP_OPEN
	       : strcmp(name, "ingest") == 0 ? DAL_HTTP_INGEST
	       : strcmp(name, "query") == 0  ? DAL_HTTP_QUERY
	       : strcmp(name, "admin") == 0  ? DAL_HTTP_ADMIN
					     : -1;
}

static void each_route_is_described(void **state)
{
	(void)state;
	for (size_t n = 0; n < dal_api_noun_count; n++) {
		for (size_t i = 0; i < dal_api_nouns[n]->count; i++) {
			const struct dal_http_route *route = &dal_api_nouns[n]->routes[i];
			const struct dal_operation *operation = operation_find(route);
			if (!operation) {
				fail_msg("%s %s is not described", route->method, route->path);
			}
			assert_int_equal(scope_of(operation->scope), route->scope);
			assert_int_equal(operation->body != NULL, route->body_limit > 0);
		}
	}
}

/* The path with its parameters filled in. */
static char *target_of(const struct dal_operation *operation)
{
	return strcmp(operation->path, "/v1/projections/{name}") == 0
		       ? dal_strdup("/v1/projections/p")
	       : strcmp(operation->path, "/v1/projections/{name}/{key}") == 0
		       ? dal_strdup("/v1/projections/p/s0")
		       : dal_strdup(operation->path);
}

/* GET answers 200; POST takes what the document gives as an example (or says 404: no such row). */
static void each_operation_is_there(void **state)
{
	(void)state;
	harness_event("a", "1");
	harness_settle();
	for (size_t i = 0; i < dal_operation_count; i++) {
		const struct dal_operation *operation = &dal_operations[i];
		char *target = target_of(operation);
		if (operation->body) {
			bool named = strstr(operation->body, "rows") ||
				     strstr(operation->body, "rule");
			const char *type = strstr(operation->body, "specversion")
						   ? "application/cloudevents+json"
						   : "application/json";
			harness_post_as(target, type, operation->body, named ? 404 : 200);
		} else {
			harness_get(target, 200);
		}
		free(target);
	}
}

/* Each parameter is taken, and no other. */
static void each_parameter_is_taken(void **state)
{
	static const char *const all[] = {
		"cursor=x",  "from=x",    "function=x", "limit=x", "min-position=x", "prefix=x",
		"subject=x", "timeout=x", "to=x",       "topic=x", "type=x",         "watch=false",
	};

	(void)state;
	harness_event("a", "1");
	harness_settle();
	for (size_t i = 0; i < dal_operation_count; i++) {
		const struct dal_operation *operation = &dal_operations[i];
		if (operation->body || !operation->scope ||
		    strcmp(operation->path, "/metrics") == 0) {
			continue;
		}
		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
			char *path = target_of(operation);
			char *target = dal_asprintf("%s?%s", path, all[k]);
			char *name = dal_asprintf(" %.*s ", (int)strcspn(all[k], "="), all[k]);
			char *names = dal_asprintf(" %s ", operation->parameters);
			bool refused = strstr(harness_ask(target), "unknown parameter") != NULL;
			if (refused == (strstr(names, name) != NULL)) {
				fail_msg("%s is %s", target, refused ? "refused" : "taken");
			}
			free(path);
			free(target);
			free(name);
			free(names);
		}
	}
}

static void the_document_is_whole(void **state)
{
	uint32_t paths, get, parameters;

	(void)state;
	harness_get("/openapi.json", 200);
	harness_expect_text(harness_member(DAL_JSON_ROOT, "openapi"), "3.1.0");
	paths = harness_member(DAL_JSON_ROOT, "paths");
	assert_int_equal(dal_json_count(harness_json(), paths), dal_operation_count - 1);
	get = harness_member(harness_member(paths, "/v1/projections/{name}/{key}"), "get");
	parameters = harness_member(get, "parameters");
	assert_int_equal(dal_json_count(harness_json(), parameters), 5);
	harness_expect_text(harness_member(dal_json_at(harness_json(), parameters, 1), "name"),
			    "key");
	harness_expect_text(harness_member(dal_json_at(harness_json(), parameters, 2), "name"),
			    "min-position");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(each_route_is_described),
		TEST(each_operation_is_there),
		TEST(each_parameter_is_taken),
		TEST(the_document_is_whole),
	};

	return cmocka_run_group_tests_name("api openapi", tests, harness_begin, harness_end);
}
