#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/kafka.h"

#define PROBE_US (1000 * 1000) /* between two questions */
#define PROBE_TIMEOUT_MS 3000
#define DOUBT_TIMEOUT_MS 1000
#define REMIND_US (200 * 1000)
#define ENDS (-1) /* the protocol's "times" of the last and the first offset */
#define STARTS (-2)

/* The answer to one of the two questions. */
struct answer {
	int64_t *offsets;
	int64_t at_us; /* when it was asked; 0: never */
};

struct dal_kafka_watch {
	struct dal_kafka *kafka;
	rd_kafka_t *handle;
	_Atomic int64_t *passed; /* by partition */
	_Atomic int64_t away_us; /* 0: they answer */
	pthread_t thread;
	pthread_mutex_t asking; /* one question at a time; before `lock` */
	pthread_mutex_t lock;   /* for what follows */
	pthread_cond_t wake;
	struct answer low, high;
	int64_t remind_us; /* when to; 0: not asked to */
	bool doubted, stopping;
};

/* --- asking --- */

static rd_kafka_topic_partition_list_t *all_partitions(const struct dal_kafka *kafka, int64_t time)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(
		(int)kafka->partition_count);

	for (size_t i = 0; i < kafka->topic_count; i++) {
		for (uint32_t k = 0; k < kafka->topics[i].partitions; k++) {
			rd_kafka_topic_partition_list_add(list, kafka->topics[i].remote, (int)k)
				->offset = time;
		}
	}
	return list;
}

/* A partition without a leader times out, too: does anybody answer at all? */
static bool anybody_there(rd_kafka_t *handle)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code = rd_kafka_metadata(handle, 0, NULL, &metadata, DOUBT_TIMEOUT_MS);

	if (metadata) {
		rd_kafka_metadata_destroy(metadata);
	}
	return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Offsets are in the order of the partitions' numbers; as they were, where a partition's can't be
 * told. -EHOSTUNREACH: no answer; -EAGAIN: not of each. */
static int ask(struct dal_kafka_watch *watch, int64_t time, int timeout_ms, int64_t *offsets)
{
	rd_kafka_topic_partition_list_t *list = all_partitions(watch->kafka, time);
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(watch->handle, list, timeout_ms);
	int r = 0;

	if (code < 0 && !anybody_there(watch->handle)) {
		r = -EHOSTUNREACH; /* positive codes are a broker's */
	} else if (code) {
		r = -EAGAIN;
	}
	for (int i = 0; !code && i < list->cnt; i++) {
		if (list->elems[i].err) {
			r = -EAGAIN;
		} else {
			offsets[i] = list->elems[i].offset;
		}
	}
	rd_kafka_topic_partition_list_destroy(list);
	return r;
}

/* --- away and back --- */

static void on_away(struct dal_kafka_watch *watch, int64_t since_us)
{
	int64_t none = 0;
	char reason[256];

	if (!atomic_compare_exchange_strong(&watch->away_us, &none, since_us)) {
		return;
	}
	dal_metric_add(watch->kafka->metrics.away, 1);
	dal_kafka_talk_reason(watch->kafka->talk, reason, sizeof(reason));
	dal_logger_write(DAL_LOGGER_WARN, "log",
			 "no Kafka broker answers%s%s: nothing is read or appended until one does",
			 reason[0] ? ": " : "", reason);
}

static void on_back(struct dal_kafka_watch *watch)
{
	int64_t since_us = atomic_exchange(&watch->away_us, 0);

	if (since_us) {
		dal_kafka_talk_forget(watch->kafka->talk);
		dal_logger_write(DAL_LOGGER_INFO, "log", "Kafka answers again, after %.1f s",
				 (double)(dal_clock_now_us() - since_us) / 1e6);
		watch->kafka->on_advance(watch->kafka->own);
	}
}

static int ask_and_keep(struct dal_kafka_watch *watch, int64_t time, int timeout_ms,
			struct answer *answer)
{
	size_t bytes = watch->kafka->partition_count * sizeof(*answer->offsets);
	int64_t *offsets = dal_malloc(bytes + 1);
	int64_t asked_us = dal_clock_monotonic_us(), since_us = dal_clock_now_us();
	int r;

	memcpy(offsets, answer->offsets, bytes); /* only the thread that asks changes them */
	r = ask(watch, time, timeout_ms, offsets);
	if (r == -EHOSTUNREACH) {
		on_away(watch, since_us);
	} else {
		pthread_mutex_lock(&watch->lock);
		memcpy(answer->offsets, offsets, bytes);
		answer->at_us = r == 0 ? asked_us : answer->at_us;
		pthread_mutex_unlock(&watch->lock);
		on_back(watch);
	}
	free(offsets);
	return r;
}

/* --- the thread --- */

/* Until it is time to ask, to remind, or something is asked for. Locked. */
static void rest(struct dal_kafka_watch *watch, int64_t until_us)
{
	while (!watch->stopping && !watch->doubted) {
		int64_t now_us = dal_clock_monotonic_us();
		int64_t next_us = watch->remind_us && watch->remind_us < until_us ? watch->remind_us
										  : until_us;
		struct timespec time = {.tv_sec = next_us / 1000000,
					.tv_nsec = next_us % 1000000 * 1000};
		if (watch->remind_us && watch->remind_us <= now_us) {
			watch->remind_us = 0;
			pthread_mutex_unlock(&watch->lock);
			watch->kafka->on_advance(watch->kafka->own);
			pthread_mutex_lock(&watch->lock);
			continue;
		}
		if (until_us <= now_us) {
			return;
		}
		pthread_cond_timedwait(&watch->wake, &watch->lock, &time);
	}
}

static void *run(void *own)
{
	struct dal_kafka_watch *watch = own;

	pthread_mutex_lock(&watch->lock);
	while (!watch->stopping) {
		bool doubted = watch->doubted;
		watch->doubted = false;
		pthread_mutex_unlock(&watch->lock);
		pthread_mutex_lock(&watch->asking);
		ask_and_keep(watch, ENDS, doubted ? DOUBT_TIMEOUT_MS : PROBE_TIMEOUT_MS,
			     &watch->high);
		pthread_mutex_unlock(&watch->asking);
		pthread_mutex_lock(&watch->lock);
		rest(watch, dal_clock_monotonic_us() + PROBE_US);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

struct dal_kafka_watch *dal_kafka_watch_new(struct dal_kafka *kafka, rd_kafka_t *handle)
{
	struct dal_kafka_watch *watch = dal_calloc(1, sizeof(*watch));
	size_t count = kafka->partition_count;
	pthread_condattr_t attributes;

	watch->kafka = kafka;
	watch->handle = handle;
	watch->passed = dal_calloc(count, sizeof(*watch->passed));
	watch->low.offsets = dal_malloc(count * sizeof(int64_t));
	watch->high.offsets = dal_malloc(count * sizeof(int64_t));
	memset(watch->low.offsets, 0xFF, count * sizeof(int64_t));
	memset(watch->high.offsets, 0xFF, count * sizeof(int64_t));
	pthread_mutex_init(&watch->asking, NULL);
	pthread_mutex_init(&watch->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&watch->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	DAL_ASSERT(pthread_create(&watch->thread, NULL, run, watch) == 0);
	return watch;
}

void dal_kafka_watch_free(struct dal_kafka_watch *watch)
{
	if (!watch) {
		return;
	}
	pthread_mutex_lock(&watch->lock);
	watch->stopping = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->wake);
	pthread_mutex_destroy(&watch->lock);
	pthread_mutex_destroy(&watch->asking);
	free((void *)watch->passed);
	free(watch->low.offsets);
	free(watch->high.offsets);
	free(watch);
}

/* --- for the others --- */

int dal_kafka_watch_await(struct dal_kafka_watch *watch, struct dal_error *error)
{
	int64_t until_us = dal_clock_monotonic_us() + DAL_KAFKA_PATIENCE_MS * 1000;
	int r;

	for (;;) {
		pthread_mutex_lock(&watch->asking);
		r = ask_and_keep(watch, STARTS, PROBE_TIMEOUT_MS, &watch->low);
		if (r == 0) {
			r = ask_and_keep(watch, ENDS, PROBE_TIMEOUT_MS, &watch->high);
		}
		pthread_mutex_unlock(&watch->asking);
		if (r == 0 || dal_clock_monotonic_us() > until_us) {
			break;
		}
		usleep(20 * 1000);
	}
	if (r < 0) {
		dal_error_set(error, "Kafka: the brokers don't tell where every partition begins "
				     "and ends: one may have no leader");
	}
	return r < 0 ? -EHOSTUNREACH : 0;
}

static bool is_fresh(struct dal_kafka_watch *watch, const struct answer *answer, int age_ms)
{
	bool fresh;

	pthread_mutex_lock(&watch->lock);
	fresh = answer->at_us && dal_clock_monotonic_us() - answer->at_us < (int64_t)age_ms * 1000;
	pthread_mutex_unlock(&watch->lock);
	return fresh;
}

/* While they are known to be away nobody but the thread waits for them. */
static int refresh(struct dal_kafka_watch *watch, int64_t time, int age_ms, struct answer *answer)
{
	int r = 0;

	if (is_fresh(watch, answer, age_ms)) {
		return 0;
	}
	if (atomic_load(&watch->away_us)) {
		return -EHOSTUNREACH;
	}
	pthread_mutex_lock(&watch->asking);
	if (!is_fresh(watch, answer, age_ms)) {
		r = ask_and_keep(watch, time, PROBE_TIMEOUT_MS, answer);
	}
	pthread_mutex_unlock(&watch->asking);
	return r;
}

int dal_kafka_watch_ask(struct dal_kafka_watch *watch, int age_ms, int64_t *low, int64_t *high)
{
	size_t bytes = watch->kafka->partition_count * sizeof(int64_t);
	int r = low ? refresh(watch, STARTS, age_ms, &watch->low) : 0;

	if (r == 0 && high) {
		r = refresh(watch, ENDS, age_ms, &watch->high);
	}
	pthread_mutex_lock(&watch->lock);
	if (low) {
		memcpy(low, watch->low.offsets, bytes);
	}
	if (high) {
		memcpy(high, watch->high.offsets, bytes);
	}
	pthread_mutex_unlock(&watch->lock);
	return r;
}

int dal_kafka_watch_offsets(struct dal_kafka_watch *watch, int age_ms, int64_t *low, int64_t *high)
{
	int r = dal_kafka_watch_ask(watch, age_ms, low, high);

	for (uint32_t i = 0; high && i < watch->kafka->partition_count; i++) {
		int64_t passed = atomic_load_explicit(&watch->passed[i], memory_order_relaxed);
		if (passed > 0 && high[i] < passed) {
			high[i] = passed;
		}
	}
	return r;
}

int dal_kafka_watch_at(struct dal_kafka_watch *watch, int64_t time_ms, int64_t *offsets)
{
	int r;

	if (atomic_load(&watch->away_us)) {
		return -EHOSTUNREACH;
	}
	pthread_mutex_lock(&watch->asking);
	r = ask(watch, time_ms, PROBE_TIMEOUT_MS, offsets);
	pthread_mutex_unlock(&watch->asking);
	return r;
}

void dal_kafka_watch_passed(struct dal_kafka_watch *watch, uint32_t partition, int64_t next)
{
	_Atomic int64_t *passed = &watch->passed[partition];
	int64_t before = atomic_load_explicit(passed, memory_order_relaxed);

	while (before < next &&
	       !atomic_compare_exchange_weak_explicit(passed, &before, next, memory_order_relaxed,
						      memory_order_relaxed)) {
	}
}

int64_t dal_kafka_watch_away_us(const struct dal_kafka_watch *watch)
{
	return atomic_load_explicit(&watch->away_us, memory_order_relaxed);
}

void dal_kafka_watch_doubt(struct dal_kafka_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->doubted = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
}

void dal_kafka_watch_remind(struct dal_kafka_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	if (!watch->remind_us) {
		watch->remind_us = dal_clock_monotonic_us() + REMIND_US;
		pthread_cond_signal(&watch->wake);
	}
	pthread_mutex_unlock(&watch->lock);
}

rd_kafka_t *dal_kafka_watch_handle(const struct dal_kafka_watch *watch)
{
	return watch->handle;
}
