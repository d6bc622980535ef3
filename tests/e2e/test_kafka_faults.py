"""Brokers that are killed, mute or back; engines that are killed; others in the group; retention."""

import os
import threading
import time

import pytest
from kafka_support import (  # noqa: F401
    OnKafka, binary, counts, log_of, on_kafka, refused, settle, stored, structured, totals,
    unique, wait_count,
)
from support.engine import Refused, wait_for

STRUCTURED = {"Content-Type": "application/cloudevents+json"}
PAUSE_S = int(os.environ.get("DALAMB_TEST_PAUSE_S", 15))  # 60 in "all"


@pytest.fixture
def on_own(engine, own_broker):
    return OnKafka(engine, own_broker)


class Producer(threading.Thread):
    """Sends one event after another, each until it is answered 2xx; notes what was."""

    def __init__(self, engine):
        super().__init__(daemon=True)
        self.engine, self.done = engine, False
        self.acknowledged, self.statuses, self.slowest_s = [], set(), 0

    def send(self, n):
        event = structured(id="e%d" % n, subject="s%d" % (n % 10), data=n)
        begun = time.monotonic()
        answer = self.engine.post("/v1/events", event, STRUCTURED)
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        self.statuses.add(answer.status)
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
            time.sleep(0.2)
        else:
            assert answer.status == 200, answer
            self.acknowledged.append(event["id"])
        return answer.status == 200

    def run(self):
        n = 0
        while not self.done:
            n += self.send(n)

    def finish(self):
        self.done = True
        self.join(60)
        assert not self.is_alive()


def check(one, producer, kafka):
    """Each that was acknowledged is on the log and folded once."""
    ids = [record.headers["ce_id"] for record in kafka.read(one.name + ".events")]
    assert set(producer.acknowledged) <= set(ids)
    settle(one)
    assert totals(one)["t"] == {"n": len(set(ids))}


def test_a_broker_that_is_killed_and_comes_back(on_own):
    one = on_own(unique("killed"))
    producer = Producer(one)
    producer.start()
    for _ in range(2):
        count = len(producer.acknowledged) + 50
        wait_for(lambda: len(producer.acknowledged) > count, 60, "fifty events")
        on_own.broker.kill()
        wait_for(lambda: log_of(one)["away"], 60, "word that the broker is away")
        wait_for(lambda: 503 in producer.statuses, 60, "a refusal")
        assert one.get("/readyz").status == 503 and one.get("/livez").status == 200
        assert any("broker" in item["what"].lower() or "log" in item["what"].lower()
                   for item in one.status()["attention"])
        on_own.broker.start()
        wait_for(lambda: not log_of(one)["away"], 60, "word that it is back")
    count = len(producer.acknowledged) + 50
    wait_for(lambda: len(producer.acknowledged) > count, 60, "fifty events more")
    producer.finish()
    assert producer.statuses <= {200, 503} and producer.slowest_s < 20
    wait_for(lambda: one.get("/readyz").status == 200, 30, "readiness")
    check(one, producer, on_own.kafka)


def test_a_broker_that_says_nothing(on_own):
    """Connections stay, answers don't come: slow it may be, but nothing is lost or twice."""
    one = on_own(unique("mute"))
    producer = Producer(one)
    producer.start()
    wait_for(lambda: len(producer.acknowledged) > 50, 60, "fifty events")
    on_own.broker.pause()
    begun = time.monotonic()
    wait_for(lambda: 503 in producer.statuses, 60, "a refusal")
    assert one.entry("counts", "t").status == 200  # queries go on
    while time.monotonic() - begun < PAUSE_S:
        assert one.get("/livez").status == 200
        time.sleep(0.5)
    on_own.broker.resume()
    count = len(producer.acknowledged) + 50
    wait_for(lambda: len(producer.acknowledged) > count, 60, "fifty events more")
    producer.finish()
    check(one, producer, on_own.kafka)


def test_a_stop_while_the_broker_is_away(on_own):
    one = on_own(unique("stopped"))
    one.send("t", 1)
    settle(one)
    on_own.broker.kill()
    wait_for(lambda: log_of(one)["away"], 60, "word that the broker is away")
    assert one.stop() == 0
    on_own.broker.start()
    one.start()
    assert totals(one) == {"t": {"n": 1}}


def test_engines_that_are_killed_go_on(on_kafka, kafka):
    """At once, by the id that they keep; from the position of their state, whatever Kafka's says."""
    one = on_kafka(unique("again"))
    for n in range(5):
        position = one.send("t", n)
        assert one.entry("counts", "t", position).json["value"] == {"n": n + 1}
        one.kill()
        begun = time.monotonic()
        one.start()
        assert time.monotonic() - begun < 8
        assert one.entry("counts", "t").json["value"] == {"n": n + 1}
    consumer = kafka.member(one.name + "-other", [one.name + ".events"])
    consumer.close()


def test_lost_states_are_folded_again(on_kafka):
    import shutil

    one = on_kafka(unique("lost"))
    for n in range(100):
        position = one.send("t", n)
    one.entry("counts", "t", position)
    one.kill()
    shutil.rmtree(one.data / "state")
    one.start()
    assert one.entry("counts", "t", position).json["value"] == {"n": 100}


# --- the group ---


def test_a_second_engine_is_refused(on_kafka, kafka):
    one = on_kafka(unique("single"))
    with pytest.raises(Refused) as caught:
        on_kafka(one.name)
    said = str(caught.value)
    assert one.name in said and "127.0.0.1" in said  # the group, and where the other is
    position = one.send("t", 1)
    assert one.entry("counts", "t", position).json["value"] == {"n": 1}
    one.kill()
    on_kafka(one.name, data=one.data)  # its own folder is its own id: at once


def test_after_a_stop_another_may_take_over(on_kafka):
    one = on_kafka(unique("moved"))
    one.send("t", 1)
    settle(one)
    assert one.stop() == 0
    other = on_kafka(one.name)
    settle(other)
    assert totals(other) == {"t": {"n": 1}}


def test_a_stranger_in_the_group_pauses_it(on_kafka, kafka):
    """Without all partitions it reads nothing, and says so; it goes on when it has them again."""
    one = on_kafka(unique("joined"), "partitions = 2", rules="")
    stranger = kafka.member(one.name, [one.name + ".events"], session_timeout_ms=6000)
    end = time.monotonic() + 60
    while not log_of(one)["paused"] and time.monotonic() < end:
        stranger.poll(0.2)
    log = log_of(one)
    assert log["paused"] and len(log["obstacle"]) > 20
    assert one.get("/readyz").status == 503
    sent = one.send("t", 1)
    topic, partition, offset = sent.split("/")
    for _ in range(10):
        stranger.poll(0.1)
        (lane,) = [lane for lane in one.status()["lanes"] if lane["lane"] == int(partition)]
        parts = {part["topic"]: part for part in lane["partitions"]}
        assert parts[topic]["next"] == offset
    stranger.close()
    wait_for(lambda: not log_of(one)["paused"], 60, "all partitions again")
    settle(one)
    assert one.get("/readyz").status == 200


# --- retention ---


def left_behind(on_kafka, kafka, policy):
    """An engine that was stopped while retention took what it had not read."""
    topic = kafka.create(unique("short"))
    one = on_kafka(
        unique("behind"), 'topics = { "%s" }, out_of_range = "%s"' % (topic, policy), counts(topic)
    )
    for n in range(10):
        kafka.write(topic, b"%d" % n, b"k", binary())
    settle(one)
    assert one.stop() == 0
    for n in range(10, 20):
        kafka.write(topic, b"%d" % n, b"k", binary())
    kafka.forget(topic, 15)
    one.start()
    return one, topic


def test_retention_halts_the_lane(on_kafka, kafka):
    one, topic = left_behind(on_kafka, kafka, "halt")
    halted = wait_for(lambda: one.status()["lanes"][0].get("halted"), what="the halt")
    assert topic in halted["position"] and "10" in halted["message"] + halted["position"]
    assert "earliest" in halted["message"] + halted["remedy"]
    assert totals(one)["t"] == {"n": 10}
    assert any("halted" in item["what"] for item in one.status()["attention"])


def test_retention_is_passed_by_policy(on_kafka, kafka):
    """Loud: an event says from where to where nothing was read."""
    one, topic = left_behind(on_kafka, kafka, "earliest")
    wait_count(one, "t", 15)
    told = wait_for(lambda: refused(one), what="word of the gap")
    (event,) = [event for position, event in told.items() if position.startswith(topic)]
    assert "10 to 14" in event["data"]["reason"]


def test_the_position_is_the_states(on_kafka, kafka):
    """What Kafka keeps for the group is a hint: set back, it changes nothing."""
    one = on_kafka(unique("hint"))
    for n in range(20):
        position = one.send("t", n)
    one.entry("counts", "t", position)
    assert one.stop() == 0
    wait_for(lambda: not kafka.members(one.name), 60, "the end of its membership", 0.5)
    kafka.commit(one.name, one.name + ".events", 3)
    one.start()
    position = one.send("t", "more")
    assert one.entry("counts", "t", position).json["value"] == {"n": 21}
