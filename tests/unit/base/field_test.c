/* clang-format off: cmocka wants these four first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "engine/base/field.h"

#include <stdlib.h>

#include "engine/base/memory.h"

static const char *const kinds[] = {"embedded", "kafka", NULL};

static const struct dal_field retry_fields[] = {
	{.name = "attempts", .kind = DAL_FIELD_INTEGER, .fallback = "5", .doc = "How often."},
	{.name = "backoff", .kind = DAL_FIELD_DURATION, .fallback = "1s", .doc = "How long."},
	{.name = "to", .kind = DAL_FIELD_NAME, .required = true, .doc = "Where to."},
	{0},
};

static const struct dal_field topic_fields[] = {
	{.name = "partitions", .kind = DAL_FIELD_INTEGER, .fallback = "1", .doc = "How many."},
	{0},
};

static const struct dal_field fields[] = {
	{.name = "kind", .kind = DAL_FIELD_STRING, .fallback = "embedded", .choices = kinds},
	{.name = "listen", .kind = DAL_FIELD_STRING, .required = true, .doc = "Where to listen."},
	{.name = "disk_free", .kind = DAL_FIELD_SIZE, .fallback = "512MB"},
	{.name = "token", .kind = DAL_FIELD_SECRETS},
	{.name = "order",
	 .kind = DAL_FIELD_PATH,
	 .or_kind = DAL_FIELD_BOOLEAN,
	 .fallback = "false"},
	{.name = "brokers", .kind = DAL_FIELD_STRINGS, .fallback = "{}"},
	{.name = "retry", .kind = DAL_FIELD_TABLE, .fields = retry_fields},
	{.name = "topics", .kind = DAL_FIELD_TABLES, .fields = topic_fields},
	{.name = "defaults", .kind = DAL_FIELD_TABLE, .fields = topic_fields, .fallback = "{}"},
	{0},
};

static const struct dal_declarable http = {
	.name = "http",
	.rights = DAL_DECLARE_OPERATOR,
	.fields = fields,
	.doc = "What the engine listens to.",
};

static struct dal_declaration declaration;
static struct dal_errors errors;

static int set_up(void **state)
{
	(void)state;
	dal_declaration_init(&declaration, &http, NULL, "dalamb.lua", 3);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dal_declaration_deinit(&declaration);
	dal_errors_deinit(&errors);
	return 0;
}

static void assert_error(size_t index, const char *text)
{
	assert_true(index < errors.count);
	assert_string_equal(errors.items[index].text, text);
}

static struct dal_value parse(enum dal_field_kind kind, const char *text)
{
	struct dal_field field = {.name = "f", .kind = kind};
	struct dal_value value;
	struct dal_error error;

	if (dal_value_parse(&field, dal_slice_text(text), &value, &error) != 0) {
		fail_msg("refused: %s: %s", text, error.text);
	}
	assert_true(value.set);
	assert_false(value.written);
	assert_int_equal(value.kind, kind);
	return value;
}

static void refuse(enum dal_field_kind kind, const char *text, const char *expected)
{
	struct dal_field field = {.name = "f", .kind = kind};
	struct dal_value value;
	struct dal_error error;

	if (dal_value_parse(&field, dal_slice_text(text), &value, &error) != 1) {
		fail_msg("accepted: %s", text);
	}
	assert_false(value.set);
	if (expected) {
		assert_string_equal(error.text, expected);
	}
}

static void parses_numbers(void **state)
{
	(void)state;
	assert_int_equal(parse(DAL_FIELD_INTEGER, "-12").number, -12);
	assert_true(parse(DAL_FIELD_NUMBER, "-1.5e3").real == -1500);
	assert_true(parse(DAL_FIELD_BOOLEAN, "true").boolean);
	assert_false(parse(DAL_FIELD_BOOLEAN, "false").boolean);
	refuse(DAL_FIELD_INTEGER, "1.5", "f: expected an integer, not \"1.5\"");
	refuse(DAL_FIELD_NUMBER, "nan", NULL);
	refuse(DAL_FIELD_NUMBER, "inf", NULL);
	refuse(DAL_FIELD_NUMBER, "0x10", NULL);
	refuse(DAL_FIELD_NUMBER, "1e999", NULL);
	refuse(DAL_FIELD_NUMBER, "1 ", NULL);
	refuse(DAL_FIELD_NUMBER, "", NULL);
	refuse(DAL_FIELD_BOOLEAN, "yes", "f: expected true or false, not \"yes\"");
}

static void parses_units(void **state)
{
	(void)state;
	assert_int_equal(parse(DAL_FIELD_DURATION, "10s").number, 10000000);
	assert_int_equal(parse(DAL_FIELD_SIZE, "256MB").number, 256000000);
	assert_int_equal(parse(DAL_FIELD_SIZE, "64KiB").number, 65536);
	assert_int_equal(parse(DAL_FIELD_SIZE, "1TiB").number, INT64_C(1) << 40);
	assert_int_equal(parse(DAL_FIELD_SIZE, "1024").number, 1024);
	assert_true(parse(DAL_FIELD_RATE, "50/s").real == 50);
	assert_true(parse(DAL_FIELD_RATE, "30/m").real == 0.5);
	assert_true(parse(DAL_FIELD_RATE, "0.5/s").real == 0.5);
	assert_true(parse(DAL_FIELD_RATE, "3600/h").real == 1);
	refuse(DAL_FIELD_DURATION, "10",
	       "f: expected a duration such as \"10s\", \"250ms\" or \"24h\", not \"10\"");
	refuse(DAL_FIELD_SIZE, "256mb", NULL);
	refuse(DAL_FIELD_SIZE, "-1", NULL);
	refuse(DAL_FIELD_SIZE, "1.5MB", NULL);
	refuse(DAL_FIELD_SIZE, "MB", NULL);
	refuse(DAL_FIELD_SIZE, "9999999999TB", NULL);
	refuse(DAL_FIELD_RATE, "50", NULL);
	refuse(DAL_FIELD_RATE, "-1/s", NULL);
	refuse(DAL_FIELD_RATE, "1/d", NULL);
	refuse(DAL_FIELD_RATE, "/s", NULL);
}

static void parses_names(void **state)
{
	char long_name[66];
	struct dal_value value = parse(DAL_FIELD_NAME, "a-b.c_9");

	(void)state;
	assert_string_equal(value.text, "a-b.c_9");
	assert_int_equal(value.text_size, 7);
	dal_value_deinit(&value);
	memset(long_name, 'a', sizeof(long_name));
	assert_true(dal_name_valid(dal_slice(long_name, 64)));
	assert_false(dal_name_valid(dal_slice(long_name, 65)));
	assert_false(dal_name_valid(dal_slice_text("")));
	assert_false(dal_name_valid(dal_slice_text("A")));
	assert_false(dal_name_valid(dal_slice_text("-a")));
	assert_false(dal_name_valid(dal_slice_text(".a")));
	assert_false(dal_name_valid(dal_slice_text("a/b")));
	assert_false(dal_name_valid(dal_slice("a\0", 2)));
}

static void parses_lists(void **state)
{
	struct dal_value value = parse(DAL_FIELD_STRINGS, "a, b ,c");

	(void)state;
	assert_int_equal(value.count, 3);
	assert_string_equal(value.items[1].text, "b");
	assert_int_equal(value.items[1].kind, DAL_FIELD_STRING);
	dal_value_deinit(&value);
	assert_int_equal(parse(DAL_FIELD_STRINGS, "{}").count, 0);
	assert_int_equal(parse(DAL_FIELD_STRINGS, "").count, 0);
	assert_int_equal(parse(DAL_FIELD_MAP, "{}").count, 0);
	value = parse(DAL_FIELD_SECRETS, "ONE,TWO");
	assert_int_equal(value.count, 2);
	assert_true(value.items[0].secret);
	assert_string_equal(value.items[1].text, "TWO");
	dal_value_deinit(&value);
	value = parse(DAL_FIELD_TABLES, "orders, clicks");
	assert_int_equal(value.count, 2);
	assert_string_equal(value.items[1].key, "clicks");
	assert_int_equal(value.items[1].kind, DAL_FIELD_TABLE);
	assert_int_equal(value.items[1].count, 0);
	dal_value_deinit(&value);
	refuse(DAL_FIELD_MAP, "a=b", NULL);
	refuse(DAL_FIELD_TABLE, "a", NULL);
	refuse(DAL_FIELD_FUNCTION, "f", NULL);
}

static void never_shows_a_secret(void **state)
{
	struct dal_value value = parse(DAL_FIELD_SECRET, "NAME");

	(void)state;
	assert_true(value.secret);
	dal_value_deinit(&value);
	refuse(DAL_FIELD_SECRET, "", "f: expected a secret, written secret \"NAME\"");
}

static void takes_either_kind(void **state)
{
	struct dal_field order = {
		.name = "order", .kind = DAL_FIELD_PATH, .or_kind = DAL_FIELD_BOOLEAN};
	struct dal_field count = {
		.name = "count", .kind = DAL_FIELD_INTEGER, .or_kind = DAL_FIELD_BOOLEAN};
	struct dal_value value;
	struct dal_error error;

	(void)state;
	assert_int_equal(dal_value_parse(&order, dal_slice_text("false"), &value, &error), 0);
	assert_int_equal(value.kind, DAL_FIELD_BOOLEAN);
	assert_int_equal(dal_value_parse(&order, dal_slice_text("data.id"), &value, &error), 0);
	assert_int_equal(value.kind, DAL_FIELD_PATH);
	dal_value_deinit(&value);
	assert_int_equal(dal_value_parse(&count, dal_slice_text("x"), &value, &error), 1);
	assert_string_equal(error.text, "count: expected an integer, or true or false, not \"x\"");
}

static void fills_in_defaults(void **state)
{
	const struct dal_value *defaults;

	(void)state;
	declaration.values[1] = parse(DAL_FIELD_STRING, "127.0.0.1:8080");
	dal_declaration_complete(&declaration, &errors);
	assert_int_equal(errors.count, 0);
	assert_string_equal(dal_declaration_get(&declaration, "kind")->text, "embedded");
	assert_int_equal(dal_declaration_get(&declaration, "disk_free")->number, 512000000);
	assert_false(dal_declaration_get(&declaration, "disk_free")->written);
	assert_int_equal(dal_declaration_get(&declaration, "order")->kind, DAL_FIELD_BOOLEAN);
	assert_true(dal_declaration_get(&declaration, "brokers")->set);
	assert_false(dal_declaration_get(&declaration, "token")->set);
	assert_false(dal_declaration_get(&declaration, "retry")->set);
	assert_false(dal_declaration_get(&declaration, "topics")->set);
	defaults = dal_declaration_get(&declaration, "defaults");
	assert_int_equal(dal_value_get(defaults, topic_fields, "partitions")->number, 1);
}

static void completes_tables(void **state)
{
	struct dal_value *retry = &declaration.values[6];
	struct dal_value *topics = &declaration.values[7];

	(void)state;
	*retry = (struct dal_value){.kind = DAL_FIELD_TABLE, .set = true, .line = 7};
	*topics = (struct dal_value){.kind = DAL_FIELD_TABLES, .set = true, .line = 8, .count = 2};
	topics->items = dal_calloc(2, sizeof(*topics->items));
	for (size_t i = 0; i < 2; i++) {
		topics->items[i] = (struct dal_value){.kind = DAL_FIELD_TABLE, .set = true};
		topics->items[i].key = dal_strdup(i ? "b" : "a");
	}
	dal_declaration_complete(&declaration, &errors);
	assert_int_equal(dal_value_get(retry, retry_fields, "attempts")->number, 5);
	assert_int_equal(dal_value_get(&topics->items[1], topic_fields, "partitions")->number, 1);
	assert_int_equal(errors.count, 2);
	assert_error(0, "http: listen is required: Where to listen.");
	assert_string_equal(errors.items[0].file, "dalamb.lua");
	assert_int_equal(errors.items[0].line, 3);
	assert_error(1, "http: retry.to is required: Where to.");
	assert_int_equal(errors.items[1].line, 7);
}

static void takes_the_environment(void **state)
{
	char *environment[] = {
		(char *)"HOME=/root",
		(char *)"DALAMB_HTTP_LISTEN=127.0.0.1:9000",
		(char *)"DALAMB_HTTP_KIND=kafka",
		(char *)"DALAMB_HTTP_DISK_FREE=1MiB",
		(char *)"DALAMB_HTTPS_LISTEN=x",
		(char *)"DALAMB_LOG_KIND=y",
		(char *)"DALAMB_TOKEN",
		(char *)"DALAMB_HTTP_BROKERS=a:1,b:2",
		(char *)"DALAMB_HTTP_TOPICS=orders",
		NULL,
	};
	const struct dal_value *topics;

	(void)state;
	declaration.values[1] = parse(DAL_FIELD_STRING, "from the file");
	dal_declaration_environment(&declaration, environment, &errors);
	dal_declaration_complete(&declaration, &errors);
	assert_int_equal(errors.count, 0);
	assert_string_equal(dal_declaration_get(&declaration, "listen")->text, "127.0.0.1:9000");
	assert_true(dal_declaration_get(&declaration, "listen")->written);
	assert_string_equal(dal_declaration_get(&declaration, "kind")->text, "kafka");
	assert_int_equal(dal_declaration_get(&declaration, "disk_free")->number, 1048576);
	assert_int_equal(dal_declaration_get(&declaration, "brokers")->count, 2);
	topics = dal_declaration_get(&declaration, "topics");
	assert_string_equal(topics->items[0].key, "orders");
	assert_int_equal(dal_value_get(&topics->items[0], topic_fields, "partitions")->number, 1);
}

static void refuses_a_wrong_environment(void **state)
{
	char *environment[] = {
		(char *)"DALAMB_HTTP_LISTN=x",
		(char *)"DALAMB_HTTP_NOTHING_LIKE_IT=x",
		(char *)"DALAMB_HTTP_KIND=kofka",
		(char *)"DALAMB_HTTP_RETRY={}",
		NULL,
	};

	(void)state;
	dal_declaration_environment(&declaration, environment, &errors);
	assert_int_equal(errors.count, 4);
	assert_string_equal(errors.items[0].file, "environment");
	assert_error(0, "http has no field \"listn\"; did you mean \"listen\"?");
	assert_error(1, "http has no field \"nothing_like_it\"");
	assert_error(2, "http.kind: expected \"embedded\" or \"kafka\", not \"kofka\"");
	assert_error(3, "http.retry can't be set from the environment: write it in dalamb.lua");
	assert_false(dal_declaration_get(&declaration, "kind")->set);
}

/* A name's hyphens and dots are underscores there; what is no field may be another's. */
static void takes_an_environment_for_a_name(void **state)
{
	static const struct dal_declarable named = {
		.name = "func", .named = true, .fields = fields};
	char *environment[] = {
		(char *)"DALAMB_FUNC_A_LISTEN=1",
		(char *)"DALAMB_FUNC_A_B_C_LISTEN=2",
		(char *)"DALAMB_FUNC_A_B_C_D_LISTEN=3",
		(char *)"DALAMB_FUNC_LISTEN=4",
		NULL,
	};
	struct dal_declaration d;

	(void)state;
	dal_declaration_init(&d, &named, "a-b.c", "dalamb.lua", 1);
	dal_declaration_environment(&d, environment, &errors);
	assert_int_equal(errors.count, 0);
	assert_string_equal(dal_declaration_get(&d, "listen")->text, "2");
	assert_false(dal_declaration_takes(&d, environment[0]));
	assert_true(dal_declaration_takes(&d, environment[1]));
	assert_false(dal_declaration_takes(&d, environment[2]));
	assert_false(dal_declaration_takes(&d, environment[3]));
	dal_declaration_deinit(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_numbers),
		cmocka_unit_test(parses_units),
		cmocka_unit_test(parses_names),
		cmocka_unit_test(parses_lists),
		cmocka_unit_test(never_shows_a_secret),
		cmocka_unit_test(takes_either_kind),
		cmocka_unit_test_setup_teardown(takes_an_environment_for_a_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fills_in_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(completes_tables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_the_environment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_a_wrong_environment, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("base/field", tests, NULL, NULL);
}
