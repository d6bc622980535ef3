#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/kafka.h"

/* The same words are not said again before this time. */
#define SILENCE_US (60 * 1000000ll)
#define REMEMBERED 32
#define REASON_BYTES 256

struct dal_kafka_talk {
	pthread_mutex_t lock;
	char reason[REASON_BYTES];
	struct {
		uint64_t hash;
		int64_t said_us;
	} said[REMEMBERED];
};

struct dal_kafka_talk *dal_kafka_talk_new(void)
{
	struct dal_kafka_talk *talk = dal_calloc(1, sizeof(*talk));

	pthread_mutex_init(&talk->lock, NULL);
	return talk;
}

void dal_kafka_talk_free(struct dal_kafka_talk *talk)
{
	if (talk) {
		pthread_mutex_destroy(&talk->lock);
		free(talk);
	}
}

/* The text without the numbers in it, which differ each time it is said. */
static uint64_t gist(const char *text)
{
	char words[512];
	size_t size = 0;

	for (; *text && size < sizeof(words); text++) {
		if (*text < '0' || *text > '9') {
			words[size++] = *text;
		}
	}
	return dal_hash64(dal_slice(words, size), 0);
}

/* Is this new? Locked. */
static bool is_news(struct dal_kafka_talk *talk, const char *text)
{
	int64_t now_us = dal_clock_monotonic_us();
	uint64_t hash = gist(text);
	size_t oldest = 0;

	for (size_t i = 0; i < REMEMBERED; i++) {
		if (talk->said[i].hash == hash && talk->said[i].said_us &&
		    now_us - talk->said[i].said_us < SILENCE_US) {
			return false;
		}
		if (talk->said[i].said_us < talk->said[oldest].said_us) {
			oldest = i;
		}
	}
	talk->said[oldest].hash = hash;
	talk->said[oldest].said_us = now_us;
	return true;
}

/* Of connections that fail the watch speaks, with the last reason; "CONFWARN" is about properties
 * that are another handle's. */
static bool is_for_watch(const char *facility)
{
	return strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0;
}

/* "[thrd:k1:9092/bootstrap]: k1:9092/bootstrap: Connect to ... failed" without what is in front. */
static const char *without_thread(const char *text)
{
	const char *end = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;

	return end ? end + 3 : text;
}

void dal_kafka_talk_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	struct dal_kafka_talk *talk = rd_kafka_opaque(handle);
	bool news = false;

	text = without_thread(text);
	if (strcmp(facility, "CONFWARN") == 0) {
		return;
	}
	pthread_mutex_lock(&talk->lock);
	if (strcmp(facility, "FAIL") == 0) {
		snprintf(talk->reason, sizeof(talk->reason), "%s", text);
	}
	news = level <= LOG_WARNING && !is_for_watch(facility) && is_news(talk, text);
	pthread_mutex_unlock(&talk->lock);
	dal_logger_write(news ? DAL_LOGGER_WARN : DAL_LOGGER_DEBUG, "log", "kafka: %s: %s",
			 facility, text);
}

void dal_kafka_talk_warn(struct dal_kafka_talk *talk, const char *format, ...)
{
	struct dal_buffer text = {0};
	va_list args;
	bool news;

	va_start(args, format);
	dal_buffer_vprintf(&text, format, args);
	va_end(args);
	pthread_mutex_lock(&talk->lock);
	news = is_news(talk, dal_buffer_cstr(&text));
	pthread_mutex_unlock(&talk->lock);
	dal_logger_write(news ? DAL_LOGGER_WARN : DAL_LOGGER_DEBUG, "log", "%s",
			 dal_buffer_cstr(&text));
	dal_buffer_deinit(&text);
}

void dal_kafka_talk_reason(struct dal_kafka_talk *talk, char *out, size_t size)
{
	pthread_mutex_lock(&talk->lock);
	snprintf(out, size, "%s", talk->reason);
	pthread_mutex_unlock(&talk->lock);
}

void dal_kafka_talk_forget(struct dal_kafka_talk *talk)
{
	pthread_mutex_lock(&talk->lock);
	talk->reason[0] = '\0';
	pthread_mutex_unlock(&talk->lock);
}
