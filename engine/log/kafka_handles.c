#include <errno.h>
#include <pthread.h>

#include "engine/base/memory.h"
#include "engine/log/kafka.h"

#define SPARE 2  /* handles without a reader that are kept */
#define BROWSE 8 /* so many beside the lanes' there may be when somebody outside wants one */

/*
 * What waits in memory of all that a handle reads, by the size of the values: with what librdkafka
 * adds to small ones it is some five times that. A fetch comes compressed, and is only then
 * counted.
 */
#define QUEUED_KIB (24 * 1024)
#define QUEUED_BESIDE_KIB (8 * 1024) /* of a handle that is no lane's */
#define QUEUED_MIN_KIB 256
#define FETCH_KIB 1024
#define FETCH_MIN_KIB 64

struct dal_kafka_handles {
	struct dal_kafka *kafka;
	pthread_mutex_t lock;
	struct dal_kafka_handle *first;
};

static uint32_t between(uint32_t low, uint32_t value, uint32_t high)
{
	return value < low ? low : value > high ? high : value;
}

/*
 * Bounded by size: with a bound by number it stops fetching and resumes late. A broker holds an
 * empty fetch for fetch.wait.max.ms, and whatever begins to be read meanwhile: short, so that a
 * reader of a list begins soon, and the end of a partition is known soon.
 */
static int handle_open(struct dal_kafka *kafka, bool follow, rd_kafka_t **rk,
		       struct dal_error *error)
{
	uint32_t all = follow ? QUEUED_KIB : QUEUED_BESIDE_KIB;
	uint32_t share = between(QUEUED_MIN_KIB, all / kafka->partition_count, all);
	uint32_t fetch = between(FETCH_MIN_KIB, share / 4, FETCH_KIB);
	char *queued_kib = dal_asprintf("%u", share);
	char *fetch_bytes = dal_asprintf("%u", fetch * 1024);
	const struct dal_kafka_property defaults[] = {
		{"queued.min.messages", "5000000"},
		{"queued.max.messages.kbytes", queued_kib},
		{"fetch.message.max.bytes", fetch_bytes},
		{"fetch.max.bytes", "16777216"},
		{"fetch.wait.max.ms", follow ? "100" : "50"},
		{"fetch.error.backoff.ms", "100"},
		{NULL, NULL},
	};
	const struct dal_kafka_property fixed[] = {
		{"auto.commit.enable", "false"},
		{"auto.offset.reset", "error"},
		{"enable.partition.eof", "true"},
		{"isolation.level", "read_committed"},
		{"check.crcs", "true"},
		{"allow.auto.create.topics", "false"},
		{NULL, NULL},
	};
	int r = dal_kafka_handle_new(&kafka->options, kafka->talk, RD_KAFKA_CONSUMER, defaults,
				     fixed, 0, rk, error);

	free(queued_kib);
	free(fetch_bytes);
	return r;
}

static int handle_new(struct dal_kafka *kafka, bool follow, struct dal_kafka_handle **out)
{
	struct dal_kafka_handle *handle;
	struct dal_error why;
	rd_kafka_t *rk;
	int r = handle_open(kafka, follow, &rk, &why);

	if (r < 0) {
		dal_kafka_talk_warn(kafka->talk, "Kafka: no consumer: %s", why.text);
		return r;
	}
	handle = dal_calloc(1, sizeof(*handle));
	handle->rk = rk;
	handle->follow = follow;
	handle->used = dal_calloc(kafka->partition_count, sizeof(*handle->used));
	handle->topics = dal_calloc(kafka->topic_count, sizeof(*handle->topics));
	for (size_t i = 0; i < kafka->topic_count; i++) {
		handle->topics[i] = rd_kafka_topic_new(rk, kafka->topics[i].remote, NULL);
		DAL_ASSERT(handle->topics[i]);
	}
	*out = handle;
	return 0;
}

static void handle_free(struct dal_kafka *kafka, struct dal_kafka_handle *handle)
{
	for (size_t i = 0; i < kafka->topic_count; i++) {
		rd_kafka_topic_destroy(handle->topics[i]);
	}
	rd_kafka_destroy(handle->rk);
	free(handle->topics);
	free(handle->used);
	free(handle);
}

struct dal_kafka_handles *dal_kafka_handles_new(struct dal_kafka *kafka)
{
	struct dal_kafka_handles *handles = dal_calloc(1, sizeof(*handles));

	handles->kafka = kafka;
	pthread_mutex_init(&handles->lock, NULL);
	return handles;
}

void dal_kafka_handles_free(struct dal_kafka_handles *handles)
{
	if (!handles) {
		return;
	}
	while (handles->first) {
		struct dal_kafka_handle *handle = handles->first;
		handles->first = handle->next;
		DAL_ASSERT(handle->users == 0);
		handle_free(handles->kafka, handle);
	}
	pthread_mutex_destroy(&handles->lock);
	free(handles);
}

static bool is_free(const struct dal_kafka_handle *handle, const uint32_t *partitions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (handle->used[partitions[i]]) {
			return false;
		}
	}
	return true;
}

static struct dal_kafka_handle *find(struct dal_kafka_handles *handles, bool follow,
				     const uint32_t *partitions, size_t count)
{
	struct dal_kafka_handle *handle = handles->first;

	while (handle && (handle->follow != follow || !is_free(handle, partitions, count))) {
		handle = handle->next;
	}
	return handle;
}

/* Those beside the lanes'. */
static size_t count_beside(const struct dal_kafka_handles *handles)
{
	size_t n = 0;

	for (const struct dal_kafka_handle *h = handles->first; h; h = h->next) {
		n += !h->follow;
	}
	return n;
}

static void mark(struct dal_kafka_handle *handle, const uint32_t *partitions, size_t count,
		 bool yes)
{
	for (size_t i = 0; i < count; i++) {
		handle->used[partitions[i]] = yes;
	}
}

int dal_kafka_handle_take(struct dal_kafka_handles *handles, enum dal_kafka_use use,
			  const uint32_t *partitions, size_t count, struct dal_kafka_handle **out)
{
	bool follow = use == DAL_KAFKA_FOLLOW;
	struct dal_kafka_handle *handle;
	int r = 0;

	pthread_mutex_lock(&handles->lock);
	handle = find(handles, follow, partitions, count);
	if (!handle && use == DAL_KAFKA_BROWSE && count_beside(handles) >= BROWSE) {
		r = -EBUSY;
	} else if (!handle) {
		r = handle_new(handles->kafka, follow, &handle);
		if (r == 0) {
			handle->next = handles->first;
			handles->first = handle;
		}
	}
	if (r == 0) {
		mark(handle, partitions, count, true);
		handle->users++;
		*out = handle;
	}
	pthread_mutex_unlock(&handles->lock);
	return r;
}

/* The one to be freed if it is one too many, taken from the list. Locked. */
static struct dal_kafka_handle *surplus(struct dal_kafka_handles *handles,
					struct dal_kafka_handle *given)
{
	struct dal_kafka_handle **link;
	size_t idle = 0;

	for (link = &handles->first; *link; link = &(*link)->next) {
		idle += (*link)->users == 0;
	}
	if (given->users > 0 || idle <= SPARE) {
		return NULL;
	}
	for (link = &handles->first; *link != given; link = &(*link)->next) {
	}
	*link = given->next;
	return given;
}

void dal_kafka_handle_give(struct dal_kafka_handles *handles, struct dal_kafka_handle *handle,
			   const uint32_t *partitions, size_t count)
{
	struct dal_kafka_handle *over;

	pthread_mutex_lock(&handles->lock);
	mark(handle, partitions, count, false);
	handle->users--;
	over = surplus(handles, handle);
	pthread_mutex_unlock(&handles->lock);
	if (over) {
		handle_free(handles->kafka, over);
	}
}
