#include <errno.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/log/kafka.h"

/* Properties that would break a promise, with what is promised or where to say it instead. */
static const struct {
	const char *name, *reason;
} refused[] = {
	{"acks", "an event is answered for when all replicas have it"},
	{"request.required.acks", "an event is answered for when all replicas have it"},
	{"enable.idempotence", "what is sent again must be neither doubled nor reordered"},
	{"enable.gapless.guarantee", "it stops the producer for good at the first time-out"},
	{"max.in.flight", "dalamb sets it, so that the order stays"},
	{"max.in.flight.requests.per.connection", "dalamb sets it, so that the order stays"},
	{"retries", "dalamb tries again until an append's time is up"},
	{"message.send.max.retries", "dalamb tries again until an append's time is up"},
	{"message.timeout.ms", "an append is answered within ten seconds"},
	{"delivery.timeout.ms", "an append is answered within ten seconds"},
	{"message.max.bytes", "dalamb sets it, so that every event fits that it accepts"},
	{"delivery.report.only.error", "dalamb waits for every report"},
	{"queuing.strategy", "the order would change"},
	{"partitioner", "say it of the topic: topics = { orders = { partitioner = \"crc32\" } }"},
	{"transactional.id", "dalamb's events come without transactions yet"},
	{"transaction.timeout.ms", "dalamb's events come without transactions yet"},
	{"bootstrap.servers", "say it in log.brokers"},
	{"metadata.broker.list", "say it in log.brokers"},
	{"group.id", "say it in log.group"},
	{"group.instance.id", "dalamb keeps its own in the data folder"},
	{"group.protocol.type", "dalamb is a consumer"},
	{"partition.assignment.strategy", "lanes need the same partition of every topic"},
	{"enable.auto.commit", "the position is kept with the state, Kafka's is a hint"},
	{"auto.commit.enable", "the position is kept with the state, Kafka's is a hint"},
	{"auto.commit.interval.ms", "the position is kept with the state, Kafka's is a hint"},
	{"enable.auto.offset.store", "the position is kept with the state, Kafka's is a hint"},
	{"offset.store.method", "the position is kept with the state, Kafka's is a hint"},
	{"offset.store.path", "the position is kept with the state, Kafka's is a hint"},
	{"auto.offset.reset", "say it in log.out_of_range"},
	{"isolation.level", "events of transactions that were aborted never happened"},
	{"enable.partition.eof", "dalamb needs to know where a partition ends"},
	{"check.crcs", "a record that was damaged must be noticed"},
	{"allow.auto.create.topics", "dalamb makes its topics with what they need"},
	{"topic.blacklist", "a topic that is read can't be left out; take it from log.topics"},
	{"plugin.library.paths", "other code would come between dalamb and its events"},
	{"enabled_events", "dalamb handles them"},
	{"statistics.interval.ms", "nobody takes what librdkafka would say: see /metrics"},
	{"log.queue", "dalamb logs what librdkafka says"},
	{"internal.termination.signal", "dalamb's signals are its own"},
};

static const char *const secrets[] = {
	"sasl.password",         "ssl.key.password",        "ssl.key.pem",
	"ssl.keystore.password", "sasl.oauthbearer.config", "sasl.oauthbearer.client.secret",
};

static const char *refusal(const char *name)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		if (strcmp(refused[i].name, name) == 0) {
			return refused[i].reason;
		}
	}
	return NULL;
}

static bool is_secret(const char *name)
{
	for (size_t i = 0; i < sizeof(secrets) / sizeof(*secrets); i++) {
		if (strcmp(secrets[i], name) == 0) {
			return true;
		}
	}
	return false;
}

void dal_kafka_options_copy(struct dal_log_kafka_options *to,
			    const struct dal_log_kafka_options *from)
{
	struct dal_log_property *properties = dal_calloc(from->property_count + 1,
							 sizeof(*properties));

	for (size_t i = 0; i < from->property_count; i++) {
		properties[i].name = dal_strdup(from->properties[i].name);
		properties[i].value = dal_strdup(from->properties[i].value);
		properties[i].secret = from->properties[i].secret;
	}
	*to = *from;
	to->brokers = dal_strdup(from->brokers);
	to->app = dal_strdup(from->app);
	to->group = dal_strdup(from->group ? from->group : from->app);
	to->data = dal_strdup(from->data);
	to->properties = properties;
}

void dal_kafka_options_deinit(struct dal_log_kafka_options *options)
{
	for (size_t i = 0; i < options->property_count; i++) {
		free((char *)options->properties[i].name);
		free((char *)options->properties[i].value);
	}
	free((struct dal_log_property *)options->properties);
	free((char *)options->brokers);
	free((char *)options->app);
	free((char *)options->group);
	free((char *)options->data);
	*options = (struct dal_log_kafka_options){0};
}

static void set_all(rd_kafka_conf_t *conf, const struct dal_kafka_property *properties)
{
	char why[256];

	for (; properties && properties->name; properties++) {
		DAL_ASSERT(rd_kafka_conf_set(conf, properties->name, properties->value, why,
					     sizeof(why)) == RD_KAFKA_CONF_OK);
	}
}

/* librdkafka's words may quote the value, which of a secret nobody is shown. */
static int set_users(rd_kafka_conf_t *conf, const struct dal_log_property *property,
		     struct dal_error *error)
{
	const char *reason = refusal(property->name);
	char why[512];

	if (reason) {
		dal_error_set(error, "kafka property \"%s\": can't be set: %s", property->name,
			      reason);
		return -EINVAL;
	}
	if (rd_kafka_conf_set(conf, property->name, property->value, why, sizeof(why)) !=
	    RD_KAFKA_CONF_OK) {
		dal_error_set(error, "kafka property \"%s\": %s", property->name,
			      property->secret || is_secret(property->name)
				      ? "its value is not valid"
				      : why);
		return -EINVAL;
	}
	return 0;
}

int dal_log_check_property(const struct dal_log_property *property, struct dal_error *error)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	int r = set_users(conf, property, error);

	rd_kafka_conf_destroy(conf);
	return r;
}

static int conf_fill(rd_kafka_conf_t *conf, const struct dal_log_kafka_options *options,
		     const struct dal_kafka_property *defaults, struct dal_error *error)
{
	char *client = dal_asprintf("dalamb-%s", options->app);
	const struct dal_kafka_property common[] = {
		{"client.id", client},
		{"socket.keepalive.enable", "true"},
		{"socket.nagle.disable", "true"},
		{"reconnect.backoff.max.ms", "1000"},
		{NULL, NULL},
	};
	int r = 0;

	set_all(conf, common);
	set_all(conf, defaults);
	free(client);
	for (size_t i = 0; r == 0 && i < options->property_count; i++) {
		r = set_users(conf, &options->properties[i], error);
	}
	return r;
}

static int brokers_set(rd_kafka_conf_t *conf, const char *brokers, struct dal_error *error)
{
	char why[512];

	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers ? brokers : "", why,
			      sizeof(why)) == RD_KAFKA_CONF_OK) {
		return 0;
	}
	dal_error_set(error, "log.brokers \"%s\": %s", brokers ? brokers : "", why);
	return -EINVAL;
}

int dal_kafka_handle_new(const struct dal_log_kafka_options *options, struct dal_kafka_talk *talk,
			 rd_kafka_type_t type, const struct dal_kafka_property *defaults,
			 const struct dal_kafka_property *fixed, int events, rd_kafka_t **handle,
			 struct dal_error *error)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[512] = "";
	int r = conf_fill(conf, options, defaults, error);

	if (r == 0) {
		r = brokers_set(conf, options->brokers, error);
	}
	if (r < 0) {
		rd_kafka_conf_destroy(conf);
		return r;
	}
	set_all(conf, fixed);
	rd_kafka_conf_set_opaque(conf, talk);
	rd_kafka_conf_set_log_cb(conf, dal_kafka_talk_log);
	rd_kafka_conf_set_events(conf, events);
	*handle = rd_kafka_new(type, conf, why, sizeof(why));
	if (!*handle) {
		rd_kafka_conf_destroy(conf);
		dal_error_set(error, "kafka: %s", why);
		return -EINVAL;
	}
	return 0;
}
