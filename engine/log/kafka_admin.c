#include "engine/log/kafka_admin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/memory.h"

/* --- how many partitions --- */

static const char *property(const struct dal_kafka *kafka, const char *name)
{
	for (size_t i = 0; i < kafka->options.property_count; i++) {
		if (strcmp(kafka->options.properties[i].name, name) == 0) {
			return kafka->options.properties[i].value;
		}
	}
	return "";
}

/* librdkafka before 2.6.1 sends SCRAM's nonce twice, which Kafka 4 and later refuse. */
static const char *scram_remedy(const struct dal_kafka *kafka)
{
	bool scram = strncmp(property(kafka, "sasl.mechanism"), "SCRAM", 5) == 0 ||
		     strncmp(property(kafka, "sasl.mechanisms"), "SCRAM", 5) == 0;

	return scram && rd_kafka_version() < 0x02060100
		       ? ". This librdkafka is older than 2.6.1 and can't do SCRAM with Kafka 4 "
			 "and later: use PLAIN over TLS, or a newer librdkafka"
		       : "";
}

/* Words that say that a broker is there, and does not want us, or is not the one we want. */
static bool is_refusal(const char *reason)
{
	return strstr(reason, "uthentication") || strstr(reason, "SSL handshake failed") ||
	       strstr(reason, "certificate");
}

static int unreachable(const struct dal_kafka *kafka, rd_kafka_resp_err_t code,
		       struct dal_error *error)
{
	char reason[256];

	dal_kafka_talk_reason(kafka->talk, reason, sizeof(reason));
	if (is_refusal(reason)) {
		dal_error_set(error, "Kafka: a broker of log.brokers refuses us: %s%s", reason,
			      scram_remedy(kafka));
	} else {
		dal_error_set(error,
			      "Kafka: no broker of log.brokers answers (%s): is it running, and is "
			      "the address right?",
			      reason[0] ? reason : rd_kafka_err2str(code));
	}
	return -EHOSTUNREACH;
}

/* In slices: who is refused need not wait until the time is up. */
static rd_kafka_resp_err_t metadata_ask(rd_kafka_t *handle, const struct dal_kafka *kafka,
					rd_kafka_topic_t *topic, int timeout_ms,
					const struct rd_kafka_metadata **metadata)
{
	int64_t until_us = dal_clock_monotonic_us() + timeout_ms * 1000ll;
	rd_kafka_resp_err_t code;
	char reason[256];

	do {
		int64_t left_ms = (until_us - dal_clock_monotonic_us()) / 1000;
		code = rd_kafka_metadata(handle, 0, topic, metadata,
					 left_ms < 500 ? (int)(left_ms > 1 ? left_ms : 1) : 500);
		dal_kafka_talk_reason(kafka->talk, reason, sizeof(reason));
	} while (code && !is_refusal(reason) && dal_clock_monotonic_us() < until_us);
	return code;
}

static int topic_count(const rd_kafka_metadata_topic_t *topic, uint32_t *partitions,
		       struct dal_error *error)
{
	*partitions = 0;
	switch (topic->err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		*partitions = (uint32_t)topic->partition_cnt;
		return 0;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE: /* it is being made */
		return 0;
	default:
		dal_error_set(error, "Kafka: topic \"%s\": %s", topic->topic,
			      rd_kafka_err2str(topic->err));
		return -EACCES;
	}
}

int dal_kafka_admin_partitions(rd_kafka_t *handle, const struct dal_kafka *kafka, const char *name,
			       int timeout_ms, uint32_t *partitions, struct dal_error *error)
{
	rd_kafka_topic_t *topic = rd_kafka_topic_new(handle, name, NULL);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code;
	int r = 0;

	if (!topic) {
		dal_error_set(error, "Kafka: topic \"%s\": %s", name,
			      rd_kafka_err2str(rd_kafka_last_error()));
		return -EINVAL;
	}
	*partitions = 0;
	code = metadata_ask(handle, kafka, topic, timeout_ms, &metadata);
	if (code) {
		r = unreachable(kafka, code, error);
	} else if (metadata->topic_cnt > 0) {
		r = topic_count(&metadata->topics[0], partitions, error);
	}
	if (metadata) {
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(topic);
	return r;
}

/* --- orders and questions that are answered by an event --- */

struct call {
	rd_kafka_t *handle;
	rd_kafka_queue_t *queue;
	rd_kafka_AdminOptions_t *options;
	rd_kafka_event_t *answer;
};

static void call_init(struct call *call, rd_kafka_t *handle)
{
	char why[256];

	call->handle = handle;
	call->queue = rd_kafka_queue_new(handle);
	call->options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_ANY);
	call->answer = NULL;
	rd_kafka_AdminOptions_set_request_timeout(call->options, DAL_KAFKA_PATIENCE_MS, why,
						  sizeof(why));
}

static int call_wait(struct call *call, const char *what, struct dal_error *error)
{
	rd_kafka_resp_err_t code;

	call->answer = rd_kafka_queue_poll(call->queue, DAL_KAFKA_PATIENCE_MS + 1000);
	code = call->answer ? rd_kafka_event_error(call->answer) : RD_KAFKA_RESP_ERR__TIMED_OUT;
	if (code) {
		dal_error_set(error, "Kafka: %s: %s", what,
			      call->answer ? rd_kafka_event_error_string(call->answer)
					   : rd_kafka_err2str(code));
		return -EHOSTUNREACH;
	}
	return 0;
}

static void call_deinit(struct call *call)
{
	if (call->answer) {
		rd_kafka_event_destroy(call->answer);
	}
	rd_kafka_AdminOptions_destroy(call->options);
	rd_kafka_queue_destroy(call->queue);
}

/* --- making a topic --- */

static int made(const rd_kafka_event_t *answer, const char *name, struct dal_error *error)
{
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(
		(rd_kafka_event_t *)answer);
	size_t count = 0;
	const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result,
										     &count);
	rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(topics[0])
					 : RD_KAFKA_RESP_ERR__FAIL;

	if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
		return 0;
	}
	dal_error_set(error, "Kafka: can't make topic \"%s\": %s", name,
		      count ? rd_kafka_topic_result_error_string(topics[0])
			    : rd_kafka_err2str(code));
	return -EACCES;
}

int dal_kafka_admin_make(rd_kafka_t *handle, const char *name, uint32_t partitions,
			 struct dal_error *error)
{
	char why[256] = "";
	char bytes[24];
	struct call call;
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, (int)partitions, -1, why,
							   sizeof(why));
	int r;

	if (!topic) {
		dal_error_set(error, "Kafka: can't make topic \"%s\": %s", name, why);
		return -EINVAL;
	}
	snprintf(bytes, sizeof(bytes), "%lld",
		 (long long)((int64_t)DAL_KAFKA_VALUE_BYTES + 64 * (int64_t)DAL_KIB));
	rd_kafka_NewTopic_set_config(topic, "max.message.bytes", bytes);
	rd_kafka_NewTopic_set_config(topic, "message.timestamp.type", "LogAppendTime");
	rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
	rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
	call_init(&call, handle);
	rd_kafka_CreateTopics(handle, &topic, 1, call.options, call.queue);
	r = call_wait(&call, "making a topic", error);
	if (r == 0) {
		r = made(call.answer, name, error);
	}
	call_deinit(&call);
	rd_kafka_NewTopic_destroy(topic);
	return r;
}

/* --- a topic's configuration --- */

static void config_read(const rd_kafka_ConfigResource_t *resource,
			struct dal_kafka_topic_config *config)
{
	size_t count = 0;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);

	for (size_t i = 0; i < count; i++) {
		const char *name = rd_kafka_ConfigEntry_name(entries[i]);
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);
		if (value && strcmp(name, "cleanup.policy") == 0) {
			config->compacted = strstr(value, "compact") != NULL;
		} else if (value && strcmp(name, "max.message.bytes") == 0) {
			dal_slice_to_i64(dal_slice_text(value), &config->max_bytes);
		}
	}
}

int dal_kafka_admin_config(rd_kafka_t *handle, const char *topic,
			   struct dal_kafka_topic_config *config, struct dal_error *error)
{
	rd_kafka_ConfigResource_t *asked = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC,
								       topic);
	struct call call;
	int r;

	*config = (struct dal_kafka_topic_config){.max_bytes = -1};
	call_init(&call, handle);
	rd_kafka_DescribeConfigs(handle, &asked, 1, call.options, call.queue);
	r = call_wait(&call, "asking for a topic's configuration", error);
	if (r == 0) {
		size_t count = 0;
		const rd_kafka_ConfigResource_t **resources =
			rd_kafka_DescribeConfigs_result_resources(
				rd_kafka_event_DescribeConfigs_result(call.answer), &count);
		if (count > 0 && rd_kafka_ConfigResource_error(resources[0]) == 0) {
			config_read(resources[0], config);
		} else {
			dal_error_set(error, "%s",
				      count ? rd_kafka_ConfigResource_error_string(resources[0])
					    : "no answer");
			r = -EACCES;
		}
	}
	call_deinit(&call);
	rd_kafka_ConfigResource_destroy(asked);
	return r;
}

/* --- who is in the group --- */

static const char *or_none(const char *text)
{
	return text && *text ? text : "none";
}

static int first_member(const rd_kafka_ConsumerGroupDescription_t *group, const char *instance,
			bool same, char *who, size_t size)
{
	size_t count = rd_kafka_ConsumerGroupDescription_member_count(group);

	for (size_t i = 0; i < count; i++) {
		const rd_kafka_MemberDescription_t *member =
			rd_kafka_ConsumerGroupDescription_member(group, i);
		const char *its = rd_kafka_MemberDescription_group_instance_id(member);
		if ((its && strcmp(its, instance) == 0) == same) {
			snprintf(who, size, "client id %s, host %s, instance id %s",
				 or_none(rd_kafka_MemberDescription_client_id(member)),
				 or_none(rd_kafka_MemberDescription_host(member)), or_none(its));
			return 1;
		}
	}
	return 0;
}

/* A coordinator that is starting, or has moved. */
static bool is_passing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
	       code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
	       code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
}

int dal_kafka_admin_member(rd_kafka_t *handle, const char *group, const char *instance, bool same,
			   char *who, size_t size, struct dal_error *error)
{
	struct call call;
	int r;

	call_init(&call, handle);
	rd_kafka_DescribeConsumerGroups(handle, &group, 1, call.options, call.queue);
	r = call_wait(&call, "asking who is in the group", error);
	if (r == 0) {
		size_t count = 0;
		const rd_kafka_ConsumerGroupDescription_t **groups =
			rd_kafka_DescribeConsumerGroups_result_groups(
				rd_kafka_event_DescribeConsumerGroups_result(call.answer), &count);
		const rd_kafka_error_t *why =
			count ? rd_kafka_ConsumerGroupDescription_error(groups[0]) : NULL;
		if (why) {
			dal_error_set(error, "Kafka: group \"%s\": %s", group,
				      rd_kafka_error_string(why));
			r = is_passing(rd_kafka_error_code(why)) ? -EAGAIN : -EACCES;
		} else if (count > 0) {
			r = first_member(groups[0], instance, same, who, size);
		}
	}
	call_deinit(&call);
	return r;
}
