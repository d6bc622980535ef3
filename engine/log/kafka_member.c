#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/kafka_admin.h"
#include "engine/log/kafka_instance.h"

#define POLL_MS 100
#define LOOK_US (5 * 1000 * 1000) /* between two looks at who has our partitions */
#define COMMIT_US (1000 * 1000)
#define COMMIT_LAST_MS 2000

struct dal_kafka_member {
	struct dal_kafka *kafka;
	rd_kafka_t *handle;
	rd_kafka_queue_t *queue;
	char instance[DAL_KAFKA_INSTANCE_BYTES];
	char *group;
	pthread_t thread;
	atomic_bool owns, stopping;
	bool joined;          /* the thread's: it was given something, be it nothing */
	int64_t fenced_us;    /* the thread's: since when there is no handle; 0: there is */
	int64_t looked_us;    /* the thread's */
	int64_t committed_us; /* the thread's */
	pthread_mutex_t lock; /* for what follows */
	char obstacle[384];
	struct dal_position position; /* to be committed */
	bool dirty;
};

/* --- joining --- */

static int consumer_new(struct dal_kafka_member *member, struct dal_error *error)
{
	const struct dal_kafka_property defaults[] = {
		{"session.timeout.ms", "10000"},
		{"heartbeat.interval.ms", "2000"},
		/* A topic that gets more partitions is to be noticed before long. */
		{"topic.metadata.refresh.interval.ms", "30000"},
		{NULL, NULL},
	};
	const struct dal_kafka_property fixed[] = {
		{"group.id", member->group},
		{"group.instance.id", member->instance},
		{"partition.assignment.strategy", "range"},
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"allow.auto.create.topics", "false"},
		{NULL, NULL},
	};
	struct dal_kafka *kafka = member->kafka;

	return dal_kafka_handle_new(&kafka->options, kafka->talk, RD_KAFKA_CONSUMER, defaults,
				    fixed, RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR,
				    &member->handle, error);
}

static int subscribe(struct dal_kafka_member *member, struct dal_error *error)
{
	const struct dal_kafka *kafka = member->kafka;
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(
		(int)kafka->topic_count);
	rd_kafka_resp_err_t code;

	for (size_t i = 0; i < kafka->topic_count; i++) {
		rd_kafka_topic_partition_list_add(topics, kafka->topics[i].remote,
						  RD_KAFKA_PARTITION_UA);
	}
	code = rd_kafka_subscribe(member->handle, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	if (code) {
		dal_error_set(error, "Kafka: can't join group \"%s\": %s", member->group,
			      rd_kafka_err2str(code));
		return -EACCES;
	}
	rd_kafka_poll_set_consumer(member->handle);
	member->queue = rd_kafka_queue_get_consumer(member->handle);
	return 0;
}

static int handle_open(struct dal_kafka_member *member, struct dal_error *error)
{
	int r = consumer_new(member, error);

	if (r == 0 && (r = subscribe(member, error)) < 0) {
		rd_kafka_destroy_flags(member->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
		member->handle = NULL;
	}
	return r;
}

/* --- the thread --- */

static void obstacle_set(struct dal_kafka_member *member, const char *text)
{
	bool news;

	pthread_mutex_lock(&member->lock);
	news = strcmp(member->obstacle, text) != 0;
	snprintf(member->obstacle, sizeof(member->obstacle), "%s", text);
	pthread_mutex_unlock(&member->lock);
	if (news && *text) {
		dal_logger_write(DAL_LOGGER_WARN, "log", "nothing is read: %s", text);
	}
}

static void owns_set(struct dal_kafka_member *member, bool yes)
{
	if (atomic_exchange(&member->owns, yes) != yes && yes) {
		dal_logger_write(DAL_LOGGER_INFO, "log",
				 "Kafka: all partitions are ours (group %s)", member->group);
		obstacle_set(member, "");
		member->kafka->on_advance(member->kafka->own);
	}
}

/* Partitions that were not there at open: keys may go elsewhere now. */
static bool has_grown(const struct dal_kafka *kafka, const rd_kafka_topic_partition_list_t *given,
		      char *text, size_t size)
{
	for (int i = 0; i < given->cnt; i++) {
		for (size_t t = 0; t < kafka->topic_count; t++) {
			const struct dal_kafka_topic *topic = &kafka->topics[t];
			if (strcmp(topic->remote, given->elems[i].topic) == 0 &&
			    given->elems[i].partition >= (int32_t)topic->partitions) {
				snprintf(text, size,
					 "topic %s has more than its %u partitions now: stop "
					 "the engine, and start it to be told what to do",
					 topic->remote, topic->partitions);
				return true;
			}
		}
	}
	return false;
}

static void on_assigned(struct dal_kafka_member *member,
			const rd_kafka_topic_partition_list_t *given)
{
	char text[384];

	if (has_grown(member->kafka, given, text, sizeof(text))) {
		owns_set(member, false);
		obstacle_set(member, text);
		member->looked_us = INT64_MAX; /* no other is to be looked for */
		return;
	}
	member->looked_us = 0;
	owns_set(member, (uint32_t)given->cnt == member->kafka->partition_count);
}

/* It is given an empty assignment: it stays a member, and fetches nothing. */
static void on_rebalance(struct dal_kafka_member *member, rd_kafka_event_t *event)
{
	rd_kafka_topic_partition_list_t *given = rd_kafka_event_topic_partition_list(event);

	if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(0);
		rd_kafka_assign(member->handle, none);
		rd_kafka_topic_partition_list_destroy(none);
		member->joined = true;
		on_assigned(member, given);
	} else {
		rd_kafka_assign(member->handle, NULL);
		member->joined = false;
		owns_set(member, false);
	}
}

static void handle_close(struct dal_kafka_member *member)
{
	rd_kafka_queue_destroy(member->queue);
	rd_kafka_destroy_flags(member->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	member->handle = NULL;
	member->joined = false;
}

static void on_error(struct dal_kafka_member *member, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);

	if (rd_kafka_event_error_is_fatal(event)) {
		owns_set(member, false);
		member->fenced_us = dal_clock_monotonic_us();
		member->looked_us = 0;
	}
	if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && code != RD_KAFKA_RESP_ERR__TRANSPORT) {
		dal_kafka_talk_warn(member->kafka->talk, "Kafka: group %s: %s", member->group,
				    rd_kafka_event_error_string(event));
	}
}

static void on_event(struct dal_kafka_member *member, rd_kafka_event_t *event)
{
	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_REBALANCE:
		on_rebalance(member, event);
		break;
	case RD_KAFKA_EVENT_ERROR:
		on_error(member, event);
		break;
	default:
		break;
	}
	rd_kafka_event_destroy(event);
}

static bool is_time_to_look(struct dal_kafka_member *member)
{
	int64_t now_us = dal_clock_monotonic_us();

	if (now_us < member->looked_us || now_us - member->looked_us < LOOK_US ||
	    dal_kafka_watch_away_us(member->kafka->watch)) {
		return false;
	}
	member->looked_us = now_us;
	return true;
}

static int look_for(struct dal_kafka_member *member, bool same, char *who, size_t size)
{
	struct dal_error why;

	return dal_kafka_admin_member(dal_kafka_watch_handle(member->kafka->watch), member->group,
				      member->instance, same, who, size, &why);
}

/* While we don't have all: who has them? */
static void look(struct dal_kafka_member *member)
{
	char who[300], text[384];

	if (!atomic_load(&member->owns) && member->joined && is_time_to_look(member) &&
	    look_for(member, false, who, sizeof(who)) == 1) {
		snprintf(text, sizeof(text), "group %s gave partitions to another member (%s): %s",
			 member->group, who,
			 dal_kafka_others_remedy(member->kafka->options.app, who));
		obstacle_set(member, text);
	}
}

/*
 * Somebody has our instance id: another engine, or we ourselves, when a broker died between two
 * requests. Ourselves we no longer are once our session is over.
 */
static void look_fenced(struct dal_kafka_member *member)
{
	int64_t session_us = (dal_kafka_session_ms(member->kafka) + 1000) * 1000;
	char who[300], text[384];
	struct dal_error why;
	int r;

	if (dal_clock_monotonic_us() - member->fenced_us < session_us || !is_time_to_look(member)) {
		return;
	}
	r = look_for(member, true, who, sizeof(who));
	if (r == 1) {
		snprintf(
			text, sizeof(text),
			"another engine is in group %s as %s, so it has a copy of our data folder: "
			"stop one of them, and delete %s in its data folder",
			member->group, member->instance, DAL_KAFKA_INSTANCE_FILE);
		obstacle_set(member, text);
	} else if (r == 0 && handle_open(member, &why) == 0) {
		member->fenced_us = 0;
		obstacle_set(member, "");
	}
}

static rd_kafka_topic_partition_list_t *commit_take(struct dal_kafka_member *member)
{
	rd_kafka_topic_partition_list_t *list = NULL;

	pthread_mutex_lock(&member->lock);
	if (member->dirty) {
		list = rd_kafka_topic_partition_list_new((int)member->position.count);
	}
	for (size_t i = 0; list && i < member->position.count; i++) {
		const struct dal_mark *mark = &member->position.marks[i];
		const struct dal_kafka_topic *topic = dal_kafka_topic_find(member->kafka,
									   mark->topic);
		if (topic) {
			rd_kafka_topic_partition_list_add(list, topic->remote, mark->partition)
				->offset = (int64_t)mark->next;
		}
	}
	member->dirty = false;
	pthread_mutex_unlock(&member->lock);
	return list;
}

/* Not while the brokers are away: what waits for them would be told by who we were before. */
static bool may_commit(const struct dal_kafka_member *member)
{
	return atomic_load(&member->owns) && !dal_kafka_watch_away_us(member->kafka->watch);
}

static void commit(struct dal_kafka_member *member)
{
	int64_t now_us = dal_clock_monotonic_us();
	rd_kafka_topic_partition_list_t *list;

	if (!may_commit(member) || now_us - member->committed_us < COMMIT_US) {
		return;
	}
	list = commit_take(member);
	if (list) {
		member->committed_us = now_us;
		rd_kafka_commit(member->handle, list, 1);
		rd_kafka_topic_partition_list_destroy(list);
	}
}

/* All of it, and waited for: a commit that is still on its way would be given up. */
static void commit_last(struct dal_kafka_member *member)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_queue_t *queue;
	rd_kafka_event_t *event;

	pthread_mutex_lock(&member->lock);
	member->dirty = member->position.count > 0;
	pthread_mutex_unlock(&member->lock);
	list = may_commit(member) ? commit_take(member) : NULL;
	if (!list) {
		return;
	}
	queue = rd_kafka_queue_new(member->handle);
	rd_kafka_commit_queue(member->handle, list, queue, NULL, NULL);
	event = rd_kafka_queue_poll(queue, COMMIT_LAST_MS);
	if (event) {
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
	rd_kafka_topic_partition_list_destroy(list);
}

static void step(struct dal_kafka_member *member)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(member->queue, POLL_MS);

	if (event) {
		on_event(member, event);
	}
	if (member->fenced_us) {
		handle_close(member);
		return;
	}
	look(member);
	commit(member);
}

/* A static member does not leave: whoever comes back within the session has all at once. */
static void *run(void *own)
{
	struct dal_kafka_member *member = own;

	while (!atomic_load(&member->stopping)) {
		if (member->fenced_us) {
			usleep(POLL_MS * 1000);
			look_fenced(member);
		} else {
			step(member);
		}
	}
	if (!member->fenced_us) {
		commit_last(member);
		handle_close(member);
	}
	return NULL;
}

int dal_kafka_member_new(struct dal_kafka *kafka, struct dal_kafka_member **out,
			 struct dal_error *error)
{
	struct dal_kafka_member *member = dal_calloc(1, sizeof(*member));
	int r;

	member->kafka = kafka;
	member->group = dal_strdup(kafka->options.group);
	pthread_mutex_init(&member->lock, NULL);
	r = dal_kafka_instance_read(kafka->options.data, member->instance, error);
	if (r == 0) {
		r = dal_kafka_others_await(kafka, member->instance, error);
	}
	if (r == 0) {
		r = handle_open(member, error);
	}
	if (r < 0) {
		pthread_mutex_destroy(&member->lock);
		free(member->group);
		free(member);
		return r;
	}
	DAL_ASSERT(pthread_create(&member->thread, NULL, run, member) == 0);
	*out = member;
	return 0;
}

void dal_kafka_member_free(struct dal_kafka_member *member)
{
	if (!member) {
		return;
	}
	atomic_store(&member->stopping, true);
	pthread_join(member->thread, NULL);
	pthread_mutex_destroy(&member->lock);
	dal_position_deinit(&member->position);
	free(member->group);
	free(member);
}

/* --- for the others --- */

bool dal_kafka_member_owns(const struct dal_kafka_member *member)
{
	return atomic_load_explicit(&member->owns, memory_order_acquire);
}

void dal_kafka_member_status(struct dal_kafka_member *member, struct dal_log_status *status)
{
	status->paused = !atomic_load(&member->owns);
	if (status->paused) {
		pthread_mutex_lock(&member->lock);
		snprintf(status->obstacle, sizeof(status->obstacle), "%s", member->obstacle);
		pthread_mutex_unlock(&member->lock);
	}
}

void dal_kafka_member_committed(struct dal_kafka_member *member,
				const struct dal_position *position)
{
	pthread_mutex_lock(&member->lock);
	dal_position_advance(&member->position, position);
	member->dirty = true;
	pthread_mutex_unlock(&member->lock);
}
