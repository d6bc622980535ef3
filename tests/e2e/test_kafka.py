"""Kafka as the log: what the engine writes, what it reads, and how both are asked for."""

import base64
import http.client
import json
import subprocess
import urllib.parse

import pytest
from kafka_support import (  # noqa: F401
    binary, counts, dump, on_kafka, refused, settle, stored, structured, totals, unique, wait_count,
)
from support.apps import function, need
from support.engine import PROGRAM, wait_for

STRUCTURED = "application/cloudevents+json"


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


# --- what the engine writes ---


def test_ingress_is_read_by_kcat(on_kafka, kafka):
    """CloudEvents in binary mode, to the letter: attributes are headers, the value is the data."""
    need("kcat")
    one = on_kafka(unique("out"))
    sent = structured(
        "order.placed", "o 1", subject="s-1", time="2026-01-02T03:04:05Z", myext="Ünï",
        datacontenttype="application/json", data={"a": 1},
    )
    answer = one.post("/v1/events", sent, {"Content-Type": STRUCTURED})
    assert answer.status == 200 and answer.json == {"position": "events/0/0"}
    (record,) = lines(kafka.kcat("-C", "-t", one.name + ".events", "-o", "beginning", "-e", "-J"))
    headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
    attributes = {name: text for name, text in sent.items() if not name.startswith("data")}
    assert {name[3:]: t for name, t in headers.items() if name.startswith("ce_")} == attributes
    assert headers["content-type"] == "application/json"
    assert (record["key"], json.loads(record["payload"])) == ("s-1", {"a": 1})
    assert (record["partition"], record["offset"]) == (0, 0)
    assert one.events(topic="events")[0]["event"] == sent


def test_data_in_base64_is_bytes_there(on_kafka, kafka):
    one = on_kafka(unique("bytes"))
    blob = bytes(range(256))
    sent = structured(
        datacontenttype="image/x", data_base64=base64.b64encode(blob).decode(), partitionkey="p"
    )
    assert one.post("/v1/events", sent, {"Content-Type": STRUCTURED}).status == 200
    (record,) = kafka.read(one.name + ".events")
    assert (record.value, record.key) == (blob, b"p")
    assert record.headers["content-type"] == "image/x"
    assert stored(one) == [sent]


def test_batches_and_lines(on_kafka, kafka):
    one = on_kafka(unique("batch"), "partitions = 3", rules="")
    batch = [structured(id="b%d" % n, subject="s%d" % (n % 7), data=n) for n in range(50)]
    media = {"Content-Type": "application/cloudevents-batch+json"}
    positions = one.post("/v1/events", batch, media).json["positions"]
    records = {(r.partition, r.offset): r for r in kafka.read(one.name + ".events")}
    for event, position in zip(batch, positions):
        topic, partition, offset = position.split("/")
        assert topic == "events"
        assert records[int(partition), int(offset)].headers["ce_id"] == event["id"]
    assert len({position.split("/")[1] for position in positions}) > 1
    body = "".join(json.dumps(structured(id="l%d" % n, data=n)) + "\n" for n in range(500))
    answer = one.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
    assert (answer.status, answer.json["accepted"]) == (200, 500)
    assert len(kafka.read(one.name + ".events")) == 550


def test_own_topics_are_made(on_kafka, kafka):
    one = on_kafka(unique("made"), "partitions = 5", rules="")
    assert {name: n for name, n in kafka.topics().items() if name.startswith(one.name)} == {
        one.name + ".events": 5,
        one.name + ".system": 5,
    }
    for topic in (".events", ".system"):
        config = kafka.config(one.name + topic)
        assert int(config["max.message.bytes"]) >= 25 * 1024 * 1024
        assert config["cleanup.policy"] == "delete" and int(config["retention.ms"]) == -1


def test_as_wide_as_the_widest_topic(on_kafka, kafka):
    topic = kafka.create(unique("orders"), 4)
    one = on_kafka(unique("wide"), log='topics = { "%s" }' % topic, rules="")
    assert kafka.topics()[one.name + ".events"] == 4
    assert len(one.status()["lanes"]) == 4


def test_a_large_event(on_kafka, kafka):
    """What is accepted fits; what is not is refused, as on the embedded log."""
    one = on_kafka(unique("large"))
    position = one.send("t", "x" * 1000000)
    assert one.entry("counts", "t", position).json["value"] == {"n": 1}
    event = structured(data="x" * 1100000)
    assert one.post("/v1/events", event, {"Content-Type": STRUCTURED}).status == 413
    assert len(kafka.read(one.name + ".events")) == 1


# --- what it reads ---


@pytest.fixture
def reader(on_kafka, kafka):
    """An engine that reads a topic of others."""
    topic = kafka.create(unique("orders"))
    declared = 'topics = { ["%s"] = { type = "order.raw", source = "/shop" } }' % topic
    one = on_kafka(unique("in"), declared, counts(topic))
    one.topic = topic
    return one


def test_forms(reader, kafka):
    """Binary, structured with and without a content type, JSON, bytes, nothing."""
    structured_type = {"content-type": STRUCTURED + "; charset=UTF-8"}
    in_structure = structured(id="s", data={"x": [1, None]}, subject="k")
    plain = structured(id="p", data=7)
    sent = [
        (b"k", dump({"a": 1}), binary(id="b", subject="k", time="2026-01-02T03:04:05Z")),
        (b"k", dump(in_structure), structured_type),
        (None, dump(plain), {}),
        (b"key", b'{"order": 1}', {}),
        (b"key", b"no JSON \xff", {}),
        (None, None, {}),
        (b"gone", None, {}),
        (None, b'"text"', binary(id="without key")),
        (None, b"\x00\x01", {**binary(id="octets"), "content-type": "application/octet-stream"}),
        (None, None, binary(id="no data")),
        (b"\xff\x00", b"5", {}),
    ]
    for key, value, headers in sent:
        kafka.write(reader.topic, value, key, headers)
    settle(reader)
    found = stored(reader, reader.topic)
    assert len(found) == len(sent)
    assert found[0]["data"] == {"a": 1} and found[0]["id"] == "b" and found[0]["subject"] == "k"
    assert found[0]["datacontenttype"] == "application/json"
    assert found[1] == in_structure and found[2] == plain
    wrapped = found[3]
    assert (wrapped["type"], wrapped["source"]) == ("order.raw", "/shop")
    assert (wrapped["id"], wrapped["subject"]) == (reader.topic + "/0/3", "key")
    assert wrapped["data"] == {"order": 1} and wrapped["time"].endswith("Z")
    assert base64.b64decode(found[4]["data_base64"]) == b"no JSON \xff" and "data" not in found[4]
    assert "data" not in found[5] and "subject" not in found[5]
    assert "data" not in found[6] and found[6]["subject"] == "gone"
    assert (found[7]["data"], found[7]["id"]) == ("text", "without key")
    assert base64.b64decode(found[8]["data_base64"]) == b"\x00\x01"
    assert "data" not in found[9] and found[9]["id"] == "no data"
    assert found[10]["data"] == 5 and "subject" not in found[10]
    assert refused(reader) == {}
    assert totals(reader) == {"t": {"n": 6}, "order.raw": {"n": 5}}


def test_lists_have_what_is_folded(reader, kafka):
    """Nobody who has seen an event's effect looks for it in vain."""
    for count in range(100, 1100, 100):
        kafka.write_all(reader.topic, [(b"k", b"%d" % n, {}) for n in range(100)])
        wait_count(reader, "order.raw", count)
        assert len(stored(reader, reader.topic)) == count


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed(reader, kafka, codec):
    need("kcat")
    text = "".join('{"n": %d, "text": "%s"}\n' % (n, "x" * 100) for n in range(200))
    kafka.kcat("-P", "-t", reader.topic, "-z", codec, "-k", "key", stdin=text.encode())
    producer = kafka.make_producer(compression_type=codec)
    kafka.write_all(reader.topic, [(b"k", b"%d" % n, {}) for n in range(200)], producer)
    wait_count(reader, "order.raw", 400)
    assert [event["data"] for event in stored(reader, reader.topic)[200:]] == list(range(200))


def test_transactions(reader, kafka):
    """What was aborted never happened; control records and gaps are no events."""
    producer = kafka.make_producer(transactional_id=unique("tx"))
    producer.init_transactions()
    for n in range(10):
        producer.begin_transaction()
        for item in range(5):
            producer.produce(reader.topic, b"%d" % (n * 5 + item), b"k")
        producer.flush()
        if n % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    wait_count(reader, "order.raw", 25)
    wanted = [n * 5 + item for n in range(0, 10, 2) for item in range(5)]
    assert [event["data"] for event in stored(reader, reader.topic)] == wanted
    settle(reader)
    producer.begin_transaction()
    producer.produce(reader.topic, b"-1", b"k")
    producer.flush()
    kafka.write(reader.topic, b"-2", b"k")
    assert reader.entry("counts", "order.raw").json["value"] == {"n": 25}  # it is open still
    producer.commit_transaction()
    wait_count(reader, "order.raw", 27)


def test_compacted_topic(on_kafka, kafka):
    """Gaps of any size."""
    topic = kafka.create(
        unique("compacted"), cleanup_policy="compact", min_cleanable_dirty_ratio="0.0",
        segment_ms=100, max_compaction_lag_ms=100, delete_retention_ms=0,
    )
    for n in range(60):
        kafka.write(topic, b"%d" % n, b"key-%d" % (n % 3))
    kafka.write(topic, b"60", b"other")
    wait_for(lambda: kafka.write(topic, b"61", b"last") and len(kafka.read(topic)) < 30, 60)
    one = on_kafka(unique("gaps"), 'topics = { "%s" }' % topic, counts(topic))
    assert topic + " is compacted" in one.said()
    settle(one)

    def the_same():
        found = [event["data"] for event in stored(one, topic)]
        return found == [int(record.value) for record in kafka.read(topic)]

    wait_for(the_same, what="the same list by both")  # compaction may go on between them


# --- repeats ---


def test_a_repeat_is_folded_once(on_kafka, kafka):
    """Both are on the log, the second one is dropped by the lane that reads it."""
    one = on_kafka(unique("repeat"))
    event = structured(id="same", data=1)
    first = one.post("/v1/events", event, {"Content-Type": STRUCTURED}).json["position"]
    again = one.post("/v1/events", event, {"Content-Type": STRUCTURED}).json["position"]
    assert (first, again) == ("events/0/0", "events/0/1")
    assert one.entry("counts", "t", again).json["value"] == {"n": 1}
    assert one.status()["lanes"][0]["repeats"] == 1
    assert len(kafka.read(one.name + ".events")) == 2
    one.kill()
    one.start()
    third = one.post("/v1/events", event, {"Content-Type": STRUCTURED}).json["position"]
    assert one.entry("counts", "t", third).json["value"] == {"n": 1}


def test_repeats_of_others_are_events(reader, kafka):
    for _ in range(3):
        kafka.write(reader.topic, b"1", b"k", binary(id="same"))
    wait_count(reader, "t", 3)


def test_idempotency_key(on_kafka):
    """A repeat counts once; another body under the same key is another one, as it was answered."""
    one = on_kafka(unique("idempotent"))
    bodies = [structured(subject="s", data=n) for n in (1, 2)]
    for body in bodies + bodies:
        headers = {"Content-Type": STRUCTURED, "Idempotency-Key": "k-1"}
        answer = one.post("/v1/events", body, headers)
        assert answer.status == 200
    assert one.entry("counts", "t", answer.json["position"]).json["value"] == {"n": 2}


# --- functions ---

CALLING = """
rule "call" { on = { type = "go" }, call = "double" }
rule "tell" {
  on   = { type = "dalamb.function.succeeded", data = { name = "double" } },
  emit = function(event) return { type = "doubled", data = event.data.result } end,
}
"""
DOUBLE = """
def handler(event, key):
    if event["data"] == "bad":
        raise RuntimeError("bad")
    return 2 * event["data"]
"""


@pytest.mark.parametrize("partitions", [1, 3])
def test_functions_and_emits(on_kafka, kafka, partitions):
    files = function("double", DOUBLE, attempts=2, backoff='"10ms"')
    one = on_kafka(unique("calls"), "partitions = %d" % partitions, CALLING, files=files)
    causes = [one.send("go", n) for n in range(20)]
    bad = one.send("go", "bad")
    one.drain()
    done = one.events(topic="system", type="dalamb.function.succeeded")
    assert sorted(item["event"]["dalambcause"] for item in done) == sorted(causes)
    doubled = one.events(topic="events", type="doubled")
    assert sorted(item["event"]["data"] for item in doubled) == [2 * n for n in range(20)]
    assert all(item["event"]["dalambhops"] == 2 for item in doubled)
    (failed,) = one.events(topic="system", type="dalamb.function.failed")
    assert failed["event"]["dalambcause"] == bad and len(failed["event"]["data"]["tries"]) == 2
    (letter,) = one.dead()
    row = urllib.parse.unquote(letter["row"])
    assert row.startswith(one.status()["log"]["id"] + "/" + bad)
    one.kill()
    one.start()
    one.drain()
    assert len(one.events(topic="events", type="doubled")) == 20
    records = kafka.read(one.name + ".events")
    assert len([r for r in records if r.headers["ce_type"] == "doubled"]) == 20


# --- how it is asked ---


def command(engine, *words):
    done = subprocess.run(
        [str(PROGRAM), *map(str, words), "--url", engine.url],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done
    return done.stdout


def test_tails_have_a_bound(on_kafka):
    """Each is a consumer: the ninth is refused, and the engine goes on."""
    one = on_kafka(unique("tails"))
    tails = [http.client.HTTPConnection("127.0.0.1", one.port, timeout=30) for _ in range(8)]
    for tail in tails:
        tail.request("GET", "/v1/events", headers={"Accept": "text/event-stream"})
        assert tail.getresponse().status == 200
    answer = one.get("/v1/events")
    assert answer.status == 503 and "end a tail" in answer.json["detail"]
    assert answer.headers["Retry-After"] == "1"
    one.send("t")
    wait_count(one, "t", 1)
    for tail in tails:
        tail.close()
    wait_for(lambda: one.get("/v1/events").status == 200, 60, "room for a list")


def test_commands(on_kafka, kafka):
    topic = kafka.create(unique("clicks"), 2)
    declared = 'partitions = 2, topics = { ["%s"] = { key = "data.user" } }' % topic
    one = on_kafka(unique("asked"), declared, counts(topic, "data.user"))
    for n in range(40):
        user = "u%d" % (n % 4)
        kafka.write(topic, dump({"user": user}), user.encode(), binary("click", "c%d" % n))
    settle(one)
    command(one, "emit", "note", "--data", "1")
    tail = lines(command(one, "tail", "--since", "-1h", "--format", "json"))
    assert sorted(i["event"]["id"] for i in tail if i["event"]["type"] == "click") == sorted(
        "c%d" % n for n in range(40)
    )
    assert [i for i in tail if i["event"]["type"] == "note"]
    entries = lines(command(one, "query", "counts", "--format", "json"))
    assert {entry["key"]: entry["value"]["n"] for entry in entries} == {
        "u%d" % n: 10 for n in range(4)
    }
    assert "10" in command(one, "query", "counts", "u1")
    assert "counts" in command(one, "explain", topic + "/0/0")
    status = command(one, "status")
    assert topic in status and "kafka" in status
    replayed = lines(
        command(one, "replay", one.app, "--from", "-1h", "--projections", "--format", "json")
    )
    assert {
        line["key"]: line["value"]["n"] for line in replayed if line.get("projection") == "counts"
    } == {"u%d" % n: 10 for n in range(4)}


def test_pages_and_cursors(on_kafka):
    """However it is cut, each event is listed once, those of a partition in order."""
    one = on_kafka(unique("pages"), log="partitions = 3", rules="")
    sent = [one.send("t", n, subject="s%d" % (n % 9)) for n in range(90)]
    found, cursor = [], ""
    while True:
        page = one.get("/v1/events?topic=events&limit=7" + cursor).json
        found += [item["position"] for item in page["events"]]
        if "cursor" not in page:
            break
        cursor = "&cursor=" + page["cursor"]
    assert sorted(found) == sorted(sent)
    for partition in range(3):
        part = [int(p.split("/")[2]) for p in found if p.split("/")[1] == str(partition)]
        assert part == list(range(len(part)))


def test_metrics_and_lag(on_kafka, kafka):
    topic = kafka.create(unique("lag"))
    one = on_kafka(unique("metrics"), 'topics = { "%s" }' % topic, counts(topic))
    for n in range(5):
        kafka.write(topic, b"%d" % n)
    settle(one)
    (lane,) = one.status()["lanes"]
    parts = {part["topic"]: part for part in lane["partitions"]}
    assert parts[topic]["next"] == parts[topic]["end"] == "5"
    page = one.get("/metrics").body.decode()
    assert 'dalamb_partition_next_offset{topic="%s",partition="0"} 5' % topic in page
    assert 'dalamb_partition_lag_events{topic="%s",partition="0"} 0' % topic in page
    done = subprocess.run(
        [need("promtool"), "check", "metrics"], input=page, capture_output=True, text=True
    )
    assert done.returncode == 0, done
