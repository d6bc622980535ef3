/* POST /hooks/github: signatures, forms, ping, repeats, the mapping, and real payloads. */
#include "tests/unit/connectors/fixture.h"

#include <stdio.h>
#include <unistd.h>

#include "engine/base/digest.h"
#include "engine/base/file.h"
#include "engine/base/limits.h"
#include "engine/base/memory.h"
#include "engine/event/json.h"

#define HOOK "/hooks/github"
#define JSON "Content-Type: application/json\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

/* Signs and sends; `id` is the delivery's. */
static int deliver(struct house *house, const char *name, const char *id, const char *type,
		   struct dal_slice body, struct dal_buffer *out)
{
	struct dal_digest digest = dal_digest_hmac(dal_slice_text(SECRET), body);
	struct dal_buffer headers = {0};

	dal_buffer_printf(&headers, "%sX-GitHub-Event: %s\r\nX-GitHub-Delivery: %s\r\n", type, name,
			  id);
	dal_buffer_text(&headers, "X-Hub-Signature-256: sha256=");
	dal_hex_encode(dal_slice(digest.bytes, DAL_DIGEST_BYTES), &headers);
	dal_buffer_text(&headers, "\r\n");
	int status = post_bytes(house, HOOK, dal_buffer_cstr(&headers), body.data, body.size, out);
	dal_buffer_deinit(&headers);
	return status;
}

static void delivered(struct house *house, const char *name, const char *id, const char *type,
		      const char *body, int status, const char *text)
{
	struct dal_buffer out = {0};
	int got = deliver(house, name, id, type, dal_slice_text(body), &out);

	if (got != status || !holds(&out, text)) {
		fail_msg("expected %d with %s, got %s", status, text, dal_buffer_cstr(&out));
	}
	dal_buffer_deinit(&out);
}

/* GitHub's own: "Validating webhook deliveries", testing the implementation. */
static void test_vector(void **state)
{
	struct house *house = *state;
	const char *headers = JSON
		"X-GitHub-Event: ping\r\nX-GitHub-Delivery: 1\r\nX-Hub-Signature-256: sha256="
		"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17\r\n";

	expect(house, HOOK, headers, "Hello, World!", 200, "{\"ping\":true}");
	expect(house, HOOK, headers, "Hello, World?", 401, "does not fit");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_signatures_refused(void **state)
{
	struct house *house = *state;
	static const char *const wrong[] = {
		"",
		"X-Hub-Signature: sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59\r\n",
		"X-Hub-Signature-256:\r\n",
		"X-Hub-Signature-256: sha256=\r\n",
		"X-Hub-Signature-256: sha256=757107ea\r\n",
		"X-Hub-Signature-256: sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f437"
		"9c8b043e1700\r\n",
		"X-Hub-Signature-256: sha256=zz7107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f437"
		"9c8b043e17\r\n",
		"X-Hub-Signature-256: 757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043"
		"e17\r\n",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char headers[400];
		snprintf(headers, sizeof(headers),
			 JSON "X-GitHub-Event: ping\r\nX-GitHub-Delivery: 1\r\n%s", wrong[i]);
		expect(house, HOOK, headers, "Hello, World!", 401, "the app declares");
	}
}

/* Whoever has no secret can't make us read. */
static void test_refused_early(void **state)
{
	struct dal_buffer out = {0};
	int fd = dial(*state);

	tell(fd, "POST " HOOK " HTTP/1.1\r\nHost: example.com\r\n" JSON
		 "X-GitHub-Event: push\r\nX-GitHub-Delivery: 1\r\nContent-Length: 20000000\r\n"
		 "\r\n{");
	assert_int_equal(hear(fd, &out), 401);
	assert_true(holds(&out, "is missing"));
	close(fd);
	dal_buffer_deinit(&out);
}

/* While one secret is exchanged for another both count. */
static void test_rotation(void **state)
{
	struct house *house = *state;
	struct dal_slice body = dal_slice_text("{\"zen\":1}");
	struct dal_digest digest = dal_digest_hmac(dal_slice_text("another"), body);
	struct dal_buffer headers = {0};

	dal_buffer_text(&headers, JSON "X-GitHub-Event: ping\r\nX-GitHub-Delivery: 1\r\n"
				       "X-Hub-Signature-256: sha256=");
	dal_hex_encode(dal_slice(digest.bytes, DAL_DIGEST_BYTES), &headers);
	dal_buffer_text(&headers, "\r\n");
	expect(house, HOOK, dal_buffer_cstr(&headers), body.data, 200, "ping");
	delivered(house, "ping", "2", JSON, "{}", 200, "ping");
	dal_buffer_deinit(&headers);
}

static void test_event(void **state)
{
	struct house *house = *state;
	const char *payload = "{\"action\":\"opened\",\"issue\":{\"number\":7,\"updated_at\":"
			      "\"2026-11-24T10:13:26Z\"},\"repository\":{\"url\":"
			      "\"https://api.github.com/repos/o/r\"}}";
	struct dal_buffer expected = {0};

	delivered(house, "issues", "d-1", JSON, payload, 202, "{\"position\":\"events/0/1\"}\n");
	dal_buffer_printf(&expected,
			  "{\"specversion\":\"1.0\",\"id\":\"d-1\",\"source\":"
			  "\"https://api.github.com/repos/o/r\",\"type\":"
			  "\"com.github.issues.opened\",\"subject\":\"7\",\"time\":"
			  "\"2026-11-24T10:13:26Z\",\"datacontenttype\":\"application/json\","
			  "\"data\":%s}",
			  payload);
	assert_string_equal(log_event(&house->log, 0), dal_buffer_cstr(&expected));
	dal_buffer_deinit(&expected);
}

static void test_form(void **state)
{
	struct house *house = *state;

	delivered(house, "push", "d-1", FORM,
		  "x=1&payload=%7B%22ref%22%3A%22refs%2Fheads%2Fmain%22%2C+%22a%22%3A%22%2B%22%7d",
		  202, "events/0/1");
	assert_non_null(strstr(log_event(&house->log, 0), "\"subject\":\"refs/heads/main\""));
	assert_non_null(strstr(log_event(&house->log, 0),
			       "\"data\":{\"ref\":\"refs/heads/main\", \"a\":\"+\"}"));
	delivered(house, "push", "d-2", FORM, "payload=%7", 400, "payload");
	delivered(house, "push", "d-2", FORM, "other=1", 400, "payload");
	delivered(house, "push", "d-2", "Content-Type: text/plain\r\n", "{}", 415,
		  "the webhook's content type");
}

static void test_repeats(void **state)
{
	struct house *house = *state;

	delivered(house, "push", "d-1", JSON, "{\"ref\":\"a\"}", 202,
		  "{\"position\":\"events/0/1\"}");
	delivered(house, "push", "d-1", JSON, "{\"ref\":\"a\"}", 202, "\"repeated\":true");
	/* A captured request under another id. */
	delivered(house, "push", "d-2", JSON, "{\"ref\":\"a\"}", 202,
		  "{\"position\":\"events/0/1\",\"repeated\":true}");
	delivered(house, "push", "d-3", JSON, "{\"ref\":\"b\"}", 202,
		  "{\"position\":\"events/0/2\"}");
	delivered(house, "create", "d-4", JSON, "{\"ref\":\"b\"}", 202, "events/0/3\"}");
	assert_int_equal(log_count(&house->log), 3);
}

static void test_refused(void **state)
{
	struct house *house = *state;

	delivered(house, "push", "d", JSON, "{\"ref\":}", 400, "\"position\":7}");
	delivered(house, "push", "d", JSON, "[]", 400, "no JSON object");
	delivered(house, "push", "", JSON, "{}", 400, "X-GitHub-Delivery");
	delivered(house, "", "d", JSON, "{}", 400, "X-GitHub-Event");
	delivered(house, "Push!", "d", JSON, "{}", 400, "X-GitHub-Event");
	assert_int_equal(log_count(&house->log), 0);
}

static void test_sink_says_no(void **state)
{
	struct house *house = *state;

	log_refuse(&house->log, DAL_SINK_FULL, 1);
	delivered(house, "push", "d", JSON, "{}", 503, "Retry-After");
	log_refuse_done(&house->log, -5, 1);
	delivered(house, "push", "d", JSON, "{}", 503, "could not be written");
	delivered(house, "push", "d", JSON, "{}", 202, "{\"position\":\"events/0/1\"}");
}

static void put_giant(struct dal_buffer *out, size_t bytes)
{
	dal_buffer_text(out, "{\"ref\":\"");
	char *to = dal_buffer_reserve(out, bytes);
	memset(to, 'x', bytes);
	out->size += bytes;
	dal_buffer_text(out, "\"}");
}

static void test_sizes(void **state)
{
	struct house *house = *state;
	struct dal_buffer body = {0}, out = {0};

	put_giant(&body, 24 * 1000 * 1000);
	assert_int_equal(deliver(house, "push", "d", JSON, dal_buffer_slice(&body), &out), 202);
	dal_buffer_clear(&body);
	put_giant(&body, 25 * 1000 * 1000);
	assert_int_equal(deliver(house, "push", "d", JSON, dal_buffer_slice(&body), &out), 413);
	dal_buffer_deinit(&body);
	dal_buffer_deinit(&out);
}

struct mapped {
	const char *name, *payload, *text;
};

static void test_mapping(void **state)
{
	struct house *house = *state;
	static const struct mapped cases[] = {
		{"create", "{\"ref\":\"v1\",\"ref_type\":\"tag\"}",
		 "\"type\":\"com.github.create.tag\",\"subject\":\"v1\""},
		{"deployment_status",
		 "{\"action\":\"created\",\"deployment_status\":{\"state\":\"success\",\"url\":"
		 "\"u\"}}",
		 "\"type\":\"com.github.deployment_status.success\",\"subject\":\"u\""},
		{"membership",
		 "{\"action\":\"added\",\"scope\":\"team\",\"member\":{\"login\":\"m\"},"
		 "\"team\":{\"url\":\"https://t\"}}",
		 "\"source\":\"https://t\",\"type\":\"com.github.membership.team.added\","
		 "\"subject\":\"m\""},
		{"pull_request", "{\"action\":\"closed\",\"number\":12}",
		 "\"type\":\"com.github.pull_request.closed\",\"subject\":\"12\""},
		{"check_run",
		 "{\"action\":\"created\",\"check_run\":{\"id\":4,\"completed_at\":null,"
		 "\"started_at\":\"2019-05-15T15:21:12Z\"}}",
		 "\"subject\":\"4\",\"time\":\"2019-05-15T15:21:12Z\""},
		{"fork", "{\"action\":\"x\",\"forkee\":{\"url\":\"f\"}}",
		 "\"type\":\"com.github.fork\",\"subject\":\"f\""},
		{"label", "{\"action\":\"edited\",\"label\":{\"name\":\"\"}}",
		 "\"type\":\"com.github.label.edited\",\"time\":\"2"},
		/* Unknown events, sources when there is no repository. */
		{"new_thing", "{\"action\":\"made\",\"organization\":{\"url\":\"https://org\"}}",
		 "\"source\":\"https://org\",\"type\":\"com.github.new_thing.made\",\"time\":"},
		{"new_thing", "{\"sender\":{\"url\":\"https://me\"}}",
		 "\"source\":\"https://me\",\"type\":\"com.github.new_thing\","},
		{"installation",
		 "{\"action\":\"created\",\"installation\":{\"id\":5,\"updated_at\":1557933591,"
		 "\"account\":{\"url\":\"https://acc\"}}}",
		 "\"source\":\"https://acc\",\"type\":\"com.github.installation.created\","
		 "\"subject\":\"5\",\"time\":\"2"},
		{"meta", "{}", "\"source\":\"github.com\",\"type\":\"com.github.meta\""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		delivered(house, cases[i].name, "d", JSON, cases[i].payload, 202, "position");
		const char *event = log_event(&house->log, i);
		if (strstr(event, cases[i].text) == NULL) {
			fail_msg("expected %s in %s", cases[i].text, event);
		}
	}
}

static void refused(const char *path, const char *secret, const char *text)
{
	struct dal_declaration declared;
	struct dal_errors errors = {0};
	struct dal_error error;
	struct dal_sink sink = {0};

	dal_declaration_init(&declared, &dal_github_declarable, "", "dalamb.lua", 3);
	for (size_t i = 0; i < declared.count; i++) {
		const struct dal_field *field = &dal_github_declarable.fields[i];
		const char *value = strcmp(field->name, "path") == 0 ? path : secret;
		if (value != NULL) {
			assert_int_equal(dal_value_parse(field, dal_slice_text(value),
							 &declared.values[i], &error),
					 0);
		}
	}
	assert_null(dal_github_new(&declared, &sink, &errors));
	assert_true(errors.count >= 1);
	assert_non_null(strstr(errors.items[0].text, text));
	assert_string_equal(errors.items[0].file, "dalamb.lua");
	assert_int_equal(errors.items[0].line, 3);
	dal_errors_deinit(&errors);
	dal_declaration_deinit(&declared);
}

static void test_declarations_refused(void **state)
{
	(void)state;
	refused("hooks", SECRET, "expected a path");
	refused("/hooks/{x}", SECRET, "expected a path");
	refused("/hooks?x", SECRET, "expected a path");
	refused("/", SECRET, "expected a path");
	refused("/hooks", NULL, "without a secret is not served");
}

/* --- real payloads: api.github.com/index.json of npm @octokit/webhooks-examples --- */

struct examples {
	struct house *house;
	struct dal_buffer dedup; /* two examples of an event may be the same */
	size_t sent, repeated;
};

static void send_example(struct examples *examples, struct dal_slice name, struct dal_slice payload)
{
	struct dal_buffer out = {0}, prefix = {0};
	char *event = dal_slice_dup(name), id[32];
	size_t before = log_count(&examples->house->log);

	snprintf(id, sizeof(id), "example-%zu", examples->sent);
	int status = deliver(examples->house, event, id, JSON, payload, &out);
	if (strcmp(event, "ping") == 0) {
		assert_int_equal(status, 200);
	} else if (status != 202) {
		fail_msg("%s: %s", event, dal_buffer_cstr(&out));
	} else if (holds(&out, "\"repeated\":true")) {
		examples->repeated++;
	} else {
		const char *text = log_event(&examples->house->log, before);
		dal_buffer_printf(&prefix, "\"type\":\"com.github.%s", event);
		assert_non_null(strstr(text, dal_buffer_cstr(&prefix)));
		bool advisory = strcmp(event, "security_advisory") == 0;
		assert_non_null(
			strstr(text, advisory ? "\"source\":\"github.com\"" : "\"source\":\"http"));
		assert_non_null(strstr(text, "\"time\":\""));
	}
	examples->sent++;
	dal_buffer_deinit(&out);
	dal_buffer_deinit(&prefix);
	free(event);
}

/* The package's index: [{"name": event, "examples": [payload ...]} ...] */
static void send_index(struct examples *examples, struct dal_slice text)
{
	struct dal_json *json = dal_json_new();

	assert_int_equal(dal_json_parse(json, text, 0, NULL), 0);
	for (uint32_t i = 0; i < dal_json_count(json, DAL_JSON_ROOT); i++) {
		uint32_t entry = dal_json_at(json, DAL_JSON_ROOT, i);
		uint32_t name = dal_json_find(json, entry, dal_slice_text("name"));
		uint32_t list = dal_json_find(json, entry, dal_slice_text("examples"));
		for (uint32_t k = 0; k < dal_json_count(json, list); k++) {
			send_example(examples, dal_json_string(json, name),
				     dal_json_raw(json, dal_json_at(json, list, k)));
		}
	}
	dal_json_free(json);
}

static void test_examples(void **state)
{
	const char *path = getenv("DALAMB_TEST_GITHUB_EXAMPLES");
	struct examples examples = {.house = *state};
	struct dal_buffer text = {0};

	if (path == NULL) {
		print_message("DALAMB_TEST_GITHUB_EXAMPLES is not set: no real payloads\n");
		skip();
	}
	assert_int_equal(dal_file_read(path, 256 * DAL_MIB, &text), 0);
	send_index(&examples, dal_buffer_slice(&text));
	print_message("%zu examples, %zu of them the same as another\n", examples.sent,
		      examples.repeated);
	assert_true(examples.sent > 0);
	dal_buffer_deinit(&text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, house_setup, house_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_vector),        CASE(test_signatures_refused),
		CASE(test_refused_early), CASE(test_rotation),
		CASE(test_event),         CASE(test_form),
		CASE(test_repeats),       CASE(test_refused),
		CASE(test_sink_says_no),  CASE(test_sizes),
		CASE(test_mapping),       cmocka_unit_test(test_declarations_refused),
		CASE(test_examples),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
