"""Records that are no events, apps and topics that don't fit: each is named, none stops the rest."""

import pytest
from kafka_support import (  # noqa: F401
    SYSTEM_RULES, binary, counts, dump, on_kafka, refused, settle, stored, structured, totals,
    unique, wait_count,
)
from neighbours.kafka import partition_of
from support.engine import Refused, wait_for

STRUCTURED = {"content-type": "application/cloudevents+json"}

# Of each what its reason must say.
BROKEN = {
    "structured, no JSON": (b'{"specversion": ', STRUCTURED, ""),
    "structured, without a type": (b'{"specversion":"1.0","id":"1","source":"/s"}', STRUCTURED, "type"),
    "structured, no value": (None, STRUCTURED, "no value"),
    "structured, version 0.3": (
        dump({"specversion": "0.3", "id": "1", "source": "/s", "type": "t"}), STRUCTURED, "specversion",
    ),
    "binary, without an id": (
        b"1", {"ce_specversion": "1.0", "ce_source": "/s", "ce_type": "t"}, "id",
    ),
    "binary, a time that is none": (b"1", binary(time="yesterday"), "time"),
    "binary, data that is no JSON": (b"{", binary(), ""),
    "binary, data and more": (b'1,"subject":"x"', binary(), ""),
    "binary, data that closes the event": (b'1},{"a":1', binary(), ""),
    "binary, a bad name": (b"1", {**binary(), "ce_Bad-Name": "x"}, "Bad-Name"),
    "binary, not UTF-8": (b"1", {**binary(), "ce_subject": b"\xff"}, "UTF-8"),
    "binary, lone surrogate": (b'"\\ud800"', binary(), ""),
    "binary, too deep": (b"[" * 70 + b"]" * 70, binary(), ""),
    "a batch": (b"[]", {"content-type": "application/cloudevents-batch+json"}, "batch"),
    "protobuf": (b"\x00", {"content-type": "application/cloudevents+protobuf"}, "JSON"),
    "type of ours": (b"1", binary("dalamb.function.succeeded"), "dalamb"),
    "too large": (b'"' + b"x" * 36000000 + b'"', binary(), ""),
}


def test_each_is_refused_and_the_rest_goes_on(on_kafka, kafka):
    topic = kafka.create(unique("broken"), max_message_bytes=40000000)
    one = on_kafka(
        unique("refusing"), 'topics = { "%s" }' % topic, counts(topic) + SYSTEM_RULES
    )
    producer = kafka.make_producer(message_max_bytes=40000000)
    for n, (value, headers, _) in enumerate(BROKEN.values()):
        kafka.write(topic, value, b"k", headers, producer=producer)
        kafka.write(topic, b"%d" % n, b"k", binary("good"))
    wait_count(one, "good", len(BROKEN))
    wait_for(lambda: len(refused(one)) == len(BROKEN), what="the last refusal")
    told = refused(one)
    for n, (name, (value, _, reason)) in enumerate(BROKEN.items()):
        event = told.get("%s/0/%d" % (topic, 2 * n))
        assert event, name
        assert event["subject"] == topic, name
        assert len(event["data"]["reason"]) > 10 and reason in event["data"]["reason"], (name, event)
        assert event["data"]["size"] == len(value or b""), name
    assert [event["data"] for event in stored(one, topic)] == list(range(len(BROKEN)))
    assert one.status()["lanes"][0]["refused"] == len(BROKEN)
    assert "dalamb_lane_refused_records_total" in one.get("/metrics").body.decode()
    settle(one)
    assert len(totals(one, "refused")) == len(BROKEN)  # and a rule reacts to it
    one.kill()
    one.start()
    settle(one)
    assert len(refused(one)) == len(BROKEN)


def test_wrong_keys_are_skipped(on_kafka, kafka):
    topic = kafka.create(unique("keyed"), 3)
    rules = counts(topic, "data.customer")
    one = on_kafka(unique("verified"), 'topics = { ["%s"] = { key = "data.customer" } }' % topic, rules)
    for n in range(30):
        customer = "c%d" % (n % 5)
        kafka.write(topic, dump({"customer": customer}), customer.encode(), binary())
    wrong = [
        kafka.write(topic, dump({"customer": "c1"}), b"c2", binary()),
        kafka.write(topic, dump({"customer": "c1"}), None, binary()),
        kafka.write(topic, dump({"customer": "c1"}), b"c1 ", binary()),
    ]
    elsewhere = (partition_of(b"c1", 3) + 1) % 3
    wrong.append(kafka.write(topic, dump({"customer": "c1"}), b"c1", binary(), partition=elsewhere))
    wait_for(lambda: len(refused(one)) >= len(wrong), what="four refusals")
    settle(one)
    assert totals(one) == {"c%d" % n: {"n": 6} for n in range(5)}
    told = refused(one)
    for partition, offset in wrong:
        assert "%s/%d/%d" % (topic, partition, offset) in told
    reasons = [event["data"]["reason"] for event in told.values()]
    assert all("data.customer" in reason or "partition" in reason for reason in reasons), reasons


def test_a_partitioner_that_is_another_one(on_kafka, kafka):
    """librdkafka's own default is CRC-32: said not to be, it is noticed at once."""
    topic = kafka.create(unique("other"), 3)
    one = on_kafka(unique("other"), 'topics = { ["%s"] = { key = "data.c" } }' % topic, rules="")
    producer = kafka.make_producer(partitioner="consistent_random")
    for n in range(30):
        key = "c%d" % n
        kafka.write(topic, dump({"c": key}), key.encode(), binary(), producer=producer)
    told = wait_for(lambda: refused(one), what="a refusal")
    assert all("crc32" in event["data"]["reason"] for event in told.values())


def test_keys_of_librdkafkas_partitioner(on_kafka, kafka):
    """Whoever partitions by CRC-32 is believed where the topic says so."""
    topic = kafka.create(unique("crc"), 3)
    rules = counts(topic, "data.customer")
    declared = 'topics = { ["%s"] = { key = "data.customer", partitioner = "crc32" } }' % topic
    one = on_kafka(unique("crc"), declared, rules)
    producer = kafka.make_producer(partitioner="consistent_random")
    for n in range(60):
        customer = "c%d" % (n % 20)
        kafka.write(topic, dump({"customer": customer}), customer.encode(), binary(), producer=producer)
    settle(one)
    assert totals(one) == {"c%d" % n: {"n": 3} for n in range(20)}
    assert refused(one) == {}
    for n in range(20):
        assert one.entry("counts", "c%d" % n).json["value"] == {"n": 3}


def test_a_wrong_key_halts_by_policy(on_kafka, kafka):
    topic = kafka.create(unique("strict"))
    declared = 'topics = { ["%s"] = { key = "data.c", on_wrong_key = "halt" } }' % topic
    one = on_kafka(unique("halting"), declared, counts(topic))
    kafka.write(topic, dump({"c": "a"}), b"a", binary())
    kafka.write(topic, dump({"c": "a"}), b"b", binary())
    kafka.write(topic, dump({"c": "a"}), b"a", binary())
    halted = wait_for(lambda: one.status()["lanes"][0].get("halted"), what="the halt")
    assert halted["position"] == topic + "/0/1" and halted["remedy"]
    assert totals(one) == {"t": {"n": 1}}
    assert any("halted" in item["what"] for item in one.status()["attention"])
    assert one.send("t")  # what comes in is taken all the same


def test_nobody_else_speaks_for_the_engine(on_kafka, kafka):
    """What it says of itself counts only in its own topics."""
    topic = kafka.create(unique("forged"))
    one = on_kafka(unique("own"), 'topics = { "%s" }' % topic, counts(topic) + SYSTEM_RULES)
    forged = structured("dalamb.record.refused", data={"position": "x", "reason": "forged", "size": 1})
    kafka.write(topic, dump(forged), headers=STRUCTURED)
    kafka.write(topic, b"1", headers=binary("t", dalambcause="events/0/1", dalambhops="3"))
    wait_for(lambda: refused(one), what="a refusal")
    settle(one)
    assert set(totals(one, "refused")) == {topic + "/0/0"}
    (event,) = [event for event in stored(one, topic) if event["type"] == "t"]
    assert totals(one)["t"] == {"n": 1}, event


# --- apps and topics ---


def refusal(on_kafka, *words, **more):
    with pytest.raises(Refused) as caught:
        on_kafka(*words, **more)
    return str(caught.value)


def test_a_topic_that_is_not_there(on_kafka):
    missing = unique("missing")
    said = refusal(on_kafka, unique("lacking"), 'topics = { "%s" }' % missing)
    assert missing in said and "--create" in said


def test_an_own_topic_that_loses_events(on_kafka, kafka):
    app = unique("lossy")
    kafka.create(app + ".events", 1, cleanup_policy="compact")
    said = refusal(on_kafka, app)
    assert app + ".events" in said and "compacted" in said and "cleanup.policy" in said


@pytest.mark.parametrize(
    "rules, part",
    [
        (counts(), "counts"),
        (
            'rule "r" { on = { type = "a" }, when = function(e) return view("v", e.subject) end,'
            ' emit = function() return nil end }\n'
            'projection "v" { version = 1, on = { topic = "events", type = "t" }, key = "data.k",'
            " fold = function(s, e) return { n = 1 } end }",
            "by",
        ),
    ],
)
def test_what_would_need_repartitioning(on_kafka, rules, part):
    said = refusal(
        on_kafka, unique("wide"),
        'partitions = 4, topics = { events = { key = "data.k" } }', rules=rules,
    )
    assert "rules/rules.lua:" in said and part in said


def test_partitions_that_were_added(on_kafka, kafka):
    """Keys would lie elsewhere than what was folded of them."""
    topic = kafka.create(unique("grown"), 2)
    one = on_kafka(unique("growing"), 'topics = { "%s" }' % topic, rules="")
    kafka.write(topic, b"1", b"k")
    settle(one)
    one.kill()
    kafka.add_partitions(topic, 3)
    with pytest.raises(Refused) as caught:
        one.start()
    assert topic in str(caught.value) or "partitions" in str(caught.value)


@pytest.mark.parametrize("name", ["acks", "enable.idempotence", "group.id", "isolation.level"])
def test_properties_that_would_break_a_promise(on_kafka, name):
    said = refusal(on_kafka, unique("props"), 'kafka = { ["%s"] = "1" }' % name)
    assert name in said


def test_a_property_that_does_not_exist(on_kafka):
    said = refusal(on_kafka, unique("props"), 'kafka = { ["no.such.thing"] = "1" }')
    assert "no.such.thing" in said


def test_no_broker(on_kafka):
    said = refusal(on_kafka, unique("alone"), address="127.0.0.1:1")
    assert "127.0.0.1:1" in said
