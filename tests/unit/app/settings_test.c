/* The table `log`: what it comes to, and every mistake in it with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/app/settings.h"
#include "tests/unit/app/folder.h"

static struct dal_app *load_log(const char *folder, const char *text, char *const *environment,
				bool offline)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;

	write_file(folder, "dalamb.lua", text);
	if (dal_app_load(&(struct dal_app_options){.folder = folder,
						   .environment = environment,
						   .offline = offline,
						   .data = "/nowhere"},
			 &app, &errors, NULL) != 0) {
		fail_msg("%s:%d: %s", errors.items[0].file, errors.items[0].line,
			 errors.items[0].text);
	}
	return app;
}

static void embedded_by_default(void **own)
{
	struct dal_log_options options = {.disk_free_bytes = 7};
	struct dal_app *app = load_log(*own, "app 'shop'\n", none, false);

	dal_settings_log(app, &options);
	assert_int_equal(options.kind, DAL_LOG_EMBEDDED);
	assert_string_equal(options.path, "/nowhere/log");
	assert_int_equal(options.topic_count, 0);
	assert_int_equal(options.disk_free_bytes, 7);
	dal_app_free(app);
}

static const char kafka[] =
	"app 'shop'\n"
	"log { kind = 'kafka', brokers = { 'k1:9092', 'SASL_SSL://[::1]:9093, k3' },\n"
	"  topics = { 'audit', events = { key = 'data.customer' },\n"
	"    ['web.clicks'] = { key = 'data.user', type = 'click', source = '/web',\n"
	"      partitioner = 'crc32', on_wrong_key = 'halt' } },\n"
	"  partitions = 12, out_of_range = 'earliest', group = 'Shop 2',\n"
	"  kafka = { ['sasl.username'] = 'me', ['sasl.password'] = secret 'PASS',\n"
	"    ['fetch.wait.max.ms'] = 50, ['enable.ssl.certificate.verification'] = false } }\n";

static char *const with_secret[] = {(char *)"PASS=sesame", NULL};

static void kafka_with_all_of_it(void **own)
{
	struct dal_log_options options = {0};
	struct dal_app *app = load_log(*own, kafka, with_secret, false);

	dal_settings_log(app, &options);
	assert_int_equal(options.kind, DAL_LOG_KAFKA);
	assert_string_equal(options.kafka.brokers, "k1:9092,SASL_SSL://[::1]:9093,k3");
	assert_string_equal(options.kafka.app, "shop");
	assert_string_equal(options.kafka.group, "Shop 2");
	assert_string_equal(options.kafka.data, "/nowhere");
	assert_int_equal(options.kafka.partitions, 12);
	assert_true(options.kafka.skip_lost);
	assert_int_equal(options.topic_count, 3);
	assert_string_equal(options.topics[0].name, "audit");
	assert_null(options.topics[0].key);
	assert_null(options.topics[0].partitioner);
	assert_false(options.topics[0].halt_on_wrong_key);
	assert_string_equal(options.topics[1].name, "events");
	assert_string_equal(options.topics[1].key, "data.customer");
	assert_string_equal(options.topics[2].name, "web.clicks");
	assert_string_equal(options.topics[2].key, "data.user");
	assert_string_equal(options.topics[2].type, "click");
	assert_string_equal(options.topics[2].source, "/web");
	assert_string_equal(options.topics[2].partitioner, "crc32");
	assert_true(options.topics[2].halt_on_wrong_key);
	assert_int_equal(options.kafka.property_count, 4);
	for (size_t i = 0; i < 4; i++) {
		static const char *const expected[][2] = {
			{"enable.ssl.certificate.verification", "false"},
			{"fetch.wait.max.ms", "50"},
			{"sasl.password", "sesame"},
			{"sasl.username", "me"},
		};
		assert_string_equal(options.kafka.properties[i].name, expected[i][0]);
		assert_string_equal(options.kafka.properties[i].value, expected[i][1]);
	}
	dal_app_free(app);
}

static void a_reader_is_no_member(void **own)
{
	struct dal_log_options options = {.read_only = true};
	struct dal_app *app = load_log(*own, "app 'shop'\nlog { kind = 'kafka', brokers = 'k' }\n",
				       none, false);

	dal_settings_log(app, &options);
	assert_null(options.kafka.data);
	assert_string_equal(options.kafka.group, "shop");
	assert_false(options.kafka.skip_lost);
	assert_int_equal(options.kafka.partitions, 0);
	dal_app_free(app);
}

/* What is read of a stopped engine's log on Kafka needs its password, though nothing is run. */
static void offline_uses_the_secrets_that_are_there(void **own)
{
	struct dal_app *app = load_log(*own, kafka, with_secret, true);

	assert_string_equal(app->settings.kafka.properties[2].value, "sesame");
	dal_app_free(app);
	app = load_log(*own, kafka, none, true);
	assert_string_equal(app->settings.kafka.properties[2].value, "");
	dal_app_free(app);
}

static void one_line_moves_an_app(void **own)
{
	static char *const environment[] = {(char *)"DALAMB_LOG_KIND=kafka",
					    (char *)"DALAMB_LOG_BROKERS=a:1, b:2",
					    (char *)"DALAMB_LOG_GROUP=g",
					    (char *)"DALAMB_LOG_PARTITIONS=3",
					    (char *)"DALAMB_LOG_OUT_OF_RANGE=earliest",
					    NULL};
	static char *const topics[] = {(char *)"DALAMB_LOG_TOPICS=x,y", NULL};
	static const char text[] = "log { topics = { 'x', events = { key = 'subject' } },\n"
				   "  group = 'file', partitions = 2 }\n";
	struct dal_app *app = load_log(*own, text, environment, false);

	assert_int_equal(app->settings.log_kind, DAL_LOG_KAFKA);
	assert_string_equal(app->settings.kafka.brokers, "a:1,b:2");
	assert_string_equal(app->settings.kafka.group, "g");
	assert_int_equal(app->settings.kafka.partitions, 3);
	assert_true(app->settings.kafka.skip_lost);
	assert_int_equal(app->settings.topic_count, 2);
	dal_app_free(app);
	app = load_log(*own, text, topics, false);
	assert_int_equal(app->settings.log_kind, DAL_LOG_EMBEDDED);
	assert_int_equal(app->settings.topic_count, 2);
	assert_string_equal(app->settings.topics[1].name, "y");
	assert_string_equal(app->settings.kafka.group, "file"); /* it waits for Kafka */
	dal_app_free(app);
}

/* One mistake, at this place. */
static void expect_at(const char *folder, char *const *environment, const char *file, int line,
		      const char *text)
{
	struct dal_errors errors = {0};
	struct dal_app *app = NULL;

	assert_int_equal(load_folder(folder, environment, &app, &errors), DAL_APP_INVALID);
	if (errors.count != 1 || strcmp(errors.items[0].file, file) != 0 ||
	    errors.items[0].line != line || !strstr(errors.items[0].text, text)) {
		fail_msg("%zu, not %s:%d: \"%s\", but %s:%d: %s", errors.count, file, line, text,
			 errors.items[0].file, errors.items[0].line, errors.items[0].text);
	}
	assert_null(strstr(errors.items[0].text, "sesame"));
	dal_errors_deinit(&errors);
}

static const struct {
	const char *written; /* behind a line of `app` */
	int line;
	const char *text;
} mistakes[] = {
	{"log { kind = 'kofka' }", 2, "expected \"embedded\" or \"kafka\""},
	{"log {\n kind = 'kafka' }", 3,
	 "log.kind is \"kafka\", and no brokers are named: write brokers = "},
	{"log { kind = 'kafka', brokers = {} }", 2, "no brokers are named"},
	{"log { brokers = 5 }", 2, "'brokers' is a number, expected a string or a list"},
	{"log { brokers = { 5 } }", 2, "'brokers' has a number in it"},
	{"log { brokers = 'k\\0x' }", 2, "'brokers' has a NUL in it"},
	{"log { kafka = { a = 'x\\0' } }", 2, "'kafka.a' has a NUL in it"},
	{"log { topics = { 'a\\0b' } }", 2, "'topics' has a NUL in it"},
	{"log { topics = { a = { type = '\\xff' } } }", 2, "'type' is an event's type"},
	{"log { topics = { a = { type = 'a\\n' } } }", 2, "'type' is an event's type"},
	{"log { brokers = 'k1:9092,' }", 2, "log.brokers: \"\" is no address"},
	{"log { brokers = 'k1:0' }", 2, "\"k1:0\" is no address: write host:port"},
	{"log { brokers = 'k1:65536' }", 2, "is no address"},
	{"log { brokers = 'k1:x' }", 2, "is no address"},
	{"log { brokers = ':9092' }", 2, "is no address"},
	{"log { brokers = 'http://k1/x' }", 2, "is no address"},
	{"log { brokers = 'k1 k2' }", 2, "is no address"},
	{"log { group = '' }", 2, "log.group is the name of a consumer group"},
	{"log { group = 'a\\nb' }", 2, "log.group is the name"},
	{"log { partitions = 0 }", 2, "log.partitions must be from 1 to 65534"},
	{"log { partitions = 65535 }", 2, "log.partitions must be from 1 to 65534"},
	{"log { partitions = 'many' }", 2, "'partitions' is a string, expected an integer"},
	{"log { out_of_range = 'skip' }", 2, "expected \"halt\" or \"earliest\""},
	{"log { kafka = 'x' }", 2, "'kafka' is a string, expected a table"},
	{"log { kafka = { acks = 'all',\n b = {} } }", 3, "'kafka.b' is a table, expected a"},
	{"log { kafka = { debug = 'all',\n ['group.id'] = 'x' } }", 3,
	 "log.kafka: kafka property \"group.id\": can't be set: say it in log.group"},
	{"log { kafka = {\n ['no.such'] = 1 } }", 3, "property \"no.such\""},
	{"log { kafka = { ['fetch.wait.max.ms'] = 'hello' } }", 2,
	 "property \"fetch.wait.max.ms\": Invalid value"},
	{"log { kafka = { ['fetch.wait.max.ms'] = secret 'WORD' } }", 2,
	 "\"fetch.wait.max.ms\": its value is not valid"},
	{"log { kafka = { 'x' } }", 2, "'kafka' has a value without a name"},
	{"log { kafka = { debug = 'all',\n ['sasl.password'] = secret 'NOPE' } }", 3,
	 "kafka: the secret \"NOPE\" is missing or empty"},
	{"log { topics = { 'No' } }", 2, "log.topics: \"No\" is no name"},
	{"log { topics = { No = {} } }", 2, "log.topics: \"No\" is no name"},
	{"log { topics = { 5 } }", 2, "'topics' has a value without a name"},
	{"log { topics = 5 }", 2, "'topics' is a number, expected a list of names, or"},
	{"log { topics = { a = 'x' } }", 2, "'topics.a' is a string, expected a table"},
	{"log { topics = { a = { kee = 'x' } } }", 2,
	 "log topics.a: unknown field 'kee', did you mean 'key'?"},
	{"log { topics = {\n a = { key = 'subject' },\n b = { key = 'data..x' } } }", 4,
	 "'topics.b.key' is no path"},
	{"log { topics = { a = { partitioner = 'md5' } } }", 2,
	 "expected \"murmur2\" or \"crc32\""},
	{"log { topics = { a = { on_wrong_key = 'stop' } } }", 2, "expected \"skip\" or \"halt\""},
	{"log { topics = { a = { type = '' } } }", 2, "log.topics.a: 'type' is an event's"},
	{"log { topics = { a = {\n type = 'dalamb.x' } } }", 3, "doesn't begin with"},
	{"log { topics = { a = { source = '' } } }", 2, "'source' is an event's source"},
	{"log { topics = { 'a', a = {} } }", 2, "log.topics: \"a\" is named twice"},
	{"log { topics = { system = { key = 'subject' } } }", 2,
	 "log.topics.system: 'key' can't be set: dalamb alone writes there"},
	{"log { topics = { system = { type = 'x' } } }", 2, "'type' can't be set"},
	{"log { topics = { 'shop.events' } }", 2,
	 "\"shop.events\" is what this app's own topic \"events\" is called on the "
	 "brokers: name it \"events\" here"},
	{"log { topics = {\n ['shop.system'] = {} } }", 3, "own topic \"system\""},
};

static void mistakes_in_the_file(void **own)
{
	static char *const environment[] = {(char *)"WORD=sesame", NULL};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char *text = dal_asprintf("app 'shop'\n%s\n", mistakes[i].written);

		write_file(*own, "dalamb.lua", text);
		expect_at(*own, environment, "dalamb.lua", mistakes[i].line, mistakes[i].text);
		free(text);
	}
}

static void names_that_only_look_alike(void **own)
{
	struct dal_app *app = load_log(*own,
				       "app 'shop'\nlog { topics = { 'shop', 'shop.orders', "
				       "'shops.events', 'system' } }\n",
				       none, false);

	assert_int_equal(app->settings.topic_count, 4);
	dal_app_free(app);
}

static void mistakes_in_the_environment(void **own)
{
	static const struct {
		const char *variable, *text;
	} cases[] = {
		{"DALAMB_LOG_KIND=kofka", "log.kind: expected \"embedded\" or \"kafka\""},
		{"DALAMB_LOG_KIND=kafka", "log.kind is \"kafka\", and no brokers are named"},
		{"DALAMB_LOG_BROKERS=a:b", "log.brokers: \"a:b\" is no address"},
		{"DALAMB_LOG_PARTITIONS=0", "log.partitions must be from 1"},
		{"DALAMB_LOG_TOPICS=Orders", "log.topics: \"Orders\" is no name"},
		{"DALAMB_LOG_KAFKA=a=b", "log.kafka can't be set from the environment"},
		{"DALAMB_LOG_BROKER=a", "log has no field \"broker\"; did you mean \"brokers\"?"},
	};

	write_file(*own, "dalamb.lua", "log { topics = { 'orders' } }\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *environment[] = {(char *)cases[i].variable, NULL};

		expect_at(*own, environment, "environment", 0, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(embedded_by_default),        CASE(kafka_with_all_of_it),
		CASE(a_reader_is_no_member),      CASE(offline_uses_the_secrets_that_are_there),
		CASE(one_line_moves_an_app),      CASE(mistakes_in_the_file),
		CASE(names_that_only_look_alike), CASE(mistakes_in_the_environment),
	};

	return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
