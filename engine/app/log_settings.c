#include "engine/app/log_settings.h"

#include <stdio.h>

#include "engine/app/secrets.h"
#include "engine/app/section.h"
#include "engine/app/settings.h"
#include "engine/base/memory.h"
#include "engine/event/event.h"
#include "engine/event/utf8.h"

#define PARTITIONS_MAX (DAL_LOG_ALL_LANES - 1)

static const char *const kinds[] = {"embedded", "kafka", NULL};
static const char *const partitioners[] = {"murmur2", "crc32", NULL};
static const char *const policies[] = {"skip", "halt", NULL};
static const char *const ranges[] = {"halt", "earliest", NULL};

static const struct dal_field topic_fields[] = {
	{.name = "key",
	 .kind = DAL_FIELD_PATH,
	 .doc = "Path of the value that its producers key it by."},
	{.name = "type", .kind = DAL_FIELD_STRING, .doc = "Type of what is no CloudEvent."},
	{.name = "source", .kind = DAL_FIELD_STRING, .doc = "Source of what is no CloudEvent."},
	{.name = "partitioner",
	 .kind = DAL_FIELD_STRING,
	 .choices = partitioners,
	 .doc = "How its producers choose a partition: murmur2 (Java's) or crc32 (librdkafka's)."},
	{.name = "on_wrong_key",
	 .kind = DAL_FIELD_STRING,
	 .choices = policies,
	 .doc = "What a record does whose key is not the value at `key`."},
	{0},
};

static const struct dal_field log_fields[] = {
	{.name = "kind",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "embedded",
	 .choices = kinds,
	 .doc = "Where events are kept."},
	{.name = "topics",
	 .kind = DAL_FIELD_TABLES,
	 .fields = topic_fields,
	 .doc = "Topics beside `events` and `system`, or more about `events`."},
	/* What follows is Kafka's, and waits where the kind is another. */
	{.name = "brokers",
	 .kind = DAL_FIELD_STRINGS,
	 .doc = "Addresses of some brokers, \"kafka-1:9092\"."},
	{.name = "group",
	 .kind = DAL_FIELD_STRING,
	 .doc = "The consumer group; the app's name by default."},
	{.name = "partitions",
	 .kind = DAL_FIELD_INTEGER,
	 .doc = "Of the own topics when they are made; as many as the widest topic read has."},
	{.name = "out_of_range",
	 .kind = DAL_FIELD_STRING,
	 .fallback = "halt",
	 .choices = ranges,
	 .doc = "What a lane does whose next records retention has taken."},
	{.name = "kafka",
	 .kind = DAL_FIELD_MAP,
	 .doc = "Properties of librdkafka, secrets among them."},
	{0},
};

const struct dal_declarable dal_log_declarable = {
	.name = "log",
	.rights = DAL_DECLARE_OPERATOR,
	.fields = log_fields,
	.doc = "The event log.",
};

/* A copy, or NULL where nothing is set. */
static char *text_take(const struct dal_value *value)
{
	return value->set ? dal_strdup(value->text) : NULL;
}

static bool is(const struct dal_value *value, const char *word)
{
	return value->set && strcmp(value->text, word) == 0;
}

/* UTF-8 without control characters, as a CloudEvents attribute must be; not empty. */
static bool printable(const char *text)
{
	size_t size = strlen(text), at = 0;

	while (at < size && (unsigned char)text[at] >= 0x20 && text[at] != 0x7F &&
	       dal_utf8_size(text + at, size - at) > 0) {
		at += dal_utf8_size(text + at, size - at);
	}
	return size > 0 && at == size;
}

/* --- topics --- */

static const struct dal_value *topic_get(const struct dal_value *topic, const char *field)
{
	return dal_value_get(topic, topic_fields, field);
}

static void topics_read(const struct dal_section *s, struct dal_settings *settings)
{
	const struct dal_value *topics = dal_section_get(s, "topics");

	settings->topics = dal_calloc(topics->count + 1, sizeof(*settings->topics));
	for (size_t i = 0; i < topics->count; i++) {
		const struct dal_value *topic = &topics->items[i];

		settings->topics[settings->topic_count++] = (struct dal_log_topic){
			.name = dal_strdup(topic->key),
			.key = text_take(topic_get(topic, "key")),
			.type = text_take(topic_get(topic, "type")),
			.source = text_take(topic_get(topic, "source")),
			.partitioner = text_take(topic_get(topic, "partitioner")),
			.halt_on_wrong_key = is(topic_get(topic, "on_wrong_key"), "halt"),
		};
	}
}

struct topics_check {
	const struct dal_section *section;
	const struct dal_app *app;
	struct dal_errors *errors;
};

#define REPORT(check, item, ...)                                                                   \
	dal_section_report((check)->section, "topics", (item)->line, (check)->errors, __VA_ARGS__)

static void system_check(const struct topics_check *check, const struct dal_value *item)
{
	for (size_t i = 0; topic_fields[i].name; i++) {
		if (item->items[i].written) {
			REPORT(check, &item->items[i],
			       ".system: '%s' can't be set: dalamb alone writes there, and places "
			       "what it writes by lane",
			       topic_fields[i].name);
		}
	}
}

/* An own topic by what it is called on the brokers: its events would be read twice. */
static void broker_name_check(const struct topics_check *check, const struct dal_value *item)
{
	size_t size = strlen(check->app->name);
	const char *own = NULL;

	if (strncmp(item->key, check->app->name, size) == 0 && item->key[size] == '.') {
		own = item->key + size + 1;
	}
	if (own && (strcmp(own, DAL_TOPIC_EVENTS) == 0 || strcmp(own, DAL_TOPIC_SYSTEM) == 0)) {
		REPORT(check, item,
		       ": \"%s\" is what this app's own topic \"%s\" is called on the brokers: "
		       "name it \"%s\" here",
		       item->key, own, own);
	}
}

static void words_check(const struct topics_check *check, const struct dal_value *item)
{
	const struct dal_value *type = topic_get(item, "type"), *source = topic_get(item, "source");

	if (type->set && (!printable(type->text) || strncmp(type->text, "dalamb.", 7) == 0)) {
		REPORT(check, type,
		       ".%s: 'type' is an event's type, such as \"click\", that doesn't begin "
		       "with \"dalamb.\"",
		       item->key);
	}
	if (source->set && !printable(source->text)) {
		REPORT(check, source, ".%s: 'source' is an event's source, such as \"/web\"",
		       item->key);
	}
}

static bool named_before(const struct dal_value *topics, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(topics->items[i].key, topics->items[index].key) == 0) {
			return true;
		}
	}
	return false;
}

static void topics_check(const struct topics_check *check)
{
	const struct dal_value *topics = dal_section_get(check->section, "topics");

	for (size_t i = 0; i < topics->count; i++) {
		const struct dal_value *item = &topics->items[i];

		if (!dal_name_valid(dal_slice_text(item->key))) {
			REPORT(check, item,
			       ": \"%s\" is no name: use a-z, 0-9, '.', '_' and '-', %d at the "
			       "most",
			       item->key, 64);
		} else if (named_before(topics, i)) {
			REPORT(check, item, ": \"%s\" is named twice", item->key);
		} else if (strcmp(item->key, DAL_TOPIC_SYSTEM) == 0) {
			system_check(check, item);
		} else {
			broker_name_check(check, item);
			words_check(check, item);
		}
	}
}

/* --- Kafka --- */

/* "host", "host:port", "[::1]:port", "SSL://host:port". */
static bool broker_valid(struct dal_slice broker)
{
	const char *scheme = broker.size > 3 ? memmem(broker.data, broker.size, "://", 3) : NULL;
	const char *colon, *end = broker.data + broker.size;
	const char *start = scheme ? scheme + 3 : broker.data;
	uint64_t port;

	for (const char *c = start; c < end; c++) {
		if ((unsigned char)*c <= 0x20 || *c == 0x7F || *c == '/') {
			return false;
		}
	}
	colon = start < end ? memrchr(start, ':', (size_t)(end - start)) : NULL;
	if (!colon || end[-1] == ']') {
		return start < end;
	}
	return colon > start &&
	       dal_slice_to_u64(dal_slice(colon + 1, (size_t)(end - colon - 1)), &port) &&
	       port > 0 && port <= UINT16_MAX;
}

/* All of them as librdkafka takes them, with commas between. */
static char *brokers_read(const struct dal_section *s, struct dal_errors *errors)
{
	const struct dal_value *brokers = dal_section_get(s, "brokers");
	struct dal_buffer out = {0};
	char *text;

	for (size_t i = 0; i < brokers->count; i++) {
		struct dal_slice rest = dal_slice_text(brokers->items[i].text), broker;
		bool more;

		do {
			more = dal_slice_cut(rest, ',', &broker, &rest);
			broker = dal_slice_trim(more ? broker : rest);
			if (!broker_valid(broker)) {
				dal_section_report(s, "brokers", 0, errors,
						   ": \"%.*s\" is no address: write host:port, "
						   "such as \"kafka-1:9092\"",
						   (int)broker.size, broker.data);
			}
			dal_buffer_printf(&out, "%s%.*s", out.size ? "," : "", (int)broker.size,
					  broker.data);
		} while (more);
	}
	text = out.size ? dal_strdup(dal_buffer_cstr(&out)) : NULL;
	dal_buffer_deinit(&out);
	return text;
}

static void properties_read(const struct dal_section *s, struct dal_log_kafka_options *kafka,
			    struct dal_errors *errors)
{
	const struct dal_value *given = dal_section_get(s, "kafka");
	struct dal_log_property *properties = dal_calloc(given->count + 1, sizeof(*properties));
	struct dal_error error;

	for (size_t i = 0; i < given->count; i++) {
		const struct dal_value *item = &given->items[i];

		properties[i].name = dal_strdup(item->key);
		properties[i].value = dal_strdup(item->text);
		properties[i].secret = item->secret;
		if (item->text_size > 0 && dal_log_check_property(&properties[i], &error) != 0) {
			dal_section_report(s, "kafka", item->line, errors, ": %s", error.text);
		}
	}
	kafka->properties = properties;
	kafka->property_count = given->count;
}

static void kafka_read(const struct dal_section *s, struct dal_settings *settings,
		       struct dal_errors *errors)
{
	const struct dal_value *partitions = dal_section_get(s, "partitions");

	settings->kafka.brokers = brokers_read(s, errors);
	settings->kafka.group = text_take(dal_section_get(s, "group"));
	settings->kafka.partitions = partitions->set ? (uint32_t)partitions->number : 0;
	settings->kafka.skip_lost = is(dal_section_get(s, "out_of_range"), "earliest");
	properties_read(s, &settings->kafka, errors);
}

static void kafka_check(const struct dal_section *s, const struct dal_settings *settings,
			struct dal_errors *errors)
{
	const struct dal_value *partitions = dal_section_get(s, "partitions");

	if (settings->log_kind == DAL_LOG_KAFKA && dal_section_get(s, "brokers")->count == 0) {
		dal_section_report(s, "kind", 0, errors,
				   " is \"kafka\", and no brokers are named: write brokers = "
				   "\"127.0.0.1:9092\" (or set DALAMB_LOG_BROKERS)");
	}
	if (settings->kafka.group && !printable(settings->kafka.group)) {
		dal_section_report(s, "group", 0, errors, " is the name of a consumer group");
	}
	if (partitions->set && (partitions->number < 1 || partitions->number > PARTITIONS_MAX)) {
		dal_section_report(s, "partitions", 0, errors, " must be from 1 to %d",
				   PARTITIONS_MAX);
	}
}

/* --- topics that rules name --- */

struct known {
	const char **names;
	size_t count;
};

/* A topic that isn't declared has no events: whoever names it means another. */
static void named_check(const struct known *known, const char *const *topics, const char *file,
			int line, const char *what, const char *name, struct dal_errors *errors)
{
	for (; *topics; topics++) {
		const char *nearest;
		size_t i = 0;

		while (i < known->count && strcmp(*topics, known->names[i]) != 0) {
			i++;
		}
		if (i < known->count) {
			continue;
		}
		nearest = dal_error_suggest(*topics, known->names, known->count);
		dal_errors_add(
			errors, file, line,
			"%s \"%s\": on: there is no topic \"%s\"%s%s%s (log { topics = { \"%s\" } "
			"} in dalamb.lua declares it)",
			what, name, *topics, nearest ? ", did you mean \"" : "",
			nearest ? nearest : "", nearest ? "\"?" : "", *topics);
	}
}

static void rules_check(const struct dal_app *app, struct dal_errors *errors)
{
	const struct dal_settings *settings = &app->settings;
	struct known known = {dal_calloc(settings->topic_count + 2, sizeof(*known.names)), 0};

	known.names[known.count++] = DAL_TOPIC_EVENTS;
	known.names[known.count++] = DAL_TOPIC_SYSTEM;
	for (size_t i = 0; i < settings->topic_count; i++) {
		known.names[known.count++] = settings->topics[i].name;
	}
	for (size_t i = 0; i < dal_rules_rule_count(app->rules); i++) {
		const struct dal_rule *rule = dal_rules_rule(app->rules, i);

		named_check(&known, rule->topics, rule->file, rule->line, "rule", rule->name,
			    errors);
	}
	for (size_t i = 0; i < dal_rules_projection_count(app->rules); i++) {
		const struct dal_projection *p = dal_rules_projection(app->rules, i);

		named_check(&known, p->topics, p->file, p->line, "projection", p->name, errors);
	}
	free(known.names);
}

/* --- all of it --- */

/* Nothing will be run, but a log on Kafka may be read: with the secrets that are there. */
static void offline_secrets(const struct dal_app *app, char *const *environment)
{
	for (size_t i = 0; i < dal_rules_declaration_count(app->rules); i++) {
		/* the set was made for this app alone and is not shared yet */
		struct dal_declaration *d = (struct dal_declaration *)dal_rules_declaration(
			app->rules, i);

		if (d->what == &dal_log_declarable) {
			dal_secrets_resolve(d, environment, NULL);
		}
	}
}

void dal_log_settings_read(struct dal_app *app, const struct dal_app_options *options,
			   char *const *environment, struct dal_errors *errors)
{
	struct dal_settings *settings = &app->settings;
	struct dal_section s;

	if (options->offline) {
		offline_secrets(app, environment);
	}
	dal_section_init(&s, app->rules, &dal_log_declarable, environment, errors);
	settings->log_kind = is(dal_section_get(&s, "kind"), "kafka") ? DAL_LOG_KAFKA
								      : DAL_LOG_EMBEDDED;
	settings->log_path = dal_asprintf("%s/log", app->data);
	topics_read(&s, settings);
	topics_check(&(struct topics_check){&s, app, errors});
	kafka_read(&s, settings, errors);
	kafka_check(&s, settings, errors);
	if (!s.invalid) {
		rules_check(app, errors);
	}
	dal_section_deinit(&s);
}

void dal_log_settings_deinit(struct dal_settings *settings)
{
	for (size_t i = 0; i < settings->topic_count; i++) {
		const struct dal_log_topic *topic = &settings->topics[i];

		free((char *)topic->name);
		free((char *)topic->key);
		free((char *)topic->type);
		free((char *)topic->source);
		free((char *)topic->partitioner);
	}
	for (size_t i = 0; i < settings->kafka.property_count; i++) {
		const struct dal_log_property *property = &settings->kafka.properties[i];

		free((char *)property->name);
		explicit_bzero((char *)property->value, strlen(property->value));
		free((char *)property->value);
	}
	free(settings->topics);
	free(settings->log_path);
	free((char *)settings->kafka.brokers);
	free((char *)settings->kafka.group);
	free((struct dal_log_property *)settings->kafka.properties);
}

void dal_settings_log(const struct dal_app *app, struct dal_log_options *options)
{
	const struct dal_settings *settings = &app->settings;

	options->kind = settings->log_kind;
	options->path = settings->log_path;
	options->topics = settings->topics;
	options->topic_count = settings->topic_count;
	options->kafka = settings->kafka;
	options->kafka.app = app->name;
	options->kafka.group = settings->kafka.group ? settings->kafka.group : app->name;
	options->kafka.data = options->read_only ? NULL : app->data;
}
