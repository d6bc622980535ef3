/*
 * How fast JSON is read, in ns and MB/s: an event of 330 bytes, a nested payload of 10 KB.
 *
 *	bench_json [SECONDS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/clock.h"
#include "engine/event/event.h"
#include "engine/event/json_write.h"

static void small_event(struct dal_buffer *out)
{
	dal_buffer_text(
		out, "{\"specversion\":\"1.0\",\"id\":\"5f0c2b1e-7c1d-4d0a-9c3e-2f9f3c7a1b44\","
		     "\"source\":\"/shop/checkout\",\"type\":\"order.placed\","
		     "\"subject\":\"customer-1042\",\"time\":\"2026-11-24T10:13:26.123456Z\","
		     "\"data\":{\"order\":918273,\"customer\":\"customer-1042\",\"total\":129.95,"
		     "\"currency\":\"EUR\",\"items\":[{\"sku\":\"A-17\",\"count\":2},"
		     "{\"sku\":\"B-4\",\"count\":1}],\"paid\":true}}");
}

/* A person as GitHub writes one: names with a common end, urls. */
static void put_person(struct dal_json_writer *w, int n)
{
	static const char *const urls[] = {"avatar_url",        "followers_url",
					   "following_url",     "gists_url",
					   "starred_url",       "subscriptions_url",
					   "organizations_url", "repos_url",
					   "events_url"};
	char url[80];
	dal_json_begin_object(w);
	dal_json_key(w, "login");
	dal_json_put_text(w, "octocat");
	dal_json_key(w, "id");
	dal_json_put_integer(w, 21031067 + n);
	dal_json_key(w, "site_admin");
	dal_json_put_boolean(w, false);
	dal_json_key(w, "gravatar_id");
	dal_json_put_null(w);
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		snprintf(url, sizeof(url), "https://api.github.com/users/octocat/%s{/%d}", urls[i],
			 n);
		dal_json_key(w, urls[i]);
		dal_json_put_text(w, url);
	}
	dal_json_end_object(w);
}

static void put_repository(struct dal_json_writer *w)
{
	char key[32], url[80];
	dal_json_begin_object(w);
	for (int i = 0; i < 60; i++) {
		snprintf(key, sizeof(key), "%c%c_number_%d_url", 'a' + i % 26, 'a' + i / 3, i);
		snprintf(url, sizeof(url), "https://api.github.com/repos/octocat/hello/%d", i);
		dal_json_key(w, key);
		if (i % 3 == 0) {
			dal_json_put_integer(w, i * 1000003);
		} else {
			dal_json_put_text(w, url);
		}
	}
	dal_json_key(w, "description");
	dal_json_put_text(w, "A \"quoted\" line\nand a second one");
	dal_json_key(w, "owner");
	put_person(w, 1);
	dal_json_end_object(w);
}

static void large_payload(struct dal_buffer *out)
{
	struct dal_json_writer w = {.out = out};
	dal_json_begin_object(&w);
	dal_json_key(&w, "action");
	dal_json_put_text(&w, "opened");
	dal_json_key(&w, "repository");
	put_repository(&w);
	dal_json_key(&w, "people");
	dal_json_begin_array(&w);
	for (int i = 0; out->size < 10000; i++) {
		put_person(&w, i);
	}
	dal_json_end_array(&w);
	dal_json_end_object(&w);
}

enum use { PARSE, VIEW, READ };

static void use(const struct dal_json *json, enum use how)
{
	struct dal_event event;
	struct dal_error error;
	if (how == VIEW) {
		dal_event_view(&event, json);
	} else if (how == READ && dal_event_read(&event, json, &error) != 0) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
}

static void measure(const char *name, struct dal_buffer *text, int flags, enum use how,
		    double seconds)
{
	struct dal_json *json = dal_json_new();
	struct dal_json_error error;
	dal_buffer_reserve(text, DAL_JSON_PADDING);
	size_t rounds = 0, step = 1 + 2000000 / text->size;
	int64_t start = dal_clock_thread_cpu_us(), took = 0;
	while ((double)took < seconds * 1e6) {
		for (size_t i = 0; i < step; i++) {
			if (dal_json_parse(json, dal_buffer_slice(text), flags, &error) != 0) {
				fprintf(stderr, "%s: %s at %zu\n", name, error.reason,
					error.position);
				exit(1);
			}
			use(json, how);
		}
		rounds += step;
		took = dal_clock_thread_cpu_us() - start;
	}
	printf("%-32s %6zu bytes %8.0f ns %8.0f MB/s\n", name, text->size,
	       (double)took * 1e3 / (double)rounds, (double)(rounds * text->size) / (double)took);
	dal_json_free(json);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	struct dal_buffer small = {0}, large = {0};
	small_event(&small);
	large_payload(&large);
	int fast = DAL_JSON_PADDED | DAL_JSON_TRUSTED;
	measure("event", &small, 0, PARSE, seconds);
	measure("event, padded", &small, DAL_JSON_PADDED, PARSE, seconds);
	measure("event, trusted", &small, fast, PARSE, seconds);
	measure("event, trusted, viewed", &small, fast, VIEW, seconds);
	measure("event, read as from outside", &small, 0, READ, seconds);
	measure("payload", &large, 0, PARSE, seconds);
	measure("payload, padded", &large, DAL_JSON_PADDED, PARSE, seconds);
	measure("payload, trusted", &large, fast, PARSE, seconds);
	dal_buffer_deinit(&small);
	dal_buffer_deinit(&large);
	return 0;
}
