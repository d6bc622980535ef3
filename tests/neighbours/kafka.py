"""What others than dalamb do with a broker: topics made, records written and read."""

import subprocess
from collections import namedtuple

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from support.engine import wait_for

PATIENCE_S = 60
Record = namedtuple("Record", "topic partition offset key value headers time_ms")


def record(message):
    headers = {name: (value or b"").decode() for name, value in message.headers() or []}
    return Record(
        message.topic(), message.partition(), message.offset(), message.key(), message.value(),
        headers, message.timestamp()[1],
    )


def partition_of(key, partitions):
    """As Java's clients place a key: murmur2."""
    mask = 0xFFFFFFFF
    h = (0x9747B28C ^ len(key)) & mask
    for at in range(0, len(key) & ~3, 4):
        k = int.from_bytes(key[at : at + 4], "little") * 0x5BD1E995 & mask
        k = (k ^ (k >> 24)) * 0x5BD1E995 & mask
        h = (h * 0x5BD1E995 & mask) ^ k
    rest = key[len(key) & ~3 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * 0x5BD1E995 & mask
    h = (h ^ (h >> 13)) * 0x5BD1E995 & mask
    return ((h ^ (h >> 15)) & 0x7FFFFFFF) % partitions


class Kafka:
    """A client without any settings of its own; those in `more` are librdkafka's."""

    def __init__(self, address, **more):
        self.settings = {"bootstrap.servers": address, "log_level": 0}
        self.settings.update({name.replace("_", "."): value for name, value in more.items()})
        self.address = address
        self._admin = self._producer = None

    @property
    def admin(self):
        self._admin = self._admin or AdminClient(self.settings)
        return self._admin

    @property
    def producer(self):
        self._producer = self._producer or self.make_producer()
        return self._producer

    def make_producer(self, **more):
        more = {name.replace("_", "."): value for name, value in more.items()}
        return Producer({**self.settings, "partitioner": "murmur2_random", "linger.ms": 1, **more})

    # --- topics ---

    def create(self, topic, partitions=1, **config):
        config = {name.replace("_", "."): str(value) for name, value in config.items()}
        new = NewTopic(topic, partitions, 1, config=config)
        self.admin.create_topics([new])[topic].result(PATIENCE_S)
        wait_for(lambda: self.topics().get(topic) == partitions, what="topic " + topic)
        return topic

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(PATIENCE_S)

    def add_partitions(self, topic, total):
        self.admin.create_partitions([NewPartitions(topic, total)])[topic].result(PATIENCE_S)

    def topics(self):
        """How many partitions each has."""
        found = self.admin.list_topics(timeout=PATIENCE_S).topics
        return {name: len(topic.partitions) for name, topic in found.items()}

    def config(self, topic):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        found = self.admin.describe_configs([resource])[resource].result(PATIENCE_S)
        return {name: entry.value for name, entry in found.items()}

    def forget(self, topic, before, partition=0):
        """As retention does: what lies before this offset is gone."""
        place = TopicPartition(topic, partition, before)
        self.admin.delete_records([place])[place].result(PATIENCE_S)

    def deny(self, topic, user, operation=AclOperation.WRITE):
        """From now on the broker says no to this; all else is allowed still."""
        for verdict, what in (
            (AclPermissionType.ALLOW, AclOperation.ALL),
            (AclPermissionType.DENY, operation),
        ):
            kind, pattern = ResourceType.TOPIC, ResourcePatternType.LITERAL
            rule = AclBinding(kind, topic, pattern, "User:" + user, "*", what, verdict)
            self.admin.create_acls([rule])[rule].result(PATIENCE_S)

    def undeny(self, topic):
        kind, pattern = ResourceType.TOPIC, ResourcePatternType.LITERAL
        any, verdict = AclOperation.ANY, AclPermissionType.ANY
        rules = AclBindingFilter(kind, topic, pattern, None, None, any, verdict)
        self.admin.delete_acls([rules])[rules].result(PATIENCE_S)

    def members(self, group):
        found = self.admin.describe_consumer_groups([group])[group].result(PATIENCE_S)
        return found.members

    def commit(self, group, topic, offset):
        """Sets where a group without members stands in partition 0."""
        consumer = Consumer({**self.settings, "group.id": group})
        try:
            consumer.commit(offsets=[TopicPartition(topic, 0, offset)], asynchronous=False)
        finally:
            consumer.close()

    # --- records ---

    def write(self, topic, value, key=None, headers=None, partition=-1, producer=None, **more):
        """Returns once the broker has it; where it is."""
        producer = producer or self.producer
        places = []

        def done(error, message):
            places.append(error or (message.partition(), message.offset()))

        producer.produce(
            topic, value, key, partition, headers=headers or {}, on_delivery=done, **more
        )
        producer.flush(PATIENCE_S)
        if not places or not isinstance(places[0], tuple):
            raise AssertionError("not written: %s" % places)
        return places[0]

    def write_all(self, topic, records, producer=None):
        """(key, value, headers) each; as quickly as it goes."""
        producer = producer or self.producer
        errors = []
        for key, value, headers in records:
            while True:
                try:
                    producer.produce(
                        topic, value, key, headers=headers,
                        on_delivery=lambda error, _: errors.append(error) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        producer.flush(PATIENCE_S)
        assert not errors and len(producer) == 0, errors[:3]

    def ends(self, topic):
        """(first, next) offset of each partition."""
        consumer = Consumer({**self.settings, "group.id": "none"})
        try:
            count = self.topics()[topic]
            return [
                consumer.get_watermark_offsets(TopicPartition(topic, k), timeout=PATIENCE_S)
                for k in range(count)
            ]
        finally:
            consumer.close()

    def read(self, topic, committed=True):
        """All that is there now, partition by partition."""
        consumer = Consumer(
            {
                **self.settings,
                "group.id": "none",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed" if committed else "read_uncommitted",
                "auto.offset.reset": "earliest",
            }
        )
        records, open_partitions = [], set(range(self.topics()[topic]))
        try:
            consumer.assign([TopicPartition(topic, k, 0) for k in open_partitions])
            while open_partitions:
                message = consumer.poll(PATIENCE_S)
                assert message is not None, "nothing comes from " + topic
                if message.error():
                    assert message.error().name() == "_PARTITION_EOF", message.error()
                    open_partitions.discard(message.partition())
                else:
                    records.append(record(message))
        finally:
            consumer.close()
        return sorted(records, key=lambda one: (one.partition, one.offset))

    def member(self, group, topics, **more):
        """A consumer that joins a group, as anybody's does; poll() it."""
        more = {name.replace("_", "."): value for name, value in more.items()}
        consumer = Consumer(
            {**self.settings, "group.id": group, "auto.offset.reset": "latest", **more}
        )
        consumer.subscribe(list(topics))
        return consumer

    def kcat(self, *words, stdin=None):
        """Debian's kcat, as its users type it."""
        done = subprocess.run(
            ["kcat", "-b", self.address, *map(str, words)],
            input=stdin, capture_output=True, timeout=PATIENCE_S,
        )
        if done.returncode != 0:
            raise AssertionError("kcat %s: %s" % (words, done.stderr.decode(errors="replace")))
        return done.stdout
