/* What would need repartitioning on Kafka, said as one would say it to its author. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/app/feeds_private.h"
#include "engine/base/memory.h"

#define NAMES_SHOWN 4

/* A declaration that is looked at. */
struct subject {
	const struct dal_feeds *feeds;
	struct dal_errors *errors;
	const char *word, *name, *file;
	int line;
	const struct dal_feed *feed;
	const struct dal_feeds_topic *topic; /* the one that feeds it */
};

__attribute__((format(printf, 2, 3))) static void refuse(const struct subject *s,
							 const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dal_errors_add(s->errors, s->file, s->line, "%s \"%s\" %s", s->word, s->name, text);
}

/* Names in a row: `"a", "b" and "c"`, or `"a", "b", "c", "d" and 5 more`. */
struct names {
	struct dal_buffer text;
	size_t count, total;
};

static void names_add(struct names *names, const char *name)
{
	names->count++;
	if (names->count > NAMES_SHOWN && names->total > NAMES_SHOWN + 1) {
		if (names->count == names->total) {
			dal_buffer_printf(&names->text, " and %zu more",
					  names->total - NAMES_SHOWN);
		}
		return;
	}
	dal_buffer_printf(&names->text, "%s\"%s\"",
			  names->count == 1              ? ""
			  : names->count == names->total ? " and "
							 : ", ",
			  name);
}

static void topics_name(const struct subject *s, struct names *names)
{
	names->total = s->feed->count;
	for (size_t i = 0; i < s->feeds->topic_count; i++) {
		if (dal_feed_has(s->feeds, s->feed, i)) {
			names_add(names, s->feeds->topics[i].name);
		}
	}
}

/* "12 partitions" */
static const char *partitions_text(const struct dal_feeds_topic *topic, char text[40])
{
	if (topic->partitions == 0) {
		return "a number of partitions that isn't known";
	}
	snprintf(text, 40, "%u partitions", topic->partitions);
	return text;
}

static const char *path_text(const struct dal_path *path)
{
	return dal_path_text(path).data;
}

/* --- one topic --- */

/* Reports more than one topic. `because` ends in what must be so: "is folded, so". */
static bool fed_by_one(const struct subject *s, const char *because)
{
	struct names names = {0};
	bool mixed = s->feed->system && !s->feed->system_only;

	if (s->feed->count <= 1) {
		return true;
	}
	topics_name(s, &names);
	refuse(s,
	       "%s on Kafka one topic must feed it, as between topics there is no order, and %s "
	       "do: name one in 'on', such as topic = \"%s\"%s",
	       because, dal_buffer_cstr(&names.text), s->feeds->topics[s->feed->topic].name,
	       mixed ? ", and declare another one for the other types" : "");
	dal_buffer_deinit(&names.text);
	return false;
}

static void refuse_system(const struct subject *s, const char *does)
{
	char text[40];

	refuse(s,
	       "%s events of \"system\", which has %s and no key, as dalamb places what it says by "
	       "lane: on Kafka that works with one partition only",
	       does, partitions_text(s->topic, text));
}

/* `topics = { events = { key = "data.customer" } }`, with what must be true for it, `or_else` what
 * can be done instead. */
static void refuse_unkeyed(const struct subject *s, const char *does, const char *key,
			   const char *or_else)
{
	char text[40];
	bool own = s->topic == &s->feeds->topics[DAL_FEEDS_EVENTS];
	bool plain = !strpbrk(s->topic->name, ".-0123456789"); /* a name as Lua has them */

	refuse(s,
	       "%s %s, and \"%s\" has %s and names no key: write log { topics = { %s%s%s = { key = "
	       "\"%s\" } } } in dalamb.lua%s%s",
	       does, key, s->topic->name, partitions_text(s->topic, text), plain ? "" : "[\"",
	       s->topic->name, plain ? "" : "\"]", key, own ? "" : ", if its producers key it so",
	       or_else);
}

/* --- projections --- */

static void keyed_check(const struct subject *s, const struct dal_path *key)
{
	char text[40];

	if (!key) {
		refuse(s,
		       "has a function as its key, and \"%s\" has %s: on Kafka its key must be the "
		       "path that the topic is keyed by%s%s",
		       s->topic->name, partitions_text(s->topic, text), s->topic->key ? ", " : "",
		       s->topic->key ? path_text(s->topic->key) : "");
	} else if (!s->topic->key) {
		refuse_unkeyed(s, "is keyed by", path_text(key), "");
	} else if (!dal_path_same(key, s->topic->key)) {
		refuse(s,
		       "is keyed by %s, and \"%s\", which has %s, by %s: on Kafka the events of "
		       "one key would lie in several partitions. Key it by %s, or have it fed by a "
		       "topic that is keyed by %s",
		       path_text(key), s->topic->name, partitions_text(s->topic, text),
		       path_text(s->topic->key), path_text(s->topic->key), path_text(key));
	}
}

static void projection_check(const struct dal_feeds *feeds, size_t index, struct dal_errors *errors)
{
	const struct dal_projection *p = dal_rules_projection(feeds->app->rules, index);
	const struct dal_feed *feed = &feeds->projections[index];
	struct subject s = {feeds,   errors,  "projection", p->name,
			    p->file, p->line, feed,         &feeds->topics[feed->topic]};

	if (!fed_by_one(&s, "is folded in order:") || feed->count == 0 ||
	    s.topic->partitions == 1) {
		return;
	}
	if (feed->topic == DAL_FEEDS_SYSTEM) {
		refuse_system(&s, "folds");
	} else {
		keyed_check(&s, p->key);
	}
}

/* --- rules --- */

/* What a rule reads: by its own code, and by the `input` of the functions it calls. */
struct reading {
	uint32_t *projections;
	size_t count;
	bool any;
};

static void reading_add(struct reading *reading, const struct dal_reads *reads)
{
	reading->any = reading->any || reads->any;
	if (reads->count == 0) {
		return;
	}
	reading->projections = dal_reallocarray(reading->projections, reading->count + reads->count,
						sizeof(*reading->projections));
	for (size_t i = 0; i < reads->count; i++) {
		bool twice = false;

		for (size_t k = 0; k < reading->count && !twice; k++) {
			twice = reading->projections[k] == reads->projections[i];
		}
		if (!twice) {
			reading->projections[reading->count++] = reads->projections[i];
		}
	}
}

static struct reading reading_of(const struct dal_app *app, size_t rule)
{
	struct reading reading = {0};

	reading_add(&reading, dal_rules_reads(app->rules, rule));
	for (const char *const *call = dal_rules_rule(app->rules, rule)->calls; *call; call++) {
		for (size_t i = 0; i < app->target_count; i++) {
			if (app->targets[i].input == DAL_TARGET_LUA &&
			    strcmp(app->targets[i].name, *call) == 0) {
				reading_add(&reading,
					    dal_rules_function_reads(
						    app->rules, app->targets[i].input_function));
			}
		}
	}
	return reading;
}

/* `reads "a" and "b"`; where no name is known: `reads views`. */
static char *reading_text(const struct dal_app *app, const struct reading *reading)
{
	struct names names = {.total = reading->count};
	char *text;

	for (size_t i = 0; i < reading->count; i++) {
		names_add(&names, dal_rules_projection(app->rules, reading->projections[i])->name);
	}
	text = dal_asprintf("reads %s", names.count ? dal_buffer_cstr(&names.text) : "views");
	dal_buffer_deinit(&names.text);
	return text;
}

/* Reports views that another topic feeds. */
static bool same_topic(const struct subject *s, const struct reading *reading)
{
	const struct dal_rules *rules = s->feeds->app->rules;
	bool same = true;

	for (size_t i = 0; i < reading->count; i++) {
		const struct dal_feed *feed = &s->feeds->projections[reading->projections[i]];

		if (feed->count == 1 && feed->topic != s->feed->topic) {
			same = false;
			refuse(s,
			       "is fed by \"%s\" and reads \"%s\", fed by \"%s\": on Kafka "
			       "there is no order between topics. Let the same topic feed both, "
			       "or read the view in a rule that \"%s\" feeds",
			       s->topic->name,
			       dal_rules_projection(rules, reading->projections[i])->name,
			       s->feeds->topics[feed->topic].name,
			       s->feeds->topics[feed->topic].name);
		}
	}
	return same;
}

/* The path that it should be read by: the topic's key, else that of the first projection. */
static const char *path_wanted(const struct subject *s, const struct reading *reading)
{
	const struct dal_path *key = s->topic->key;

	for (size_t i = 0; i < reading->count && !key; i++) {
		key = dal_rules_projection(s->feeds->app->rules, reading->projections[i])->key;
	}
	return key ? path_text(key) : "data.customer";
}

static void by_check(const struct subject *s, const struct reading *reading,
		     const struct dal_path *by, const char *reads)
{
	char text[40];
	char *does;

	if (!by) {
		refuse(s,
		       "%s, and \"%s\" has %s: on Kafka it reads the entry of one key only, that "
		       "of its event. Say which, by = \"%s\"",
		       reads, s->topic->name, partitions_text(s->topic, text),
		       path_wanted(s, reading));
	} else if (!s->topic->key) {
		does = dal_asprintf("%s by", reads);
		refuse_unkeyed(s, does, path_text(by), "");
		free(does);
	} else if (!dal_path_same(by, s->topic->key)) {
		refuse(s,
		       "%s by %s, and \"%s\", which has %s, is keyed by %s: on Kafka those entries "
		       "lie in other partitions. Write by = \"%s\"",
		       reads, path_text(by), s->topic->name, partitions_text(s->topic, text),
		       path_text(s->topic->key), path_text(s->topic->key));
	}
}

static void reader_check(const struct subject *s, const struct reading *reading,
			 const struct dal_path *by)
{
	char *reads = reading_text(s->feeds->app, reading);
	char *because = dal_asprintf("%s:", reads);

	if (fed_by_one(s, because) && s->feed->count == 1 && same_topic(s, reading) &&
	    s->topic->partitions != 1) {
		if (s->feed->topic == DAL_FEEDS_SYSTEM) {
			refuse_system(s, "reads views for");
		} else {
			by_check(s, reading, by, reads);
		}
	}
	free(because);
	free(reads);
}

/* --- what a rule calls in order --- */

/* Does what has one value at this path lie in one lane? `events` without a key go by subject. */
static bool lies_together(const struct subject *s, const struct dal_path *path)
{
	bool narrow = true;

	for (size_t i = 0; i < s->feeds->topic_count; i++) {
		narrow = narrow && (!dal_feed_has(s->feeds, s->feed, i) ||
				    s->feeds->topics[i].partitions == 1);
	}
	if (narrow || s->feed->count != 1) {
		return narrow;
	}
	return s->topic->key ? dal_path_same(path, s->topic->key)
			     : s->feed->topic == DAL_FEEDS_EVENTS &&
				       strcmp(path_text(path), "subject") == 0;
}

static void refuse_order(const struct subject *s, const struct dal_target *target)
{
	const char *order = path_text(target->order);
	char *does = dal_asprintf("calls \"%s\" in the order of", target->name);
	char *or_else = dal_asprintf("; or order = false in func \"%s\"", target->name);
	struct names names = {0};
	char text[40];

	if (s->feed->count > 1) {
		topics_name(s, &names);
		refuse(s,
		       "%s %s, and %s feed it: on Kafka there is no order between topics. Name one "
		       "in 'on' that is keyed by %s, or write order = false in func \"%s\"",
		       does, order, dal_buffer_cstr(&names.text), order, target->name);
		dal_buffer_deinit(&names.text);
	} else if (s->feed->topic == DAL_FEEDS_SYSTEM) {
		refuse(s,
		       "%s %s for events of \"system\", which has %s and no key: on Kafka they "
		       "lie in several of them. Write order = false in func \"%s\"",
		       does, order, partitions_text(s->topic, text), target->name);
	} else if (!s->topic->key) {
		refuse_unkeyed(s, does, order, or_else);
	} else {
		refuse(s,
		       "%s %s, and \"%s\", which has %s, is keyed by %s: on Kafka the events of "
		       "one order would lie in several partitions. Write order = \"%s\", or order "
		       "= false, in func \"%s\"",
		       does, order, s->topic->name, partitions_text(s->topic, text),
		       path_text(s->topic->key), path_text(s->topic->key), target->name);
	}
	free(or_else);
	free(does);
}

/* Calls of one order key go one after another within a lane only. */
static void calls_check(const struct subject *s, const struct dal_rule *rule)
{
	const struct dal_app *app = s->feeds->app;

	for (const char *const *call = rule->calls; *call; call++) {
		for (size_t i = 0; i < app->target_count; i++) {
			const struct dal_target *target = &app->targets[i];

			if (strcmp(target->name, *call) == 0 && target->order &&
			    !lies_together(s, target->order)) {
				refuse_order(s, target);
			}
		}
	}
}

static void rule_check(const struct dal_feeds *feeds, size_t index, struct dal_errors *errors)
{
	const struct dal_rule *rule = dal_rules_rule(feeds->app->rules, index);
	const struct dal_feed *feed = &feeds->rules[index];
	struct subject s = {feeds,      errors,     "rule", rule->name,
			    rule->file, rule->line, feed,   &feeds->topics[feed->topic]};
	struct reading reading = reading_of(feeds->app, index);

	if (reading.any || reading.count > 0) {
		reader_check(&s, &reading, rule->by);
	}
	calls_check(&s, rule);
	free(reading.projections);
}

int dal_feeds_check(const struct dal_app *app, const uint32_t *partitions,
		    struct dal_errors *errors)
{
	struct dal_feeds *feeds = dal_feeds_new(app, partitions);
	size_t before = errors->count + errors->dropped;

	if (!feeds) {
		return 0;
	}
	for (size_t i = 0; i < dal_rules_projection_count(app->rules); i++) {
		projection_check(feeds, i, errors);
	}
	for (size_t i = 0; i < dal_rules_rule_count(app->rules); i++) {
		rule_check(feeds, i, errors);
	}
	dal_feeds_free(feeds);
	dal_errors_sort(errors);
	return errors->count + errors->dropped > before ? DAL_FEEDS_REFUSED : 0;
}
