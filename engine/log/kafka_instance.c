#include "engine/log/kafka_instance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/clock.h"
#include "engine/base/digest.h"
#include "engine/base/field.h"
#include "engine/base/file.h"
#include "engine/base/logger.h"
#include "engine/base/memory.h"
#include "engine/log/kafka_admin.h"

static int instance_write(const char *path, char *instance, struct dal_error *error)
{
	uint64_t random;
	int r;

	dal_random(&random, sizeof(random));
	snprintf(instance, DAL_KAFKA_INSTANCE_BYTES, "dalamb-%016llx", (unsigned long long)random);
	r = dal_file_write(path, dal_slice_text(instance), 0600);
	if (r < 0) {
		dal_error_set(error, "%s: can't write it: %s", path, strerror(-r));
	}
	return r;
}

static bool instance_valid(struct dal_slice text)
{
	return dal_slice_starts(text, "dalamb-") && text.size < DAL_KAFKA_INSTANCE_BYTES &&
	       dal_name_valid(text);
}

int dal_kafka_instance_read(const char *data, char *instance, struct dal_error *error)
{
	char *path = dal_asprintf("%s/%s", data, DAL_KAFKA_INSTANCE_FILE);
	struct dal_buffer text = {0};
	int r = dal_file_read(path, DAL_KAFKA_INSTANCE_BYTES, &text);

	if (r == -ENOENT) {
		r = instance_write(path, instance, error);
	} else if (r < 0) {
		dal_error_set(error, "%s: can't read it: %s", path, strerror(-r));
	} else if (!instance_valid(dal_slice_trim(dal_buffer_slice(&text)))) {
		dal_error_set(error, "%s: not a member's id; delete the file to get a new one",
			      path);
		r = -EINVAL;
	} else {
		struct dal_slice id = dal_slice_trim(dal_buffer_slice(&text));
		snprintf(instance, DAL_KAFKA_INSTANCE_BYTES, "%.*s", (int)id.size, id.data);
	}
	dal_buffer_deinit(&text);
	free(path);
	return r;
}

int64_t dal_kafka_session_ms(const struct dal_kafka *kafka)
{
	int64_t ms = DAL_KAFKA_SESSION_MS;

	for (size_t i = 0; i < kafka->options.property_count; i++) {
		const struct dal_log_property *property = &kafka->options.properties[i];
		if (strcmp(property->name, "session.timeout.ms") == 0) {
			dal_slice_to_i64(dal_slice_text(property->value), &ms);
		}
	}
	return ms;
}

static void wait_said(const char *group, const char *who, int64_t patience_us)
{
	dal_logger_write(DAL_LOGGER_WARN, "log",
			 "Kafka: group %s has another member (%s): waiting for up to %lld s, as it "
			 "may be dead",
			 group, who, (long long)(patience_us / 1000000));
}

const char *dal_kafka_others_remedy(const char *app, const char *who)
{
	char *ours = dal_asprintf("client id dalamb-%s, ", app);
	bool same = strncmp(who, ours, strlen(ours)) == 0;

	free(ours);
	return same ? "it runs this app, and an app runs once: stop that one"
		    : "stop that one, or set another log.group";
}

int dal_kafka_others_await(struct dal_kafka *kafka, const char *instance, struct dal_error *error)
{
	rd_kafka_t *asker = dal_kafka_watch_handle(kafka->watch);
	int64_t patience_us = (dal_kafka_session_ms(kafka) + 2000) * 1000;
	int64_t start_us = dal_clock_monotonic_us();
	bool said = false;
	char who[300];

	for (;;) {
		int r = dal_kafka_admin_member(asker, kafka->options.group, instance, false, who,
					       sizeof(who), error);
		bool over = dal_clock_monotonic_us() - start_us > patience_us;
		if (r == 1 && over) {
			dal_error_set(error, "Kafka: group \"%s\" has another live member (%s): %s",
				      kafka->options.group, who,
				      dal_kafka_others_remedy(kafka->options.app, who));
			return -EBUSY;
		}
		if (r != 1 && (r != -EAGAIN || over)) {
			return r;
		}
		if (r == 1 && !said) {
			wait_said(kafka->options.group, who, patience_us);
			said = true;
		}
		usleep(r == 1 ? 500 * 1000 : 50 * 1000);
	}
}
