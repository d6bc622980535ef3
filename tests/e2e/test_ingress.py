"""POST /v1/events, as clients send it."""

import base64
import json
import socket
import subprocess
import threading

import pytest
from cloudevents.conversion import to_binary, to_structured
from cloudevents.http import CloudEvent
from support.apps import SANITIZED, need
from support.engine import offset_of

APP = {
    "dalamb.lua": 'log { topics = { "orders" } }\nlimits { event = "64KiB", body = "1MiB" }',
    "rules/rules.lua": """
projection "count" {
  version = 1,
  on   = { type = prefix "t" },
  key  = "type",
  init = { n = 0 },
  fold = function(state, event) state.n = state.n + 1 return state end,
}
""",
}
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"


@pytest.fixture
def one(engine):
    return engine(APP)


def event(n=1, **more):
    return {"specversion": "1.0", "id": "i%d" % n, "source": "/s", "type": "t", "data": n, **more}


def send(engine, media, body, **headers):
    body = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return engine.ask("POST", "/v1/events", body, {"Content-Type": media, **headers})


def stored(engine):
    return [item["event"] for item in engine.events(topic="events")]


# --- modes ---


def test_structured(one):
    sent = event(subject="s", time="2026-01-02T03:04:05Z", myext="x", data={"a": [1, None, "ü"]})
    answer = send(one, STRUCTURED + "; charset=utf-8", sent)
    assert answer.status == 200
    position = answer.json["position"]
    assert stored(one) == [sent]
    assert position == "events/0/%d" % offset_of(position)


def test_binary_with_curl(one):
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "a%20b",
        "ce-source": "/curl",
        "ce-type": "t",
        "ce-myext": "Euro%20%E2%82%AC",
        "content-type": "application/json",
    }
    command = [need("curl"), "-sS", one.url + "/v1/events", "-d", '{"x": 1}']
    for header in headers.items():
        command += ["-H", "%s: %s" % header]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert answer["position"].startswith("events/0/")
    (found,) = stored(one)
    assert (found["id"], found["myext"], found["data"]) == ("a b", "Euro €", {"x": 1})


def test_binary_bytes(one):
    blob = bytes(range(256))
    headers = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
    assert send(one, "application/octet-stream", blob, **headers).status == 200
    (found,) = stored(one)
    assert base64.b64decode(found["data_base64"]) == blob and "data" not in found


def test_batch(one):
    answer = send(one, BATCH, [event(n) for n in range(50)])
    assert answer.status == 200
    offsets = [offset_of(position) for position in answer.json["positions"]]
    assert offsets == list(range(offsets[0], offsets[0] + 50))
    assert stored(one) == [event(n) for n in range(50)]


def test_batch_is_all_or_nothing(one):
    answer = send(one, BATCH, [event(1), {"id": "no type"}, event(3)])
    assert answer.status == 400 and stored(one) == []
    assert "1" in answer.json["detail"]  # which one


@pytest.mark.parametrize("convert", [to_binary, to_structured])
def test_python_sdk(one, convert):
    made = CloudEvent({"type": "t", "source": "/sdk", "subject": "s"}, {"a": "ü"})
    headers, body = convert(made)
    answer = one.ask("POST", "/v1/events", body, headers)
    assert answer.status == 200, answer
    (found,) = stored(one)
    assert (found["id"], found["subject"], found["data"]) == (made["id"], "s", {"a": "ü"})


def test_ndjson(one):
    body = (
        "".join(json.dumps(event(n)) + "\n" for n in range(100)) + '{"bad"\n' + json.dumps(event(7))
    )
    answer = send(one, NDJSON, body)
    assert answer.status == 400  # what was good is kept all the same
    told = answer.json
    assert (told["accepted"], told["repeated"], told["refused"]) == (100, 1, 1)
    assert told["errors"][0]["line"] == 101 and told["errors"][0]["detail"]
    assert len(stored(one)) == 100
    assert offset_of(told["last"]) - offset_of(told["first"]) == 99


def test_topics(one):
    answer = one.ask(
        "POST", "/v1/events?topic=orders", json.dumps(event()), {"Content-Type": STRUCTURED}
    )
    assert answer.json["position"].startswith("orders/0/")
    refused = one.ask(
        "POST", "/v1/events?topic=system", json.dumps(event()), {"Content-Type": STRUCTURED}
    )
    assert refused.status == 400
    assert len(one.events(topic="orders")) == 1


def test_ndjson_of_any_length_in_constant_memory(one):
    """200,000 events of 320 bytes, chunked: 64 MB in one request."""
    count, piece = 200000, 500
    line = '{"specversion":"1.0","id":"%d","source":"/s","type":"t","data":"' + "x" * 250 + '"}\n'
    peak = []

    def body():
        for start in range(0, count, piece):
            yield "".join(line % n for n in range(start, start + piece)).encode()
            if start % 20000 == 0:
                peak.append(one.resident_kb())

    answer = one.ask("POST", "/v1/events", body(), {"Content-Type": NDJSON}, timeout=120)
    assert answer.status == 200, answer
    assert answer.json["accepted"] == count
    entry = one.entry("count", "t", answer.json["last"])
    assert entry.json["value"] == {"n": count}
    if not SANITIZED:
        assert max(peak[2:]) - peak[1] < 64 * 1024, peak


# --- repeats ---


def test_the_same_event_again(one):
    first = send(one, STRUCTURED, event()).json
    again = send(one, STRUCTURED, event()).json
    assert again == {"position": first["position"], "repeated": True}
    assert send(one, STRUCTURED, event(source="/other")).json["position"] != first["position"]
    assert len(stored(one)) == 2


def test_repeats_are_known_after_a_kill(one):
    first = send(one, BATCH, [event(n) for n in range(3)]).json
    one.kill()
    one.start()
    again = send(one, BATCH, [event(n) for n in range(4)]).json
    assert again["positions"][:3] == first["positions"]
    assert len(stored(one)) == 4


def test_idempotency_key(one):
    key = {"Idempotency-Key": "k-1"}
    first = send(one, STRUCTURED, event(1), **key).json
    again = send(one, STRUCTURED, event(1), **key).json
    assert again == {"position": first["position"], "repeated": True}
    other = send(one, STRUCTURED, event(2), **key)
    assert other.status == 422 and "Idempotency-Key" in other.json["detail"]
    assert len(stored(one)) == 1


def test_the_same_event_from_many_at_once(one):
    """However they race, it is there once, and all are told the same place."""
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(send(one, STRUCTURED, event()).json))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["position"] for answer in answers}) == 1
    assert len(stored(one)) == 1


# --- what is refused, and how ---

REFUSED = {
    "no content type": (415, None, "{}", {}),
    "another type": (415, "text/plain", "{}", {}),
    "protobuf": (415, "application/cloudevents+protobuf", b"\0", {}),
    "latin": (415, STRUCTURED + "; charset=latin1", "{}", {}),
    "compressed": (415, STRUCTURED, b"\x1f\x8b", {"Content-Encoding": "gzip"}),
    "no JSON": (400, STRUCTURED, '{"specversion": "1.0", ', {}),
    "duplicate key": (400, STRUCTURED, json.dumps(event())[:-1] + ', "id": "2"}', {}),
    "lone surrogate": (400, STRUCTURED, json.dumps(event())[:-1] + ', "subject": "\\ud800"}', {}),
    "number out of range": (400, STRUCTURED, json.dumps(event())[:-1] + ', "x": 1e999}', {}),
    "too deep": (400, STRUCTURED, event(data=json.loads("[" * 70 + "]" * 70)), {}),
    "no type": (400, STRUCTURED, {"specversion": "1.0", "id": "1", "source": "/s"}, {}),
    "version 0.3": (400, STRUCTURED, event(specversion="0.3"), {}),
    "type of ours": (400, STRUCTURED, event(type="dalamb.function.succeeded"), {}),
    "attribute of ours": (400, STRUCTURED, event(dalambcause="events/0/1"), {}),
    "extension with a dash": (400, STRUCTURED, event(**{"a-b": "x"}), {}),
    "time that is none": (400, STRUCTURED, event(time="yesterday"), {}),
    "both data": (400, STRUCTURED, event(data_base64="AA=="), {}),
    "too large an event": (413, STRUCTURED, event(data="x" * 70000), {}),
    "too large a body": (413, BATCH, [event(n, data="x" * 30000) for n in range(50)], {}),
    "an array as one event": (400, STRUCTURED, [event()], {}),
    "an object as a batch": (400, BATCH, event(), {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(one, name):
    status, media, body, headers = REFUSED[name]
    body = body if isinstance(body, (str, bytes)) else json.dumps(body)
    if media:
        headers = {"Content-Type": media, **headers}
    answer = one.ask("POST", "/v1/events", body, headers)
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json["status"] == status and len(answer.json["detail"]) > 10
    assert stored(one) == []


def test_position_of_a_mistake(one):
    text = '{"specversion": "1.0", "id": "1", "id": "2"}'
    answer = send(one, STRUCTURED, text)
    assert answer.json["position"] == text.rindex('"id"')


def test_ambiguous_requests(one):
    """What other servers between might read otherwise is refused, and the connection closed."""
    body = b"{}"
    heads = [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Host: other\r\nContent-Length: 2\r\n",
        b"X-Nul: a\0b\r\nContent-Length: 2\r\n",
    ]
    for head in heads:
        with socket.create_connection(("127.0.0.1", one.port), timeout=20) as client:
            client.sendall(
                b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                + head
                + b"\r\n"
                + body
            )
            answer = b""
            while piece := client.recv(4096):
                answer += piece
        assert answer.split()[1] == b"400", (head, answer)


def test_webhook_handshake(one):
    answer = one.ask("OPTIONS", "/v1/events", headers={"WebHook-Request-Origin": "example.com"})
    assert answer.status == 200
    assert answer.headers["WebHook-Allowed-Origin"] == "example.com"
    assert "POST" in answer.headers["Allow"]
