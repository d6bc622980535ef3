"""Functions: programs as their makers wrote them, retries, dead letters, order, ends."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from support.apps import SANITIZED, function, lua, need
from support.engine import alive, descendants, wait_for

RULES = """
rule "call" { on = { type = "go" }, call = "%s" }
projection "done" {
  version = 1,
  on   = { type = { "dalamb.function.succeeded", "dalamb.function.failed" } },
  key  = "data.name",
  init = { succeeded = 0, failed = 0 },
  fold = function(state, event)
    local how = event.type == "dalamb.function.succeeded" and "succeeded" or "failed"
    state[how] = state[how] + 1
    return state
  end,
}
"""


def completions(engine, type="dalamb.function.succeeded"):
    return [item["event"]["data"] for item in engine.events(topic="system", type=type)]


def one_completion(engine, type="dalamb.function.succeeded"):
    return wait_for(lambda: completions(engine, type), what="a completion")[0]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# --- Lambda programs ---


@pytest.mark.parametrize("sandbox", [True, False], ids=["sandbox", "no-sandbox"])
def test_python_lambda(request, engine, vendored, sandbox):
    if sandbox:
        request.getfixturevalue("walls")
    app = {
        "dalamb.lua": """
func "py" {
  command = { "/usr/bin/python3", "-m", "awslambdaric", "app.handler" },
  handler = "app.handler",
  paths   = { %s },
  env     = { PYTHONPATH = %s },
  input   = "data",
  sandbox = %s,
}
"""
        % (lua(vendored), lua(vendored), "true" if sandbox else "false"),
        "functions/py/app.py": """
def handler(order, context):
    return {"got": order, "key": context.client_context.custom["idempotency_key"],
            "name": context.function_name}
""",
        "rules/rules.lua": RULES % "py",
    }
    one = engine(app)
    one.send("go", {"a": [1, 2.5, "x"]})
    done = one_completion(one)
    assert done["result"] == {"got": {"a": [1, 2.5, "x"]}, "key": done["row"], "name": "py"}


GO_MAIN = """package main

import (
	"context"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

var _ events.SQSEvent

func handler(ctx context.Context, order map[string]any) (map[string]any, error) {
	known, _ := lambdacontext.FromContext(ctx)
	return map[string]any{"got": order, "key": known.ClientContext.Custom["idempotency_key"]}, nil
}

func main() { lambda.Start(handler) }
"""
GO_MOD = "module bootstrap\n\ngo 1.21\n\nrequire github.com/aws/aws-lambda-go v1.47.0\n"


@pytest.fixture(scope="session")
def go_program(cache):
    """A handler built with aws-lambda-go."""
    go = need("go")
    source = cache / "go"
    program = source / "bootstrap"
    if not program.exists():
        source.mkdir(exist_ok=True)
        (source / "main.go").write_text(GO_MAIN)
        (source / "go.mod").write_text(GO_MOD)
        built = subprocess.run(
            [go, "build", "-mod=mod", "-tags", "lambda.norpc", "-o", "bootstrap", "."],
            cwd=source,
            env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": ""},
            capture_output=True,
            text=True,
        )
        if built.returncode != 0:
            pytest.skip("go can't build with aws-lambda-go: " + built.stderr[-300:])
    return program


def test_go_lambda(engine, folder, walls, go_program):
    (folder / "app0/functions/go").mkdir(parents=True)
    shutil.copy(go_program, folder / "app0/functions/go/bootstrap")
    app = {
        "dalamb.lua": 'func "go" { command = { "./bootstrap" }, input = "data" }',
        "rules/rules.lua": RULES % "go",
    }
    one = engine(app)
    one.send("go", {"order": 7})
    done = one_completion(one)
    assert done["result"] == {"got": {"order": 7}, "key": done["row"]}


def test_input_made_by_lua(engine):
    code = "def handler(event, key):\n    return event"
    made = "function(event) return { sum = event.data.a + event.data.b, of = event.id } end"
    one = engine({"rules/rules.lua": RULES % "f", **function("f", code, input=made)})
    one.send("go", {"a": 1, "b": 2}, id="x-1")
    assert one_completion(one)["result"] == {"sum": 3, "of": "x-1"}


# --- retries and dead letters ---

FAILS_ONCE = """
def handler(event, key):
    note(os.environ["JOURNAL"], key=key)
    if not os.path.exists(os.environ["JOURNAL"] + ".good"):
        raise RuntimeError("not yet")
    return "good"
"""


def failing(journal, **fields):
    files = function("f", FAILS_ONCE, env="{ JOURNAL = %s }" % lua(journal), **fields)
    return {"rules/rules.lua": RULES % "f", **files}


def test_retry_waits_over_a_kill(engine, folder):
    """What was due in some seconds is due in some seconds after a restart, too, and counts on."""
    journal = folder / "journal"
    one = engine(failing(journal, backoff=lua("4s")))
    one.send("go")
    first = wait_for(lambda: lines(journal), what="a try")[0]
    wait_for(lambda: any(f["retrying"] for f in one.status()["functions"]), what="a retry's wait")
    last = one.send("mark")
    one.entry("done", "f", last)  # with that batch the try is written down
    (folder / "journal.good").touch()
    one.kill()
    one.start()
    done = one_completion(one)
    first, second = lines(journal)
    assert first["key"] == second["key"] == done["row"]
    assert second["time"] - first["time"] >= 1.9
    assert [one["error"]["message"] for one in done["tries"] if "error" in one][:1] == ["not yet"]


def test_dead_letter_sent_again(engine, folder):
    journal = folder / "journal"
    one = engine(failing(journal, attempts=2, backoff=lua("10ms")))
    one.send("go", {"a": 1}, subject="s")
    failed = one_completion(one, "dalamb.function.failed")
    assert failed["reason"] == "attempts"
    assert failed["error"] == {"type": "RuntimeError", "message": "not yet"} | failed["error"]
    letter = wait_for(one.dead, what="the dead letter")[0]
    assert (letter["row"], letter["function"], letter["reason"]) == (failed["row"], "f", "attempts")
    assert len(lines(journal)) == 2
    assert any("dead letter" in item["what"] for item in one.status()["attention"])

    one.kill()  # it is kept
    (folder / "journal.good").touch()
    one.start()
    assert [letter["row"] for letter in one.dead()] == [failed["row"]]
    answer = one.post("/v1/dead/retry", {"rows": [failed["row"]]})
    assert answer.status == 200, answer
    assert one_completion(one)["row"] == failed["row"]
    wait_for(lambda: one.dead() == [], what="an empty list")
    assert {line["key"] for line in lines(journal)} == {failed["row"]}
    types = [item["event"]["type"] for item in one.events(topic="system")]
    ends = [type for type in types if "function" in type or "dead" in type]
    assert ends == ["dalamb.function.failed", "dalamb.dead.retried", "dalamb.function.succeeded"]
    assert one.entry("done", "f").json["value"] == {"succeeded": 1, "failed": 1}


def test_dead_letter_dropped(engine, folder):
    one = engine(failing(folder / "journal", final='{ "RuntimeError" }'))
    one.send("go")
    assert one_completion(one, "dalamb.function.failed")["reason"] == "final"
    wait_for(one.dead, what="the dead letter")
    answer = one.post("/v1/dead/drop", {"function": "f"})
    assert answer.status == 200, answer
    assert one.dead() == []
    assert len(lines(folder / "journal")) == 1
    one.kill()
    one.start()
    assert one.dead() == []


@pytest.mark.parametrize(
    "code, error, reason",
    [
        ("os._exit(3)", "Runtime.ExitError", "attempts"),
        ("time.sleep(100)", "Sandbox.Timedout", "attempts"),
        ("return 'x' * 7000000", None, "too-large"),
    ],
)
def test_programs_that_misbehave(engine, code, error, reason):
    """Each is a failed try, with a type of its own; the instance is replaced."""
    code = "def handler(event, key):\n    if event['data']:\n        return 'fine'\n    " + code
    fields = {"attempts": 2, "backoff": lua("10ms"), "timeout": lua("300ms"), "order": "false"}
    one = engine({"rules/rules.lua": RULES % "f", **function("f", code, **fields)})
    one.send("go", 0)
    failed = one_completion(one, "dalamb.function.failed")
    assert failed["reason"] == reason
    if error:
        assert failed["error"]["type"] == error
        assert len(failed["tries"]) == 2
    one.send("go", 1)
    assert one_completion(one)["result"] == "fine"


def test_program_that_can_not_start(engine):
    one = engine(
        {"rules/rules.lua": RULES % "f", **function("f", "raise SystemExit(7)", attempts=1)}
    )
    one.send("go")
    failed = one_completion(one, "dalamb.function.failed")
    assert failed["error"]["type"]


def test_order_of_a_key(engine, folder):
    """One after another for a key, however many instances there are; others beside it."""
    code = """
def handler(event, key):
    data = event["data"]
    note(os.environ["JOURNAL"], key=data["key"], seq=data["seq"], begin=True)
    time.sleep(0.002)
    note(os.environ["JOURNAL"], key=data["key"], seq=data["seq"], begin=False)
"""
    env = "{ JOURNAL = %s }" % lua(folder / "journal")
    files = function("f", code, env=env, order=lua("data.key"), max=8)
    one = engine({"rules/rules.lua": RULES % "f", **files})
    for seq in range(30):
        for key in "abcde":
            one.send("go", {"key": key, "seq": seq})
    one.drain()
    expected = [(seq, begin) for seq in range(30) for begin in (True, False)]
    for key in "abcde":
        found = [(n["seq"], n["begin"]) for n in lines(folder / "journal") if n["key"] == key]
        assert found == expected
    assert len({n["pid"] for n in lines(folder / "journal")}) > 1


# --- one doesn't hold up another ---


def test_poisoned_key_among_a_thousand(engine):
    """Its calls wait behind one that fails; all others go on. The same of a projection's key."""
    code = """
def handler(event, key):
    if event["data"]["key"] == "k500":
        raise RuntimeError("poison")
    return event["data"]["key"]
"""
    app = {
        **function("f", code, order=lua("data.key"), attempts=100, backoff=lua("30s")),
        "rules/rules.lua": RULES % "f"
        + """
projection "keys" {
  version = 1,
  on   = { type = "go" },
  key  = "data.key",
  init = { events = 0 },
  fold = function(state, event)
    if event.data.key == "k500" then error("poison") end
    state.events = state.events + 1
    return state
  end,
}
""",
    }
    one = engine(app)
    events = [
        {
            "specversion": "1.0",
            "id": "%d" % n,
            "source": "/t",
            "type": "go",
            "data": {"key": "k%d" % (n % 1000)},
        }
        for n in range(3000)
    ]
    body = "".join(json.dumps(event) + "\n" for event in events)
    answer = one.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
    assert answer.json["accepted"] == 3000
    wait_for(lambda: len(completions(one)) == 2997, 60, "the others' completions", 0.2)
    status = one.status()
    assert status["undelivered_rows"] == 3
    assert [f["retrying"] for f in status["functions"]] == [1]
    entries = one.entries("keys")
    assert all(e["value"]["events"] == 3 for key, e in entries.items() if key != "k500")
    assert "poison" in entries["k500"]["parked"]["message"]
    parked = status["parked"]
    assert [(p["projection"], p["key"]) for p in parked] == [("keys", "k500")]
    assert parked[0]["position"].startswith("events/0/") and "poison" in parked[0]["message"]
    failures = [item["event"]["data"] for item in one.events(type="dalamb.rule.failed")]
    assert [f["effect"] for f in failures] == ["parked"]


WAITING = int(os.environ.get("DALAMB_TEST_ROWS", 20000))


def test_silent_function_holds_nobody_up(engine):
    """It answers nothing, many rows wait: memory is bounded, the other function goes on."""
    app = {
        **function(
            "silent", "def handler(event, key):\n    time.sleep(1000)", timeout=lua("900s"), max=2
        ),
        **function("quick", "def handler(event, key):\n    return 1", max=2),
        "dalamb.lua": 'limits { grace = "100ms" }',
        "rules/rules.lua": RULES % "quick"
        + 'rule "silent" { on = { type = "quiet" }, call = "silent" }',
    }
    one = engine(app)

    def send(count, type):
        for start in range(0, count, 5000):
            body = "".join(
                '{"specversion":"1.0","id":"%s%d","source":"/t","type":"%s","data":"%s"}\n'
                % (type, n, type, "x" * 200)
                for n in range(start, min(count, start + 5000))
            )
            answer = one.ask("POST", "/v1/events", body, {"Content-Type": "application/x-ndjson"})
            assert answer.status == 200 and answer.json["refused"] == 0, answer
        return answer.json["last"]

    one.entry("done", "quick", send(WAITING // 4, "quiet"))
    before = one.resident_kb()
    one.entry("done", "quick", send(WAITING, "quiet"))
    after = one.resident_kb()
    send(300, "go")
    wait_for(lambda: len(completions(one)) == 300, 60, "the other function's completions", 0.1)
    status = one.status()
    assert status["undelivered_rows"] == WAITING  # the first quarter's ids were repeated
    silent = next(f for f in status["functions"] if f["name"] == "silent")
    assert silent["running"] == 2 and silent["more_on_disk"]
    if not SANITIZED:
        assert after - before < 48 * 1024, "%d KB more for %d rows" % (after - before, WAITING)
    assert one.stop() == 0


# --- ends ---


def test_kill_leaves_no_process(engine, walls):
    code = "def handler(event, key):\n    time.sleep(1000)"
    app = {
        **function("inside", code, sandbox=True),
        **function("outside", code),
        "rules/rules.lua": 'rule "both" { on = { type = "go" }, call = { "inside", "outside" } }',
    }
    one = engine(app)
    one.send("go")
    wait_for(lambda: sum(f["running"] for f in one.status()["functions"]) == 2, what="both running")
    below = descendants(one.pid)
    assert len(below) >= 3  # the spawner, and the two programs
    one.kill()
    wait_for(lambda: not any(map(alive, below)), what="the end of all below")


SLOW = """
def handler(event, key):
    note(os.environ["JOURNAL"], key=key)
    while not os.path.exists(os.environ["JOURNAL"] + ".go"):
        time.sleep(0.01)
    return "finished"
"""


def test_sigterm_lets_finish_what_runs(engine, folder):
    journal = folder / "journal"
    files = function("f", SLOW, env="{ JOURNAL = %s }" % lua(journal), order="false", max=1)
    app = {"dalamb.lua": 'limits { grace = "30s" }', "rules/rules.lua": RULES % "f", **files}
    one = engine(app)
    one.send("go", 1)
    one.send("go", 2)
    wait_for(lambda: lines(journal), what="a call")
    below = descendants(one.pid)
    one.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping" in one.said(), what="the signal")
    (folder / "journal.go").touch()
    assert one.process.wait(60) == 0
    assert not any(map(alive, below))
    assert len(lines(journal)) == 1, "a call was begun while it stopped"
    one.start()
    wait_for(lambda: len(completions(one)) == 2, what="both completions")
    assert len({line["key"] for line in lines(journal)}) == len(lines(journal)) == 2


def test_stop_cuts_what_outlasts_the_grace(engine, folder):
    """What is cut is no failed try: it is delivered after the restart."""
    journal = folder / "journal"
    files = function("f", SLOW, env="{ JOURNAL = %s }" % lua(journal))
    app = {"dalamb.lua": 'limits { grace = "200ms" }', "rules/rules.lua": RULES % "f", **files}
    one = engine(app)
    one.send("go")
    wait_for(lambda: lines(journal), what="a call")
    assert one.stop() == 0
    (folder / "journal.go").touch()
    one.start()
    done = one_completion(one)
    assert done["result"] == "finished"
    assert [line["key"] for line in lines(journal)] == [done["row"]] * 2
