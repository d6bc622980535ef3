/* What rules may read on Kafka while events are evaluated; tests/cases/feeds has the check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/app/feeds.h"
#include "engine/base/memory.h"
#include "tests/unit/app/folder.h"

static const char rules[] =
	"projection 'totals' { on = { type = 'a', topic = 'events' }, key = 'data.customer',\n"
	"  fold = function() end }\n"
	"projection 'clicks' { on = { type = 'a', topic = 'clicks' }, key = 'data.user',\n"
	"  fold = function() end }\n"
	"rule 'hidden' { by = 'data.customer', on = { type = 'a', topic = 'events' },\n"
	"  when = function(event) return view(event.data.view, event.data.key) end }\n";

enum { TOTALS, CLICKS };

struct fixture {
	struct dal_app *app;
	struct dal_feeds *feeds;
	struct dal_json *json;
	struct dal_buffer why;
};

static void load(struct fixture *f, const char *folder, const char *log, uint32_t events)
{
	const uint32_t partitions[] = {events, events, events, events};
	struct dal_errors errors = {0};

	*f = (struct fixture){.json = dal_json_new()};
	write_file(folder, "rules/a.lua", rules);
	write_file(folder, "dalamb.lua", log);
	assert_int_equal(load_folder(folder, none, &f->app, &errors), 0);
	if (dal_feeds_check(f->app, partitions, &errors) != 0) {
		fail_msg("%s", errors.items[0].text);
	}
	f->feeds = dal_feeds_new(f->app, partitions);
}

static void end(struct fixture *f)
{
	dal_feeds_free(f->feeds);
	dal_app_free(f->app);
	dal_json_free(f->json);
	dal_buffer_deinit(&f->why);
}

static bool reads(struct fixture *f, const char *json, uint32_t projection, const char *key)
{
	const struct dal_view_rights *rights = dal_feeds_rights(f->feeds);
	struct dal_event event;

	assert_int_equal(dal_json_parse(f->json, dal_slice_text(json), 0, NULL), 0);
	dal_event_view(&event, f->json);
	dal_buffer_clear(&f->why);
	return rights->may_read(rights->own, &event, 0, projection, dal_slice_text(key), &f->why);
}

static void refused(struct fixture *f, const char *json, uint32_t projection, const char *key,
		    const char *why)
{
	assert_false(reads(f, json, projection, key));
	if (!strstr(dal_buffer_cstr(&f->why), why)) {
		fail_msg("no \"%s\" in %s", why, dal_buffer_cstr(&f->why));
	}
}

#define KAFKA                                                                                      \
	"log { kind = 'kafka', brokers = 'b', topics = { events = { key = 'data.customer' },\n"    \
	"  clicks = { key = 'data.user' } } }\n"

static void its_own_key_where_there_are_several_partitions(void **own)
{
	struct fixture f;

	load(&f, *own, KAFKA, 12);
	assert_int_equal(dal_feeds_reach(f.feeds, 0, TOTALS), DAL_FEEDS_OWN_KEY);
	assert_int_equal(dal_feeds_reach(f.feeds, 0, CLICKS), DAL_FEEDS_NONE);
	assert_true(reads(&f, "{\"data\":{\"customer\":\"c1\"}}", TOTALS, "c1"));
	assert_true(reads(&f, "{\"data\":{\"customer\":\"c\\u0031\"}}", TOTALS, "c1"));
	assert_true(reads(&f, "{\"data\":{\"customer\":5.0}}", TOTALS, "5"));
	assert_true(reads(&f, "{\"data\":{\"customer\":true}}", TOTALS, "true"));
	assert_int_equal(f.why.size, 0);
	refused(&f, "{\"data\":{\"customer\":\"c1\"}}", TOTALS, "c2",
		"data.customer of this event is \"c1\", and \"c2\" was asked for");
	refused(&f, "{\"data\":{\"customer\":[\"c1\"]}}", TOTALS, "c1", "is no key");
	refused(&f, "{\"data\":{}}", TOTALS, "c1", "is no key");
	refused(&f, "{\"data\":{\"customer\":\"c1\"}}", CLICKS, "c1",
		"rule \"hidden\" and the projection must be fed by the same topic");
	end(&f);
}

static void every_key_where_there_is_one(void **own)
{
	struct fixture f;

	load(&f, *own, KAFKA, 1);
	assert_true(reads(&f, "{\"data\":{\"customer\":\"c1\"}}", TOTALS, "c2"));
	refused(&f, "{\"data\":{\"customer\":\"c1\"}}", CLICKS, "c1", "the same topic");
	end(&f);
}

static void everything_on_the_embedded_log(void **own)
{
	struct fixture f;

	load(&f, *own, "log { topics = { 'clicks' } }", 0);
	assert_null(f.feeds);
	assert_null(dal_feeds_rights(f.feeds));
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(its_own_key_where_there_are_several_partitions),
		CASE(every_key_where_there_is_one),
		CASE(everything_on_the_embedded_log),
	};

	return cmocka_run_group_tests_name("feeds", tests, NULL, NULL);
}
