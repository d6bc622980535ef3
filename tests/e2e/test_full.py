"""What happens when there is too much: refused with a word, bounded, nothing lost."""

import http.client
import json
import os
import threading
import time

import pytest
from conftest import SANITIZED, function, lua
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

    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    with (small_disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - 80 * 1000 * 1000)

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
    one.start()  # also on a full disk
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


def test_disk_too_full_to_start(small_disk, engine):
    """An error that says what to do, no crash; with room again it goes on."""
    one = engine(
        {"dalamb.lua": 'limits { disk_free = "100MB" }', "rules/rules.lua": COUNT},
        data=small_disk / "data",
    )
    one.ask("POST", "/v1/events", batch("a", 0, 10, 1000), BATCH)
    assert one.stop() == 0
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    with (small_disk / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free)
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
