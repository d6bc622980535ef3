#include "tests/unit/api/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/memory.h"

static struct dal_spawner *spawner;

static struct {
	char folder[32];
	struct dal_app *app;
	struct dal_engine *engine;
	struct dal_api *api;
	struct dal_http_client *client;
	struct dal_http_answer answer;
	struct dal_json *json;
	unsigned events;
} now;

int harness_begin(void **state)
{
	struct dal_error error = {0};

	(void)state;
	if (dal_spawner_start(&spawner, &error) != 0) {
		fail_msg("%s", error.text);
	}
	return 0;
}

int harness_end(void **state)
{
	(void)state;
	dal_spawner_stop(spawner);
	return 0;
}

static void file_write(const char *name, const char *text)
{
	char *path = dal_asprintf("%s/%s", now.folder, name);

	assert_int_equal(dal_file_write(path, dal_slice_text(text), 0600), 0);
	free(path);
}

static void expect_none(const struct dal_errors *errors)
{
	if (errors->count > 0) {
		fail_msg("%s:%d: %s", errors->items[0].file, errors->items[0].line,
			 errors->items[0].text);
	}
}

char *harness_base(void)
{
	return dal_asprintf("http://127.0.0.1:%d",
			    dal_http_server_port(dal_engine_server(now.engine)));
}

static void engine_start(void)
{
	static char *const environment[] = {NULL};
	struct dal_errors errors = {0};
	struct dal_error error = {0};
	char *base;

	struct dal_app_options load = {
		.folder = now.folder, .environment = environment, .listen = "127.0.0.1:0"};

	dal_app_load(&load, &now.app, &errors, NULL);
	expect_none(&errors);
	dal_engine_new(
		&(struct dal_engine_options){.app = now.app, .load = load, .spawner = spawner},
		&now.engine, &errors);
	expect_none(&errors);
	assert_int_equal(dal_api_new(now.engine, &now.api, &error), 0);
	dal_engine_start(now.engine, &errors);
	expect_none(&errors);
	base = harness_base();
	assert_int_equal(dal_http_client_new(&(struct dal_http_client_options){.base = base},
					     &now.client, &error),
			 0);
	free(base);
	dal_errors_deinit(&errors);
}

static void engine_stop(void)
{
	dal_http_client_free(now.client);
	dal_engine_stop(now.engine);
	dal_api_free(now.api);
	dal_engine_free(now.engine);
	dal_app_free(now.app);
}

void harness_start(const char *operator_file, const char *rules)
{
	static const char *const folders[] = {"rules", "functions/lost", "functions/other"};

	snprintf(now.folder, sizeof(now.folder), "/tmp/dal-api-XXXXXX");
	assert_non_null(mkdtemp(now.folder));
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = dal_asprintf("%s/%s", now.folder, folders[i]);
		assert_int_equal(dal_folder_make(path, 0700), 0);
		free(path);
	}
	if (operator_file) {
		file_write("dalamb.lua", operator_file);
	}
	file_write("rules/test.lua", rules);
	now.json = dal_json_new();
	engine_start();
}

void harness_restart(const char *rules)
{
	engine_stop();
	file_write("rules/test.lua", rules);
	engine_start();
}

static int on_file(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
	(void)stat;
	(void)kind;
	(void)walk;
	return remove(path);
}

void harness_stop(void)
{
	engine_stop();
	dal_http_answer_deinit(&now.answer);
	dal_json_free(now.json);
	nftw(now.folder, on_file, 16, FTW_DEPTH | FTW_PHYS);
	memset(&now, 0, sizeof(now));
}

struct dal_engine *harness_engine(void)
{
	return now.engine;
}

/* --- asking --- */

static void answer_parse(void)
{
	const char *type = dal_buffer_cstr(&now.answer.type);
	struct dal_json_error error;

	if (strstr(type, "json") && !strstr(type, "ndjson") &&
	    dal_json_parse(now.json, dal_buffer_slice(&now.answer.body), 0, &error) != 0) {
		fail_msg("%s at %zu: %s", error.reason, error.position,
			 dal_buffer_cstr(&now.answer.body));
	}
}

static const char *ask(const struct dal_http_ask *what, int status)
{
	struct dal_error error = {0};

	dal_http_answer_deinit(&now.answer);
	now.answer = (struct dal_http_answer){0};
	if (dal_http_client_ask(now.client, what, &now.answer, &error) != 0) {
		fail_msg("%s %s: %s", what->method, what->target, error.text);
	}
	if (status != 0 && now.answer.status != status) {
		fail_msg("%s %s: %d and not %d: %s", what->method, what->target, now.answer.status,
			 status, dal_buffer_cstr(&now.answer.body));
	}
	answer_parse();
	return dal_buffer_cstr(&now.answer.body);
}

const char *harness_get(const char *target, int status)
{
	return ask(&(struct dal_http_ask){.method = "GET", .target = target}, status);
}

const char *harness_get_with(const char *target, const char *header, const char *value, int status)
{
	const struct dal_http_header_line headers[] = {{header, value}, {NULL, NULL}};

	return ask(&(struct dal_http_ask){.method = "GET", .target = target, .headers = headers},
		   status);
}

const char *harness_post_as(const char *target, const char *type, const char *body, int status)
{
	return ask(&(struct dal_http_ask){.method = "POST",
					  .target = target,
					  .type = type,
					  .body = dal_slice_text(body)},
		   status);
}

const char *harness_post(const char *target, const char *body, int status)
{
	return harness_post_as(target, "application/json", body, status);
}

const char *harness_ask(const char *target)
{
	return ask(&(struct dal_http_ask){.method = "GET", .target = target}, 0);
}

const struct dal_json *harness_json(void)
{
	return now.json;
}

uint32_t harness_member(uint32_t node, const char *name)
{
	return dal_json_find(now.json, node, dal_slice_text(name));
}

void harness_expect_text(uint32_t node, const char *text)
{
	char *found;

	assert_int_not_equal(node, DAL_JSON_NONE);
	assert_int_equal(dal_json_kind(now.json, node), DAL_JSON_STRING);
	found = dal_slice_dup(dal_json_string(now.json, node));
	assert_string_equal(found, text);
	free(found);
}

uint64_t harness_event(const char *type, const char *data)
{
	char *body = dal_asprintf("{\"specversion\":\"1.0\",\"id\":\"%u\",\"source\":\"/test\",\n"
				  " \"type\":\"%s\",\"subject\":\"s%u\",\"data\":%s}",
				  now.events, type, now.events % 10, data);
	struct dal_place place;

	now.events++;
	ask(&(struct dal_http_ask){.method = "POST",
				   .target = "/v1/events",
				   .type = "application/cloudevents+json",
				   .body = dal_slice_text(body)},
	    200);
	free(body);
	assert_true(dal_place_parse(dal_json_string(now.json,
						    harness_member(DAL_JSON_ROOT, "position")),
				    NULL, &place));
	return place.offset;
}

static bool is_settled(uint16_t lane)
{
	struct dal_worker_status status;
	bool settled;

	dal_worker_status(dal_engine_worker(now.engine, lane), &status);
	settled = dal_position_equal(&status.next, &status.end);
	dal_worker_status_deinit(&status);
	return settled;
}

void harness_settle(void)
{
	for (uint16_t lane = 0; lane < dal_engine_lanes(now.engine); lane++) {
		for (int i = 0; i < 10000 && !is_settled(lane); i++) {
			usleep(1000);
		}
		if (!is_settled(lane)) {
			fail_msg("lane %u does not come to the end of the log", lane);
		}
	}
}
