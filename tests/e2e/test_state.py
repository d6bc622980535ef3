"""State is derived: deleted, raised, halted, of rules that changed: what is folded again, what is
called again, and what is not."""

import json
import shutil

from support.apps import function, lua
from support.engine import offset_of, wait_for, write_app
from test_functions import completions, lines

JOURNALED = """
def handler(event, key):
    note(os.environ["JOURNAL"], key=key, data=event["data"])
    if event["data"] == "bad" or not os.path.exists(os.environ["JOURNAL"] + ".go"):
        raise RuntimeError("bad")
    return event["data"]
"""
RULES = """
rule "call" { on = { type = "go" }, call = "f" }
rule "echo" {
  on   = { type = "echo" },
  emit = function(event) return { type = "echoed", data = event.data } end,
}
projection "echoes" {
  version = 1,
  on   = { type = "echoed" },
  key  = "type",
  init = { n = 0 },
  fold = function(state, event) state.n = state.n + 1 return state end,
}
"""


def app_of(folder, rules=RULES, **fields):
    files = function("f", JOURNALED, env="{ JOURNAL = %s }" % lua(folder / "journal"), **fields)
    return {"rules/rules.lua": rules, **files}


def delete_state(engine):
    engine.kill()
    shutil.rmtree(engine.data / "state")
    engine.start()


def served(engine):
    try:
        return engine.get("/livez").status == 200
    except OSError:
        return False


def settled_calls(engine):
    return sorted(str(done["result"]) for done in completions(engine))


# --- state/ deleted ---


def test_nothing_settled_is_called_again(engine, folder):
    (folder / "journal.go").touch()
    one = engine(app_of(folder, attempts=1))
    for n in range(50):
        one.send("go", n)
        one.send("echo", n)
    one.send("go", "bad")
    one.drain()
    dead = one.dead()
    assert len(dead) == 1 and len(lines(folder / "journal")) == 51
    for _ in range(3):
        delete_state(one)
        one.drain()
        assert len(lines(folder / "journal")) == 51
        assert len(one.events(type="echoed")) == 50
        assert one.entries("echoes")["echoed"]["value"] == {"n": 50}
        assert [letter["row"] for letter in one.dead()] == [dead[0]["row"]]
        assert one.dead()[0]["reason"] == "attempts"


def test_what_was_open_is_called_after_all(engine, folder):
    """Rows that wait for a retry when the state is lost are made again, with the same ids."""
    one = engine(app_of(folder, backoff=lua("60s"), attempts=9))
    for n in range(20):
        one.send("go", n)
    wait_for(lambda: len(lines(folder / "journal")) == 20, what="twenty tries")
    keys = {line["key"] for line in lines(folder / "journal")}
    (folder / "journal.go").touch()
    delete_state(one)
    wait_for(lambda: len(completions(one)) == 20, what="twenty completions")
    assert {done["row"] for done in completions(one)} == keys
    assert settled_calls(one) == sorted(str(n) for n in range(20))


def test_a_rule_of_today_calls_nothing_for_yesterday(engine, folder):
    one = engine(app_of(folder, rules='rule "other" { on = { type = "x" }, call = "f" }'))
    for n in range(10):
        one.send("go", n)
    one.drain()
    assert one.stop() == 0
    (folder / "journal.go").touch()
    write_app(one.app, {"rules/rules.lua": RULES})
    one.start()
    one.drain()
    assert lines(folder / "journal") == []
    delete_state(one)
    one.drain()
    assert lines(folder / "journal") == []
    one.send("go", "new")
    wait_for(lambda: settled_calls(one) == ["new"], what="the new one's completion")


def test_many_open_rows_over_a_lost_state(engine, folder):
    """More than a checkpoint lists."""
    one = engine(app_of(folder, order="false", backoff=lua("60s"), attempts=9, max=2))
    body = "".join(
        json.dumps({"specversion": "1.0", "id": str(n), "source": "/t", "type": "go", "data": n})
        + "\n"
        for n in range(2500)
    )
    last = one.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"}).json[
        "last"
    ]
    one.get("/v1/projections/echoes?min-position=" + last)
    assert one.stop() == 0  # writes a checkpoint
    (folder / "journal.go").touch()
    shutil.rmtree(one.data / "state")
    one.start()
    wait_for(lambda: len(completions(one)) == 2500, 100, "all completions", 0.2)
    one.drain()
    done = [item["result"] for item in completions(one)]
    assert sorted(done) == list(range(2500))


def test_foreign_state_is_refused(engine, folder):
    one, two = engine(app_of(folder)), engine(app_of(folder))
    one.send("echo", 1)
    two.send("echo", 2)
    one.drain()
    two.drain()
    assert one.stop() == 0 and two.stop() == 0
    shutil.rmtree(one.data / "state")
    shutil.copytree(two.data / "state", one.data / "state")
    one.launch()
    assert one.process.wait(30) == 3
    assert "belongs to the log" in one.said() and "delete the state" in one.said()


def test_log_that_lost_its_end_is_refused(engine, folder):
    one = engine(app_of(folder))
    one.send("echo", 1)
    one.drain()
    assert one.stop() == 0
    shutil.copytree(one.data / "log", folder / "old-log")
    one.start()
    for n in range(10):
        one.send("echo", n)
    one.drain()
    assert one.stop() == 0
    shutil.rmtree(one.data / "log")
    shutil.copytree(folder / "old-log", one.data / "log")
    one.launch()
    assert one.process.wait(30) == 3
    assert "log ends at" in one.said()


# --- rules that changed ---


def test_function_that_is_gone(engine, folder):
    """Its rows are owed a verdict, when their time has come: dead letters."""
    one = engine(app_of(folder, backoff=lua("3s")))
    one.send("go", 1)
    wait_for(lambda: lines(folder / "journal"), what="a try")
    assert one.stop() == 0
    write_app(
        one.app, {"rules/rules.lua": 'rule "call" { on = { type = "x" }, emit = function() end }'}
    )
    (one.app / "functions/f.lua").unlink()
    one.start()
    dead = wait_for(one.dead, what="the dead letter")
    assert dead[0]["reason"] == "gone" and dead[0]["function"] == "f"


def test_kill_while_a_version_is_built(engine, folder):
    one = engine(app_of(folder))
    pad = "x" * 100
    for start in range(0, 60000, 20000):
        body = "".join(
            '{"specversion":"1.0","id":"%d","source":"/t","type":"echoed","data":"%s"}\n' % (n, pad)
            for n in range(start, start + 20000)
        )
        answer = one.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
        assert answer.json["accepted"] == 20000
    one.entry("echoes", "echoed", answer.json["last"])
    assert one.stop() == 0
    write_app(
        one.app,
        {"rules/rules.lua": RULES.replace("version = 1", "version = 2").replace("+ 1", "+ 3")},
    )
    for _ in range(3):
        one.launch()
        wait_for(lambda: served(one), what="an answer")
        one.kill()
    one.start()
    assert one.entries("echoes")["echoed"]["value"] == {"n": 180000}


def test_halt(engine, folder):
    """on_error = "halt": the lane stops at the event until the app is changed."""
    halting = """
projection "strict" {
  version = 1,
  on   = { type = "strict" },
  key  = "type",
  on_error = "halt",
  init = { sum = 0 },
  fold = function(state, event) state.sum = state.sum + event.data return state end,
}
"""
    one = engine({"rules/rules.lua": halting})
    good = one.send("strict", 1)
    one.entry("strict", "strict", good)
    bad = one.send("strict", "no number")
    one.send("strict", 2)
    halted = wait_for(lambda: one.status()["lane"].get("halted"), what="the halt")
    assert halted["position"] == bad and halted["declaration"] == "strict"
    assert one.status()["attention"]
    assert one.entry("strict", "strict").json["value"] == {"sum": 1}
    one.kill()
    one.start()
    assert wait_for(lambda: one.status()["lane"].get("halted"), what="the halt")["position"] == bad
    assert one.stop() == 0
    healed = halting.replace("version = 1", "version = 2").replace(
        "event.data r", "(tonumber(event.data) or 0) r"
    )
    write_app(one.app, {"rules/rules.lua": healed})
    one.start()
    one.drain()
    assert one.entries("strict")["strict"]["value"] == {"sum": 3}


# --- events that cause events ---


def test_hops_are_cut(engine, folder):
    """A rule that feeds itself ends after sixteen hops."""
    one = engine({"rules/rules.lua": """
rule "loop" {
  on   = { type = "loop" },
  emit = function(event) return { type = "loop", data = event.data + 1 } end,
}
"""})
    one.send("loop", 0)
    one.drain()
    found = [item["event"]["data"] for item in one.events(type="loop")]
    assert found == list(range(len(found))) and 15 <= len(found) <= 18


def test_failed_rule_is_an_event(engine):
    one = engine({"rules/rules.lua": """
rule "guard" {
  on   = { type = "t" },
  when = function(event) return event.data.x.y end,
  emit = function(event) return { type = "u" } end,
}
rule "alarm" {
  on   = { type = "dalamb.rule.failed" },
  emit = function(event) return { type = "alarm", data = { rule = event.data.rule } } end,
}
"""})
    cause = one.send("t", {})
    alarm = wait_for(lambda: one.events(type="alarm"), what="the alarm")[0]["event"]
    assert alarm["data"] == {"rule": "guard"}
    (failed,) = one.events(type="dalamb.rule.failed")
    data = failed["event"]["data"]
    assert (data["part"], data["effect"]) == ("when", "skipped")
    assert "rules/rules.lua:4" in data["message"]
    assert failed["event"]["dalambcause"] == cause
    assert one.events(type="u") == []


def test_emits_of_one_event_stay_together(engine):
    one = engine({"rules/rules.lua": """
rule "many" {
  on   = { type = "t" },
  emit = function(event)
    local list = {}
    for i = 1, 1000 do list[i] = { type = "u", data = { of = event.data, index = i } } end
    return list
  end,
}
"""})
    for n in range(5):
        one.send("t", n)
    wait_for(lambda: len(one.events(type="u")) == 5000, what="all emits")
    found = [(i["event"]["data"]["of"], i["event"]["data"]["index"]) for i in one.events(type="u")]
    assert found == [(n, i) for n in range(5) for i in range(1, 1001)]
    assert len({i["event"]["id"] for i in one.events(type="u")}) == 5000
    assert offset_of(one.events(type="u")[0]["position"]) > 0
