"""Queries and tails, and who may ask."""

import hashlib
import http.client
import json
import subprocess
import time

import pytest
from support.apps import need
from support.engine import Refused, offset_of

APP = {
    "rules/rules.lua": """
projection "sums" {
  version = 1,
  on   = { type = "add" },
  key  = "data.key",
  init = { n = 0, sum = 0 },
  fold = function(state, event)
    state.n   = state.n + 1
    state.sum = state.sum + event.data.number
    return state
  end,
}
""",
}


@pytest.fixture
def one(engine):
    return engine(APP)


def add(engine, key, number=1):
    return engine.send("add", {"key": key, "number": number})


# --- projections ---


def test_read_your_own_write(one):
    """Each answer holds what was just sent, however fast one asks."""
    for n in range(1, 201):
        position = add(one, "k", n)
        entry = one.entry("sums", "k", position).json
        assert entry["value"]["n"] == n
        assert entry["value"]["sum"] == n * (n + 1) // 2
        assert entry["position"] == position
        assert int(entry["at"]) >= offset_of(position)
        assert entry["version"] == 1


def test_min_position_that_does_not_come(one):
    add(one, "k")
    answer = one.get("/v1/projections/sums/k?min-position=events/0/1000&timeout=200ms")
    assert answer.status == 504 and "1000" in answer.json["detail"]


def test_entries_by_prefix_range_and_page(one):
    keys = ["a%02d" % n for n in range(30)] + ["b/ü %", "b&=", "c"]
    for key in keys:
        last = add(one, key)
    one.entry("sums", "c", last)
    assert sorted(one.entries("sums")) == sorted(keys)

    def get(query):
        page = one.get("/v1/projections/sums?" + query).json
        return [entry["key"] for entry in page["entries"]], page.get("cursor")

    assert get("prefix=a")[0] == keys[:30]
    assert get("from=a05&to=a08")[0] == ["a05", "a06", "a07"]
    first, cursor = get("prefix=a&limit=20")
    rest, end = get("prefix=a&limit=20&cursor=" + cursor)
    assert first + rest == keys[:30] and end is None
    found = one.get("/v1/projections/sums/b%2F%C3%BC%20%25")
    assert found.status == 200 and found.json["key"] == "b/ü %"


def test_etag(one):
    position = add(one, "k")
    answer = one.entry("sums", "k", position)
    etag = {"If-None-Match": answer.headers["ETag"]}
    assert one.ask("GET", "/v1/projections/sums/k", headers=etag).status == 304
    one.entry("sums", "k", add(one, "k"))
    assert one.ask("GET", "/v1/projections/sums/k", headers=etag).status == 200


def test_what_is_not_there(one):
    add(one, "k")
    for target in ("/v1/projections/none", "/v1/projections/sums/none", "/v1/none"):
        answer = one.get(target)
        assert answer.status == 404, target
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert one.get("/v1/events?from=nonsense").status == 400
    assert one.get("/v1/projections/sums?limit=x").status == 400
    assert one.ask("DELETE", "/v1/events").status == 405


def test_survives_a_kill(one):
    for n in range(50):
        last = add(one, "k%d" % (n % 5), n)
    one.entry("sums", "k4", last)
    before = one.entries("sums")
    one.kill()
    one.start()
    assert {k: e["value"] for k, e in one.entries("sums").items()} == {
        k: e["value"] for k, e in before.items()
    }


def test_raised_version_is_built_before_ready(one, engine):
    for n in range(100):
        add(one, "k", n)
    assert one.stop() == 0
    rules = APP["rules/rules.lua"].replace("version = 1", "version = 2").replace("+ 1", "+ 2")
    changed = engine({"rules/rules.lua": rules}, data=one.data)
    entry = changed.entry("sums", "k").json
    assert entry["value"]["n"] == 200 and entry["version"] == 2


def test_changed_without_a_raised_version_is_refused(one, engine):
    add(one, "k")
    one.entry("sums", "k", add(one, "k"))
    assert one.stop() == 0
    rules = APP["rules/rules.lua"].replace("+ 1", "+ 2")
    changed = engine({"rules/rules.lua": rules}, data=one.data, start=False)
    with pytest.raises(Refused, match="sums.*version"):
        changed.start()


# --- events ---


def test_events_by_type_subject_place_and_time(one):
    sent = [one.send("t%d" % (n % 2), n, subject="s%d" % (n % 3)) for n in range(12)]
    assert [e["event"]["data"] for e in one.events(type="t1")] == [1, 3, 5, 7, 9, 11]
    assert [e["event"]["data"] for e in one.events(subject="s0")] == [0, 3, 6, 9]
    both = {"from": sent[3], "to": sent[6]}
    assert [e["event"]["data"] for e in one.events(topic="events", **both)] == [3, 4, 5]
    moment = one.events(type="t0")[2]["appended"]
    later = one.events(topic="events", **{"from": moment})
    assert [e["position"] for e in later] == sent[4:]
    assert one.events(**{"from": "-1h", "topic": "events", "limit": 2})[1]["position"] == sent[1]


def test_events_page_by_page(one):
    sent = [one.send("t", n) for n in range(25)]
    found, cursor = [], ""
    while True:
        page = one.get("/v1/events?topic=events&limit=10" + cursor).json
        found += [item["position"] for item in page["events"]]
        if "cursor" not in page:
            break
        cursor = "&cursor=" + page["cursor"]
    assert found == sent


class Tail:
    """A client of server-sent events, as browsers are: it comes back with the last id."""

    def __init__(self, engine, target="/v1/events?type=t"):
        self.engine, self.target, self.last = engine, target, None

    def open(self):
        headers = {"Accept": "text/event-stream"}
        if self.last:
            headers["Last-Event-ID"] = self.last
        self.connection = http.client.HTTPConnection("127.0.0.1", self.engine.port, timeout=30)
        self.connection.request("GET", self.target, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.headers["Content-Type"].startswith("text/event-stream")

    def next(self):
        fields = {}
        while True:
            line = self.response.readline().decode()
            if not line:
                raise EOFError
            name, _, value = line.strip().partition(": ")
            if not name and "data" in fields:
                self.last = fields["id"]
                return json.loads(fields["data"])
            if name:
                fields[name] = value


def test_tail_over_restarts(one):
    """Neither a gap nor a repeat, over an orderly stop and a kill."""
    tail = Tail(one)
    tail.open()
    sent, seen = [], []
    for stop in (one.stop, one.kill, None):
        for _ in range(5):
            sent.append(one.send("t"))
        seen += [tail.next()["position"] for _ in range(3 if stop else len(sent) - len(seen))]
        if stop:
            stop()
            one.start()
            sent.append(one.send("t"))
            tail.open()
    assert seen == sent


def test_tail_waits_for_what_comes(one):
    tail = Tail(one)
    tail.open()
    for n in range(20):
        position = one.send("t", n)
        assert tail.next()["position"] == position


def test_watch(one):
    """A snapshot, then each change."""
    one.entry("sums", "k", add(one, "k"))
    connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
    headers = {"Accept": "text/event-stream"}
    connection.request("GET", "/v1/projections/sums/k?watch", headers=headers)
    response = connection.getresponse()
    assert response.status == 200

    def value():
        while True:
            line = response.readline().decode()
            assert line, "the watch ended"
            if line.startswith("data: ") and "value" in line:
                return json.loads(line[6:])["value"]

    assert value() == {"n": 1, "sum": 1}
    add(one, "k", 5)
    assert value() == {"n": 2, "sum": 6}


# --- who may ask ---


def token_file(path, **scopes):
    tokens = {name: name + "-" + "0123456789abcdef" * 2 for name in scopes}
    path.mkdir(parents=True, exist_ok=True)
    lines = [
        "%s %s %s\n" % (name, scopes[name], hashlib.sha256(tokens[name].encode()).hexdigest())
        for name in scopes
    ]
    (path / "tokens").write_text("".join(lines))
    return tokens


REQUESTS = {
    "ingest": ("POST", "/v1/events", 415),
    "query": ("GET", "/v1/projections", 200),
    "admin": ("POST", "/v1/dead/retry", 400),
}


def test_tokens_and_scopes(engine, folder):
    scopes = {"producer": "ingest", "reader": "query", "both": "ingest,query", "root": "admin"}
    tokens = token_file(folder / "data", **scopes)
    one = engine(APP, data=folder / "data")
    for name, token in tokens.items():
        for scope, (method, target, status) in REQUESTS.items():
            one.token = token
            answer = one.ask(method, target)
            granted = scope in scopes[name].split(",")
            assert answer.status == (status if granted else 403), (name, scope, answer)
    one.token = None
    for method, target, _ in REQUESTS.values():
        answer = one.ask(method, target)
        assert answer.status == 401, answer
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert (
        one.get("/livez").status == one.get("/readyz").status == one.get("/healthz").status == 200
    )
    for wrong in ("", "x", tokens["root"][:-1], tokens["root"] + "0"):
        assert one.get("/v1/projections", {"Authorization": "Bearer " + wrong}).status == 401
    assert not any(token in one.said() for token in tokens.values())


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1.evil.example"},
    ],
)
def test_foreign_host_and_origin_are_refused(one, headers):
    """A web page, or a name that was pointed to this machine, posts nothing here."""
    answer = one.ask("GET", "/v1/projections", headers=headers)
    assert answer.status == 403, answer
    event = '{"specversion":"1.0","id":"1","source":"/s","type":"t"}'
    answer = one.ask(
        "POST", "/v1/events", event, {"Content-Type": "application/cloudevents+json", **headers}
    )
    assert answer.status == 403 and one.events(topic="events") == []


def test_listens_beyond_loopback_with_tokens_only(engine, folder):
    one = engine(APP, start=False)
    with pytest.raises(Refused, match="token"):
        one.start("0.0.0.0:%d" % one.port)
    tokens = token_file(one.data, root="query")
    one.token = tokens["root"]
    one.start("0.0.0.0:%d" % one.port)
    assert one.get("/v1/projections").status == 200


# --- operators ---


def test_metrics(one):
    for n in range(10):
        last = add(one, "k")
    one.entry("sums", "k", last)
    answer = one.get("/metrics")
    assert answer.status == 200
    assert b"dalamb_log_appended_events_total 1" in answer.body
    checked = subprocess.run(
        [need("promtool"), "check", "metrics"], input=answer.body, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr.decode()
    assert checked.stderr == b""


def test_status_of_one_at_rest(one):
    add(one, "k")
    one.drain()
    status = one.status()
    assert status["ready"] and status["lane"]["caught_up"]
    assert status["attention"] == [] and status["parked"] == []
    assert status["log"]["end"] == status["lane"]["at"]


def test_second_engine_on_the_same_data_is_refused(one, engine):
    second = engine(APP, data=one.data, start=False, log=one.data.parent / "second.log")
    with pytest.raises(Refused, match="another engine"):
        second.start()
    assert one.get("/readyz").status == 200


def test_address_in_use(one, engine):
    second = engine(APP, port=one.port, start=False)
    second.launch()
    assert second.process.wait(20) == 3
    assert str(one.port) in second.said()


def test_openapi(one):
    document = one.get("/openapi.json").json
    assert document["openapi"].startswith("3.")
    assert {"/v1/events", "/v1/projections/{name}", "/v1/dead"} <= set(document["paths"])


def test_idle_connections_do_not_hold_up_the_stop(one):
    idle = [http.client.HTTPConnection("127.0.0.1", one.port) for _ in range(20)]
    for connection in idle:
        connection.connect()
    tail = Tail(one)
    tail.open()
    began = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() - began < 30
