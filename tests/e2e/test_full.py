"""What happens when there is too much: refused with a word, bounded, nothing lost."""

import http.client
import json
import os
import socket
import threading
import time

import pytest
from support.apps import SANITIZED, function, lua
from support.engine import Refused, offset_of, wait_for
from support.mounts import mount, unmount

COUNT = """
projection "count" {
  version = 1,
  on   = { type = "t" },
  key  = "type",
  init = { n = 0 },
  fold = function(state, event) state.n = state.n + 1 return state end,
}
"""
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


def batch(prefix, number, events, size):
    pad = "x" * size
    return json.dumps(
        [
            {
                "specversion": "1.0",
                "id": "%s-%d-%d" % (prefix, number, n),
                "source": "/t",
                "type": "t",
                "data": pad,
            }
            for n in range(events)
        ]
    )


@pytest.fixture
def small_disk(folder):
    """A file system of 256 MB in memory."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a tmpfs")
    path = folder / "disk"
    path.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=256m", "none", path)
    except OSError as error:
        pytest.skip("a tmpfs can't be mounted here: %s" % error)
    yield path
    wait_for(lambda: unmounted(path), 10, "unmounting")


def unmounted(path):
    try:
        unmount(path)
        return True
    except OSError:
        return False


def test_disk_that_fills_up(small_disk, folder, engine):
    """Below the mark producers are refused, completions have room; with room again all goes on."""
    code = """
def handler(event, key):
    while not os.path.exists(%s):
        time.sleep(0.02)
    return "there was room"
""" % lua(folder / "go")
    app = {
        "dalamb.lua": 'limits { disk_free = "100MB" }',
        "rules/rules.lua": COUNT + 'rule "call" { on = { type = "go" }, call = "f" }',
        **function("f", code, timeout=lua("300s")),
    }
    one = engine(app, data=small_disk / "data")
    one.send("go", id="go")
    wait_for(lambda: any(f["running"] for f in one.status()["functions"]), what="the call")
    sent = one.ask("POST", "/v1/events", batch("a", 0, 10, 1000), BATCH).json["positions"]

    fill(small_disk, 80)

    def refused():
        answer = one.ask("POST", "/v1/events", batch("b", 0, 10, 1000), BATCH)
        assert answer.status in (200, 503), answer
        return answer.status == 503 and answer

    answer = wait_for(refused, 30, "a refusal", 0.1)
    assert int(answer.headers["Retry-After"]) >= 1
    assert "disk" in answer.json["detail"]
    assert one.get("/v1/projections").status == 200

    (folder / "go").touch()
    done = wait_for(lambda: one.events(type="dalamb.function.succeeded"), what="the completion")
    assert done[0]["event"]["data"]["result"] == "there was room"

    one.kill()
    one.launch()  # also on a full disk
    wait_for(lambda: says_full(one), what="that it is up, and not ready")
    assert any("disk" in item["what"] for item in one.status()["attention"])
    assert one.events(type="dalamb.function.succeeded") == done

    (small_disk / "filler").unlink()

    def taken():
        answer = one.ask("POST", "/v1/events", batch("c", 0, 10, 1000), BATCH)
        return answer.status == 200 and answer.json["positions"]

    last = wait_for(taken, 30, "room again", 0.1)[-1]
    on_log = [item["position"] for item in one.events(topic="events")]
    assert set(sent) < set(on_log) and last in on_log
    offsets = [offset_of(item["position"]) for item in one.events()]
    assert offsets == list(range(1, len(offsets) + 1))
    assert one.entry("count", "t", last).json["value"]["n"] == len(on_log) - 1


def says_full(one):
    try:
        answer = one.get("/readyz")
    except (OSError, http.client.HTTPException):
        return False
    return answer.status == 503 and "limits.disk_free" in answer.json["detail"]


def fill(disk, left_mb):
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with (disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - left_mb * 1000 * 1000)


def test_stop_on_a_disk_without_room_for_a_completion(small_disk, folder, engine):
    """The answer of a function can't be kept: the engine still stops, and asks again afterwards."""
    code = """
def handler(event, key):
    note(%s, key=key)
    while not os.path.exists(%s):
        time.sleep(0.02)
    note(%s, key=key)
    return "there was room"
""" % (
        lua(folder / "begun"),
        lua(folder / "go"),
        lua(folder / "ended"),
    )
    app = {
        "dalamb.lua": 'limits { disk_free = "100MB" }',
        "rules/rules.lua": 'rule "call" { on = { type = "go" }, call = "f", '
        'emit = function(event) return { type = "echoed" } end }',
        **function("f", code, timeout=lua("300s")),
    }
    one = engine(app, data=small_disk / "data")
    one.send("go")
    wait_for(lambda: (folder / "begun").exists(), what="the call")
    fill(small_disk, 20)
    tried = iter(range(10000))
    wait_for(
        lambda: one.ask("POST", "/v1/events", batch("x", next(tried), 1, 10), BATCH).status == 503,
        what="that the engine notices",
    )
    (folder / "go").touch()
    wait_for(lambda: (folder / "ended").exists(), what="the answer")
    time.sleep(0.5)  # it tries to keep it; were it kept, it would be there by now
    assert one.events(type="dalamb.function.succeeded") == []
    assert one.stop() == 0
    (small_disk / "filler").unlink()
    one.start()
    wait_for(lambda: one.events(type="dalamb.function.succeeded"), what="the completion")
    one.drain()
    assert len(one.events(type="dalamb.function.succeeded")) == 1
    assert len(one.events(type="echoed")) == 1
    keys = [json.loads(line)["key"] for line in (folder / "begun").read_text().splitlines()]
    assert len(keys) == 2 and len(set(keys)) == 1


def test_emits_wait_for_room(small_disk, engine):
    """No room for what rules emit: nothing is lost, nothing comes twice."""
    one = engine(
        {
            "dalamb.lua": 'limits { disk_free = "64MiB" }',
            "rules/rules.lua": """
rule "echo" {
  on   = { type = "t" },
  emit = function(event) return { type = "echoed", data = event.id } end,
}
""",
        },
        data=small_disk / "data",
    )
    sent = []
    for number in range(200):
        if number == 100:
            fill(small_disk, 20)
        answer = one.ask("POST", "/v1/events", batch("e", number, 20, 100), BATCH)
        assert answer.status in (200, 503), answer
        if answer.status == 200:
            sent += ["e-%d-%d" % (number, n) for n in range(20)]
    assert len(sent) >= 100 * 20
    assert one.stop() == 0
    (small_disk / "filler").unlink()
    one.start()
    wait_for(lambda: len(one.events(type="echoed")) >= len(sent), 30, "all emits", 0.1)
    one.drain()
    assert sorted(i["event"]["data"] for i in one.events(type="echoed")) == sorted(sent)


def test_disk_too_full_to_start(small_disk, engine):
    """An error that says what to do, no crash; with room again it goes on."""
    one = engine(
        {"dalamb.lua": 'limits { disk_free = "100MB" }', "rules/rules.lua": COUNT},
        data=small_disk / "data",
    )
    one.ask("POST", "/v1/events", batch("a", 0, 10, 1000), BATCH)
    assert one.stop() == 0
    fill(small_disk, 0)
    with pytest.raises(Refused, match="make room"):
        one.start()
    assert one.process.returncode == 3
    (small_disk / "filler").unlink()
    one.start()
    assert one.entries("count")["t"]["value"]["n"] == 10


def test_overload(engine):
    """Many producers, large bodies: each is answered, the refused too; the log has what was
    acknowledged and no gap; memory stays in its bounds."""
    one = engine({"rules/rules.lua": COUNT})
    answers, peak, done = [], [], threading.Event()

    def produce(thread):
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=120)
        for number in range(3):
            body = batch("t%d" % thread, number, 40, 100000)
            connection.request("POST", "/v1/events", body, BATCH)
            response = connection.getresponse()
            answers.append(
                (thread, number, response.status, dict(response.headers), response.read())
            )
            if response.status != 200:
                connection.close()  # as it was refused before it was read
        connection.close()

    def watch():
        while not done.is_set():
            peak.append(one.resident_kb())
            time.sleep(0.02)

    threads = [threading.Thread(target=produce, args=(n,)) for n in range(48)]
    watcher = threading.Thread(target=watch)
    watcher.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    watcher.join()

    assert len(answers) == 48 * 3
    taken = 0
    for thread, number, status, headers, body in answers:
        assert status in (200, 429, 503), (status, body)
        if status == 200:
            taken += len(json.loads(body)["positions"])
        else:
            assert int(headers["Retry-After"]) >= 1
    last = one.send("t")
    entry = wait_for(lambda: (a := one.entry("count", "t", last)).status == 200 and a.json, 60)
    assert entry["value"]["n"] == taken + 1
    end = one.events(**{"from": last})[0]["position"]
    assert end == last
    if not SANITIZED:
        assert max(peak) < 1000 * 1024, "%d MB" % (max(peak) // 1024)


def begin_post(engine, body):
    """A request that lacks the last byte of its body."""
    client = socket.create_connection(("127.0.0.1", engine.port), timeout=60)
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        "Content-Type: application/cloudevents-batch+json\r\nContent-Length: %d\r\n\r\n"
    )
    client.sendall((head % (engine.port, len(body))).encode())
    try:
        client.sendall(body[:-1])
    except OSError:
        pass  # refused already
    return client


def finish_post(client, body):
    """Status, headers and body of the answer."""
    try:
        client.sendall(body[-1:])
    except OSError:
        pass
    response = http.client.HTTPResponse(client)
    response.begin()
    answer = response.status, response.headers, json.loads(response.read())
    client.close()
    return answer


def test_more_bodies_than_memory_is_meant_for(engine):
    """Slow producers with large bodies, all at once: those past the bound are told to come again."""
    one = engine({"rules/rules.lua": COUNT})
    bodies = [batch("s%d" % n, 0, 15, 1000 * 1000).encode() for n in range(24)]
    clients = [begin_post(one, body) for body in bodies]
    held_kb = one.resident_kb()
    answers = [finish_post(client, body) for client, body in zip(clients, bodies)]
    taken = [body for status, _, body in answers if status == 200]
    refused = [(headers, body) for status, headers, body in answers if status == 503]
    assert len(taken) + len(refused) == 24 and len(taken) >= 12 and len(refused) >= 1
    for headers, body in refused:
        assert int(headers["Retry-After"]) >= 1 and body["detail"]
    last = one.send("t")
    assert one.entry("count", "t", last).json["value"]["n"] == 15 * len(taken) + 1
    on_log = {item["position"] for item in one.events(topic="events")}
    assert all(set(body["positions"]) <= on_log for body in taken)
    if not SANITIZED:
        assert held_kb < 600 * 1024


def test_more_connections_than_an_address_may_have(engine):
    one = engine({"rules/rules.lua": COUNT})
    idle = []
    try:
        for _ in range(700):
            idle.append(socket.create_connection(("127.0.0.1", one.port), timeout=20))
        for client in idle[:5]:  # those that came in time are served
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        for client in idle:
            client.close()

    def served():
        try:
            return one.get("/livez").status == 200
        except (OSError, http.client.HTTPException):
            return False

    wait_for(served, what="room for another connection")
