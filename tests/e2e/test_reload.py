"""Hot reload: other rules while events flow; all of them or none, no event lost or matched twice."""

import os
import shutil
import signal
import threading

import pytest

from cli_support import DONE, NO, dalamb
from support.apps import function, lua
from support.engine import wait_for
from test_functions import completions

DIGESTS = 64

# What it emits says which rules made it, twice: half of one set and half of another would show.
RULES = """
rule "first"  { on = { type = "tick" }, emit = function(e) return { type = "first",  data = { n = e.data.n, set = %(set)d } } end }
rule "second" { on = { type = "tick" }, emit = function(e) return { type = "second", data = { n = e.data.n, set = %(set)d } } end }
projection "ticks" {
  version = 1, on = { type = "tick" }, key = "data.k", init = { n = 0, sum = 0 },
  fold = function(s, e) s.n = s.n + 1 s.sum = s.sum + e.data.n return s end,
}
"""
COUNT = """
projection "totals" {
  version = %d, on = { type = "tick" }, key = "data.k", init = { n = 0 },
  fold = function(s, e) s.n = s.n + %d return s end,
}
"""


def write(engine, name, text):
    """As an editor does: the new file takes the old one's place."""
    path = engine.app / name
    path.parent.mkdir(exist_ok=True)
    part = path.with_name("." + path.name + ".part")
    part.write_text(text)
    os.replace(part, path)


def reload(engine, status=200):
    answer = engine.ask("POST", "/v1/reload", timeout=120)
    assert answer.status == status, answer
    return answer.json


def number(engine):
    return engine.status()["generation_number"]


def loaded(engine):
    return [
        item["event"]["data"]
        for item in engine.events(topic="system", type="dalamb.app.loaded")
    ]


class Producer(threading.Thread):
    """Posts batches of ticks until it is told to stop."""

    def __init__(self, engine, size=20):
        super().__init__()
        self.engine, self.size = engine, size
        self.sent, self.failed, self.over = 0, None, threading.Event()

    def run(self):
        try:
            while not self.over.is_set():
                if self.sent % 200 == 0:  # a slow build's lane is not left far behind
                    wait_for(lambda: self.engine.status()["lag_events"] < 2000, 60)
                self.batch()
        except Exception as error:  # told by whoever waits
            self.failed = error

    def batch(self):
        events = [
            {"specversion": "1.0", "id": "t%d" % n, "source": "/t", "type": "tick",
             "data": {"n": n, "k": "k%d" % (n % 7)}}
            for n in range(self.sent, self.sent + self.size)
        ]
        answer = self.engine.post(
            "/v1/events", events, {"Content-Type": "application/cloudevents-batch+json"})
        assert answer.status == 200, answer
        self.sent += self.size

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
        if self.failed:
            raise self.failed


def offset(position):
    return int(position.rsplit("/", 1)[1])


# --- exactly one generation an event ---


def test_each_event_is_matched_by_one_set(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    with Producer(one) as producer:
        for k in range(2, 52):
            write(one, "rules/r.lua", RULES % {"set": k})
            done = reload(one)
            assert done["changed"] and done["generation_number"] == k
    one.drain()
    begins = [data["from"]["*"] for data in loaded(one)]
    assert begins == sorted(begins) and len(begins) == 51

    made = {"first": {}, "second": {}}
    causes = {item["event"]["data"]["n"]: offset(item["position"])
              for item in one.events(type="tick")}
    assert sorted(causes) == list(range(producer.sent))
    for type, by_event in made.items():
        for item in one.events(type=type):
            data = item["event"]["data"]
            assert data["n"] not in by_event, "matched twice: %s" % data
            by_event[data["n"]] = data["set"]
        assert sorted(by_event) == list(range(producer.sent)), "lost"
    assert made["first"] == made["second"], "by half a set"
    for n, place in causes.items():
        assert made["first"][n] == sum(begin <= place for begin in begins), (n, place)
    assert len(set(made["first"].values())) > 20  # the events did come in between
    entries = one.entries("ticks")
    assert sum(entry["value"]["n"] for entry in entries.values()) == producer.sent
    assert sum(entry["value"]["sum"] for entry in entries.values()) == sum(range(producer.sent))


def test_reloads_at_once_go_one_after_the_other(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    answers = []
    with Producer(one) as producer:
        askers = [threading.Thread(target=lambda: answers.append(reload(one))) for _ in range(8)]
        write(one, "rules/r.lua", RULES % {"set": 2})
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
    assert [a["generation_number"] for a in answers] == [2] * 8
    assert sum(a["changed"] for a in answers) == 1
    one.drain()
    assert len(one.events(type="first")) == producer.sent
    assert len(loaded(one)) == 2


# --- refused ---


def test_a_broken_file_changes_nothing(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    before = one.status()["generation"]
    write(one, "rules/a.lua", 'rule "x" { on = { type = 1 }, typo = 2, call = "nobody" }\n')
    write(one, "rules/b.lua", "rule 'y' {\n")
    problem = one.ask("POST", "/v1/reload")
    assert problem.status == 422
    assert problem.headers["Content-Type"] == "application/problem+json"
    errors = problem.json["errors"]
    assert {(e["file"], e["line"]) for e in errors} >= {("rules/a.lua", 1), ("rules/b.lua", 2)}
    assert any("typo" in e["text"] for e in errors)

    told = dalamb("reload", "--url", one.url)
    assert told.status == NO, told
    for error in errors:
        assert "%s:%d: %s" % (error["file"], error["line"], error["text"]) in told.err

    assert one.status()["generation"] == before
    failed = one.status()["reload"]["failed"]
    assert failed["errors"] == errors and failed["by"] == "POST /v1/reload"
    one.entry("ticks", "k1", one.send("tick", {"n": 1, "k": "k1"}))
    assert [i["event"]["data"]["set"] for i in wait_for(lambda: one.events(type="first"))] == [1]

    (one.app / "rules/a.lua").unlink()
    (one.app / "rules/b.lua").unlink()
    assert dalamb("reload", "--url", one.url).status == DONE
    assert "failed" not in one.status()["reload"]
    assert len(loaded(one)) == 1, "nothing has changed"


@pytest.mark.parametrize("line", [
    'app "other"', 'log { topics = { jobs = {} } }', 'http { dedup = "1h" }', "limits { rows = 9 }",
])
def test_what_needs_a_restart_is_refused(engine, line):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    write(one, "dalamb.lua", line + "\n")
    write(one, "rules/r.lua", RULES % {"set": 2})
    errors = reload(one, 422)["errors"]
    assert errors and all("restart" in error["text"] for error in errors), errors
    assert all(error["file"] == "dalamb.lua" for error in errors)
    assert number(one) == 1


def test_a_signal_reloads_and_a_failure_shows(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    write(one, "rules/r.lua", RULES % {"set": 2})
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: number(one) == 2, what="the second generation")
    write(one, "rules/r.lua", "rule {")
    one.process.send_signal(signal.SIGHUP)
    failed = wait_for(lambda: one.status()["reload"].get("failed"), what="the failure")
    assert failed["by"] == "SIGHUP" and failed["errors"][0]["file"] == "rules/r.lua"
    assert "rules/r.lua:1" in one.said()
    assert any("SIGHUP" in item["what"] for item in one.status()["attention"])
    told = dalamb("status", "--url", one.url)
    assert "generation 2" in told.out and "dalamb check" in told.out, told
    assert number(one) == 2


# --- projections ---


def test_new_raised_changed_and_removed_projections(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    with Producer(one) as producer:
        wait_for(lambda: producer.sent > 500)
        write(one, "rules/totals.lua", COUNT % (1, 1))
        reload(one)  # new: built from the log's history
        assert one.entries("totals")["k1"]["value"]["n"] > 0
        write(one, "rules/totals.lua", COUNT % (1, 10))
        errors = reload(one, 422)["errors"]  # changed, not raised
        assert "Raise `version` to 2" in errors[0]["text"]
        write(one, "rules/totals.lua", COUNT % (2, 10))
        reload(one)  # raised
    one.drain()
    entries = one.entries("totals")
    assert sum(e["value"]["n"] for e in entries.values()) == 10 * producer.sent
    assert {e["version"] for e in entries.values()} == {2}
    (one.app / "rules/totals.lua").unlink()
    reload(one)
    assert one.get("/v1/projections/totals").status == 404
    assert len(one.events(type="first")) == producer.sent, "no rule fired for history"


def test_a_version_that_comes_back_misses_nothing(engine):
    one = engine({"rules/totals.lua": COUNT % (1, 1)})
    one.send("tick", {"n": 1, "k": "a"})
    for version in [2, 1, 2, 1]:
        write(one, "rules/totals.lua", COUNT % (version, version))
        reload(one)
        last = one.send("tick", {"n": 1, "k": "a"})
        one.entry("totals", "a", last)
    assert one.entry("totals", "a", last).json["value"]["n"] == 5
    one.kill()
    write(one, "rules/totals.lua", COUNT % (2, 2))  # another one than ran, after a crash
    one.start()
    assert one.entry("totals", "a", last).json["value"]["n"] == 10


def test_a_rebuild_gives_what_reloads_made(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}, "rules/totals.lua": COUNT % (1, 1)})
    with Producer(one):
        for k in range(2, 8):
            write(one, "rules/r.lua", RULES % {"set": k})
            write(one, "rules/totals.lua", COUNT % (k, k))
            reload(one)
    one.drain()
    before = one.entries("ticks"), one.entries("totals"), len(one.events(type="first"))
    one.kill()
    shutil.rmtree(one.data / "state")
    one.start()
    one.drain()
    after = one.entries("ticks"), one.entries("totals"), len(one.events(type="first"))
    value = lambda entries: {key: entry["value"] for key, entry in entries.items()}
    assert value(after[0]) == value(before[0]) and value(after[1]) == value(before[1])
    assert after[2] == before[2], "emitted again"
    assert number(one) == 7, "counted on"


def test_a_watch_goes_on_or_ends(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}, "rules/totals.lua": COUNT % (1, 1)})
    one.entry("totals", "a", one.send("tick", {"n": 1, "k": "a"}))
    streams = {}

    def watch(name):
        answer = one.ask("GET", "/v1/projections/%s/a?watch=true" % name, timeout=60)
        streams[name] = answer.body.decode()

    watchers = {name: threading.Thread(target=watch, args=(name,)) for name in ("ticks", "totals")}
    for watcher in watchers.values():
        watcher.start()
    write(one, "rules/totals.lua", COUNT % (2, 2))
    wait_for(lambda: one.status()["ready"])
    reload(one)
    watchers["totals"].join(30)
    assert not watchers["totals"].is_alive(), "its version is another's now"
    one.send("tick", {"n": 5, "k": "a"})
    assert watchers["ticks"].is_alive()
    one.entry("ticks", "a", one.send("tick", {"n": 5, "k": "a"}))
    one.stop()
    watchers["ticks"].join(30)
    assert '"sum":11' in streams["ticks"], streams


# --- halted ---


def test_other_rules_let_a_halted_lane_go_on(engine):
    broken = """
rule "strict" { on = { type = "tick" }, on_error = "halt",
  when = function(e) return e.data.n.x.y end, emit = function(e) return { type = "out" } end }
"""
    one = engine({"rules/r.lua": broken})
    one.send("tick", {"n": 1})
    wait_for(lambda: "halted" in one.status()["lane"], what="the halt")
    write(one, "rules/r.lua", broken.replace("e.data.n.x.y", "e.data.n == 1"))
    reload(one)
    wait_for(lambda: one.events(type="out"), what="the event that halted")
    assert "halted" not in one.status()["lane"]


# --- functions ---

CODE = """
def handler(event, key):
    if event["data"] == "slow":
        time.sleep(1.5)
    return "%s"
"""
CROWD = 100
CALL = 'rule "call" { on = { type = "go" }, call = "f" }\n'


def answers_come_to_be(engine, result):
    """The old version serves until the new one is up."""

    def ask():
        engine.send("go", "x")
        return any(done.get("result") == result for done in completions(engine))

    wait_for(ask, what="an answer of the new version", every_s=0.1)


def rewrite(engine, files):
    for name, text in files.items():
        write(engine, name, text)


def test_functions_come_change_and_go(engine):
    one = engine({"rules/r.lua": CALL, **function("f", "import time\n" + CODE % "one")})
    one.send("go", "a")
    wait_for(lambda: len(completions(one)) == 1)
    one.send("go", "slow")
    wait_for(lambda: any(f["running"] for f in one.status()["functions"]))
    (one.app / "functions/f.lua").unlink()
    rewrite(one, {
        "rules/r.lua": CALL.replace('"f"', '"g"'),
        **function("g", "import time\n" + CODE % "two"),
    })
    reload(one)
    one.send("go", "b")
    done = wait_for(lambda: len(completions(one)) == 3 and completions(one), what="all three")
    by_name = {(d["name"], d.get("result")): d for d in done}
    assert set(by_name) == {("f", "one"), ("g", "two")} and len(done) == 3
    assert [d["generation_number"] for d in done if d["name"] == "f"] == [1, 1]
    assert by_name["g", "two"]["generation_number"] == 2
    assert all(len(d["generation"]) == DIGESTS for d in done)
    assert by_name["g", "two"]["generation"] == one.status()["generation"]
    assert [f["name"] for f in one.status()["functions"] if f.get("version")] == ["g"]

    rewrite(one, function("g", "import time\n" + CODE % "three"))  # other code alone
    assert not reload(one)["changed"]
    answers_come_to_be(one, "three")
    assert number(one) == 2


def test_rows_of_a_function_that_is_gone_are_dead(engine):
    code = 'import os\ndef handler(event, key):\n    raise RuntimeError("not yet")\n'
    one = engine({"rules/r.lua": CALL, **function("f", code, attempts=50, backoff='"10s"')})
    one.send("go", "a")
    wait_for(lambda: any(f["retrying"] for f in one.status()["functions"]), what="a retry")
    (one.app / "functions/f.lua").unlink()
    write(one, "rules/r.lua", CALL.replace('call = "f"', 'emit = function() return nil end'))
    reload(one)
    dead = wait_for(one.dead, limit_s=60, what="the dead letter")
    assert [d["reason"] for d in dead] == ["gone"]
    assert dead[0]["generation_number"] == 1


def crowd(k):
    """Functions that change with k: it takes a moment to give them to pool and dispatch."""
    return {"functions/crowd.lua": "".join(
        'func "crowd%d" { command = { "/bin/true" }, sandbox = false, env = { K = "%d" } }\n'
        % (i, k) for i in range(CROWD)),
        **{"functions/crowd%d/program" % i: "" for i in range(CROWD)}}


def test_a_function_comes_back(engine):
    """Rows of its new generation wait until dispatch has it, however long that takes."""
    files = {"rules/r.lua": RULES % {"set": 1}, **function("f", "import time\n" + CODE % "one")}
    call = 'rule "back%d" { on = { type = "tick" }, call = "f" }\n'
    one = engine({**files, **crowd(0), "rules/call.lua": call % 0})
    one.send("tick", {"n": 0, "k": "a"})
    wait_for(lambda: len(completions(one)) == 1)
    sent = 0
    for k in range(1, 11):
        (one.app / "functions/f.lua").unlink()
        (one.app / "rules/call.lua").unlink()
        reload(one)
        rewrite(one, {**files, "rules/call.lua": call % k,
                      "functions/crowd.lua": crowd(k)["functions/crowd.lua"]})
        producer = Producer(one, size=60)
        producer.sent = sent
        with producer:
            back = reload(one)["generation_number"]
            sent = producer.sent
            wait_for(lambda: producer.sent > sent + 100)
        sent = producer.sent
        one.drain(60)
        assert back in {d["generation_number"] for d in completions(one)}
        assert one.dead() == []


def test_secrets_are_read_again(engine, folder):
    (folder / "secrets").mkdir()
    (folder / "secrets/KEY").write_text("old")
    code = 'import os\ndef handler(event, key):\n    return os.environ["KEY"]\n'
    files = function("f", code, env='{ KEY = secret "KEY" }')
    one = engine({"rules/r.lua": CALL, **files},
                 env={"DALAMB_SECRETS": str(folder / "secrets")})
    one.send("go")
    wait_for(lambda: [d["result"] for d in completions(one)] == ["old"])
    (folder / "secrets/KEY").write_text("new")
    reload(one)
    answers_come_to_be(one, "new")


# --- run --dev ---


def test_dev_reloads_as_files_change(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}, "rules/totals.lua": COUNT % (1, 1)},
                 args=["--dev"])
    one.entry("totals", "a", one.send("tick", {"n": 1, "k": "a"}))
    write(one, "rules/totals.lua", COUNT % (1, 10))  # changed, not raised: rebuilt
    wait_for(lambda: number(one) == 2, what="the reload")
    wait_for(lambda: one.entry("totals", "a").json["value"]["n"] == 10, what="the rebuild")
    write(one, "rules/totals.lua", "projection {")
    wait_for(lambda: one.status()["reload"].get("failed"), what="the failure")
    write(one, "rules/totals.lua", COUNT % (1, 5))
    wait_for(lambda: number(one) == 3, what="the next reload")
    wait_for(lambda: one.entry("totals", "a").json["value"]["n"] == 5, what="the rebuild")
    assert one.entries("ticks")["a"]["value"]["n"] == 1


SLOW = """
projection "totals" {
  version = %d, on = { type = "tick" }, key = "data.k", init = { n = 0 },
  fold = function(s, e) for i = 1, %d do s.n = s.n + 0 end s.n = s.n + 1 return s end,
}
"""


def is_at(engine, generation):
    """It may not listen yet."""
    try:
        return number(engine) == generation
    except OSError:
        return False


@pytest.mark.parametrize("dev", [True, False])
def test_a_change_while_projections_are_built_is_loaded_afterwards(engine, dev):
    one = engine({"rules/r.lua": RULES % {"set": 1}, "rules/totals.lua": SLOW % (1, 1)},
                 args=["--dev"] if dev else [])
    producer = Producer(one, size=1000)
    for _ in range(4):
        producer.batch()
    one.drain()
    one.stop()
    write(one, "rules/totals.lua", SLOW % (2, 50000))
    one.launch()
    wait_for(lambda: is_at(one, 2), what="the start")
    write(one, "rules/r.lua", RULES % {"set": 2})
    if not dev:
        one.process.send_signal(signal.SIGHUP)
    failed = wait_for(lambda: one.status()["reload"].get("failed"), what="that it is too early")
    assert "being built" in failed["errors"][0]["text"], failed
    assert one.get("/readyz").status == 503
    wait_for(lambda: number(one) == 3, 60, what="the change")
    assert "failed" not in one.status()["reload"]
    one.send("tick", {"n": 1, "k": "a"})
    wait_for(lambda: {i["event"]["data"]["set"] for i in one.events(type="first")} == {1, 2})


# --- stop and crash ---


def test_a_stop_amid_reloads(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    for k in range(2, 6):
        with Producer(one) as producer:
            wait_for(lambda: producer.sent > 100)
        write(one, "rules/r.lua", RULES % {"set": k})
        one.process.send_signal(signal.SIGHUP)
        assert one.stop() == 0
        one.start()
    one.drain()
    assert len({i["event"]["id"] for i in one.events(type="first")}) == len(
        one.events(type="tick"))


def test_a_crash_amid_reloads(engine):
    one = engine({"rules/r.lua": RULES % {"set": 1}})
    sent = 0
    for k in range(2, 22):
        producer = Producer(one, size=60)
        producer.sent = sent
        producer.start()
        write(one, "rules/r.lua", RULES % {"set": k})
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: producer.sent > sent + 40 or producer.failed)
        one.kill()
        producer.join()
        sent = producer.sent + producer.size  # the last one may be there or not
        one.start()
    one.drain()
    ticks = {i["event"]["data"]["n"]: offset(i["position"]) for i in one.events(type="tick")}
    made = {}
    for type in ("first", "second"):
        for item in one.events(type=type):
            data = item["event"]["data"]
            assert (type, data["n"]) not in made, "matched twice"
            made[type, data["n"]] = data["set"]
    for n in ticks:
        assert made["first", n] == made["second", n], "by half a set"
    entries = one.entries("ticks")
    assert sum(e["value"]["n"] for e in entries.values()) == len(ticks)
