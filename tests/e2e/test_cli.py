"""Every command, as it is typed: what it prints, where, and with which status it exits."""

import json
import shutil
import stat
import subprocess

import pytest
from cli_support import (  # pylint: disable=unused-import
    DONE, NO, PROGRAM, ROOT, UNREACHABLE, USAGE, an_app, a_fresh_app, dalamb, environment, ndjson,
    running, wait_for, write,
)

COMMANDS = (
    "init check test run emit tail match explain query replay status dead token".split()
)


# --- help and usage -----------------------------------------------------------------------------


def test_help_names_every_command():
    result = dalamb("--help")
    assert result.status == DONE
    for command in COMMANDS:
        assert f"\n  {command} " in result.out
    assert dalamb().status == USAGE
    assert dalamb("help", "emit").out == dalamb("emit", "--help").out
    assert dalamb("--version").out.startswith("dalamb 0.")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    result = dalamb(command, "--help")
    assert result.status == DONE
    assert f"Example:\n  " in result.out and f"dalamb {command}" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_an_unknown_option(command):
    result = dalamb(command, "--nonsense")
    assert result.status == USAGE
    assert "--nonsense" in result.err and f"dalamb {command} --help" in result.err


def test_suggestions():
    assert "did you mean query?" in dalamb("qurey").err
    assert "did you mean --format?" in dalamb("check", "--fromat", "json").err
    assert "--limit is a number" in dalamb("tail", "--limit", "many").err
    assert "--format is text or json" in dalamb("status", "--format", "xml").err


@pytest.mark.parametrize("command", [
    ("status",), ("tail",), ("query", "x"), ("dead",), ("emit", "x"), ("explain", "17"),
    ("tail", "--follow"),
])
def test_an_engine_that_is_not_there(command):
    result = dalamb(*command, DALAMB_URL="http://127.0.0.1:1")
    assert result.status == UNREACHABLE
    assert "could not reach http://127.0.0.1:1" in result.err and "--url" in result.err
    assert result.out == ""


# --- init, check, test --------------------------------------------------------------------------


def test_init_writes_an_app_that_holds(fresh):
    assert dalamb("check", fresh).out == "ok: 2 rules, 1 projection, 1 function, 3 tests\n"
    result = dalamb("test", fresh)
    assert result.status == DONE and "3 passed, 0 failed" in result.out


@pytest.mark.usefixtures("walls")
def test_init_writes_an_app_that_runs(fresh):
    with running(fresh, fresh / "data") as engine:
        position = engine("emit", "visit.registered", "--data", '{"name": "Ada"}').out.strip()
        entry = engine("query", "visits", "Ada", "--min-position", position)
        assert entry.status == DONE and entry.json["count"] == 1
        greeted = wait_for("the greeting", lambda: engine(
            "tail", "--type", "visitor.greeted", "--format", "json").lines)
        assert greeted[0]["event"]["data"] == {"greeting": "Hello, Ada!"}


def test_init_refuses_a_folder_with_something_in_it(app):
    before = sorted(app.rglob("*"))
    result = dalamb("init", app)
    assert result.status == NO and "has something in it already" in result.err
    assert sorted(app.rglob("*")) == before
    assert dalamb("init").status == USAGE


def test_check_tells_every_mistake_with_its_place(app):
    write(app, rules__wrong_lua='rule "a" { on = { type = "x" }, cal = "greet" }\n'
                                'rule "b" { on = { type = {} }, call = "gret" }\n')
    result = dalamb("check", app)
    assert result.status == NO
    assert "rules/wrong.lua:1: " in result.err and "call" in result.err
    assert "rules/wrong.lua:2: " in result.err
    listed = dalamb("check", app, "--format", "json")
    assert listed.status == NO and listed.json["ok"] is False
    assert {1, 2} <= {e["line"] for e in listed.json["errors"] if e["file"] == "rules/wrong.lua"}
    assert "no such folder" in dalamb("check", app / "nowhere").err


def test_check_needs_secrets_unless_it_is_offline(app):
    write(app, dalamb_lua='github { secret = secret "NO_SUCH_SECRET" }\nfunc "greet" { command = { "python3", "runtime.py" } }\n')
    result = dalamb("check", app)
    assert result.status == NO and "NO_SUCH_SECRET" in result.err and "dalamb.lua:1" in result.err
    assert dalamb("check", app, "--offline").status == DONE
    assert dalamb("check", app, NO_SUCH_SECRET="x").status == DONE


KAFKA = {"DALAMB_LOG_KIND": "kafka", "DALAMB_LOG_BROKERS": "127.0.0.1:1"}  # nobody answers there


def test_check_for_kafka_goes_on_without_brokers():
    result = dalamb("check", ROOT / "examples/shop", **KAFKA)
    assert result.status == DONE and result.out.startswith("ok: 2 rules")
    assert "can't be asked" in result.err and "127.0.0.1:1" in result.err
    assert "warning" not in dalamb("check", ROOT / "examples/shop", "--offline", **KAFKA).err


def test_check_tells_what_would_need_repartitioning(tmp_path):
    shop = tmp_path / "shop"
    shutil.copytree(ROOT / "examples/shop", shop, ignore=shutil.ignore_patterns("vendor", "tests"))
    with open(shop / "dalamb.lua", "a") as file:
        file.write('log { topics = { events = { key = "data.customer" } } }\n')
    assert dalamb("check", shop, "--offline", **KAFKA).status == DONE
    result = dalamb("check", shop, "--offline", "--format", "json", DALAMB_LOG_PARTITIONS="12", **KAFKA)
    assert result.status == NO and result.json["ok"] is False
    rule, projection = result.json["errors"]
    assert (rule["file"], rule["line"]) == ("rules/orders.lua", 2)
    assert rule["text"].endswith('by = "data.customer"')
    assert projection["file"] == "rules/totals.lua"
    assert 'projection "flagged-orders" is keyed by subject' in projection["text"]
    orders = shop / "rules/orders.lua"
    orders.write_text(orders.read_text().replace('"large-order" {', '"large-order" { by = "data.customer",'))
    totals = shop / "rules/totals.lua"
    totals.write_text(totals.read_text().replace('key  = "subject"', 'key  = "data.customer"'))
    result = dalamb("check", shop, "--offline", DALAMB_LOG_PARTITIONS="12", **KAFKA)
    assert result.status == DONE, result.err


def test_check_tells_a_property_that_would_break_a_promise(app):
    write(app, dalamb_lua='func "greet" { command = { "python3", "runtime.py" } }\n'
                          'log { kafka = { acks = 1 } }\n')
    result = dalamb("check", app)
    assert result.status == NO and "dalamb.lua:2: log.kafka: kafka property \"acks\"" in result.err


@pytest.mark.parametrize("example", ["shop", "github"])
def test_the_examples_hold(example):
    assert dalamb("check", ROOT / "examples" / example, "--offline").status == DONE
    result = dalamb("test", ROOT / "examples" / example, "--format", "json")
    assert result.status == DONE and result.json["failed"] == 0 and result.json["passed"] >= 4


def test_a_failing_test_says_expected_and_found(app):
    write(app, tests__wrong_test_lua="""
test "counts wrongly" {
  events = { { type = "visit.registered", data = { name = "Ada" }, time = "2026-01-01T10:00:00Z" } },
  expect = {
    view("visits", "Ada", { count = 2, last = "2026-01-01T10:00:00Z" }),
    call("greet", { name = "Bob" }),
    no_match("greet-newcomers"),
    emit("visitor.greeted"),
    failure("visits"),
    view("visits", "Bob", { count = 1 }),
  },
}
test "an event without a type" { events = { { data = 1 } }, expect = { no_call() } }
""")
    result = dalamb("test", app)
    assert result.status == NO
    assert 'tests/wrong_test.lua:5: view("visits", "Ada"): it differs' in result.out
    assert "count: expected 2, found 1" in result.out
    assert 'name: expected "Bob", found "Ada"' in result.out
    assert 'no_match("greet-newcomers"): it happened' in result.out
    assert 'rule "greeted" (rules/visits.lua:11): type is "visit.registered", expected' in result.out
    assert 'failure("visits"): it did not happen' in result.out
    assert 'view("visits", "Bob"): there is no entry' in result.out
    assert 'event 1: ' in result.out and "type" in result.out
    assert "3 passed, 2 failed" in result.out
    listed = dalamb("test", app, "--format", "json", "--only", "counts")
    assert listed.status == NO
    failures = listed.json["tests"][0]["failures"]
    assert listed.json["failed"] == 1 and len(failures) == 6
    assert failures[0]["differences"] == [{"field": "count", "expected": 2, "found": 1}]


def test_a_failing_test_says_what_happened_instead(tmp_path):
    write(tmp_path,
          rules__a_lua='rule "a" { on = { type = "x" }, emit = function(e) return { type = "y" } end }\n',
          tests__a_test_lua='test "f" { events = "x.ndjson", expect = { emit("z"), call("no") } }\n')
    result = dalamb("test", tmp_path)
    assert result.status == NO and "tests/x.ndjson can't be read" in result.out
    write(tmp_path, tests__x_ndjson='{"type":"x"}\n{"typ')
    assert "x.ndjson, event 2: this is not JSON" in dalamb("test", tmp_path).out
    write(tmp_path, tests__x_ndjson='{"type":"x"}\n')
    out = dalamb("test", tmp_path).out
    assert 'emit("z"): it did not happen' in out
    assert 'rule "a" did this: emit("y", {"type":"y"})' in out
    assert "no rule calls a function of this name" in out


def test_a_script_error_fails_a_test_that_does_not_expect_it(tmp_path):
    write(tmp_path,
          rules__a_lua='projection "p" { version = 1, on = { type = "x" }, key = "subject", '
                       'fold = function(s, e) return e.data.a.b end }\n',
          tests__a_test_lua="""
local events = { { type = "x", subject = "k", data = {} } }
test "unexpected" { events = events, expect = { no_call() } }
test "expected" { events = events, expect = { failure("p") } }
""")
    result = dalamb("test", tmp_path)
    assert result.status == NO and "1 passed, 1 failed" in result.out
    assert '"p" failed in its fold on event 1' in result.out and "rules/a.lua:1" in result.out


def test_no_tests_are_not_a_success(tmp_path):
    write(tmp_path, rules__a_lua='rule "a" { on = { type = "x" }, emit = function(e) end }\n')
    result = dalamb("test", tmp_path)
    assert result.status == NO and "no test is declared" in result.err


# --- match --------------------------------------------------------------------------------------


EVENTS = """{"type":"a","data":{"n":1}}
{"type":"b","data":{"n":20}}

{"type":"a","data":{"n":300}}
"""


def test_match_is_a_grep(tmp_path):
    pattern = '{"data":{"n":[{"numeric":[">",10]}]}}'
    result = dalamb("match", pattern, stdin=EVENTS)
    assert result.status == DONE
    assert result.out.splitlines() == [EVENTS.splitlines()[1], EVENTS.splitlines()[3]]
    assert dalamb("match", pattern, "--count", stdin=EVENTS).out == "2\n"
    assert dalamb("match", '{"type":["z"]}', stdin=EVENTS).status == NO
    named = tmp_path / "named.json"
    named.write_text('{"is-a": {"type": ["a"]}, "large": %s}' % pattern)
    result = dalamb("match", named, "--named", "--names", stdin=EVENTS)
    assert [line.split("\t")[0] for line in result.out.splitlines()] == ["is-a", "large", "is-a,large"]
    counts = dalamb("match", named, "--named", "--count", "--format", "json", stdin=EVENTS)
    assert counts.json == {"is-a": 2, "large": 2}
    file = tmp_path / "events.ndjson"
    file.write_text(EVENTS)
    assert dalamb("match", named, file, "-", "--named", "--count", stdin=EVENTS).out == \
        "4\tis-a\n4\tlarge\n"


def test_match_goes_on_behind_a_broken_line(tmp_path):
    broken = EVENTS.replace('{"type":"b","data":{"n":20}}', '{"type":"b","data":')
    result = dalamb("match", '{"type":["a"]}', stdin=broken)
    assert result.status == USAGE and len(result.out.splitlines()) == 2
    assert result.err.startswith("stdin:2: ")
    assert dalamb("match", '{"type":[]}', stdin=EVENTS).status == USAGE
    assert dalamb("match", tmp_path / "none.json", stdin=EVENTS).status == USAGE
    assert dalamb("match", '{"type":["a"]}', tmp_path / "none.ndjson").status == USAGE
    array = dalamb("match", '{"type":["a"]}', stdin="[1]\n")
    assert array.status == USAGE and "an event is a JSON object" in array.err


def test_match_takes_rules_in_lua(tmp_path):
    rules = tmp_path / "rules.lua"
    rules.write_text('rule "a" { on = { type = "a" }, emit = function(e) return { type = "x" } end }\n')
    assert dalamb("match", rules, "--names", stdin=EVENTS).out.startswith('a\t{"type":"a"')
    rules.write_text('rule "a" { on = { type = "a", data = prefix(1) } }\n')
    result = dalamb("match", rules, stdin=EVENTS)
    assert result.status == USAGE and "rules.lua:1:" in result.err


# --- token --------------------------------------------------------------------------------------


def test_a_token_opens_what_its_scope_says(app):
    data = app / "data"
    token = dalamb("token", "reader", app, "--scope", "query")
    assert token.status == DONE and len(token.out.split()) == 1
    file = data / "tokens"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token.out.strip() not in file.read_text() and "reader query " in file.read_text()
    with running(app, data) as engine:
        assert engine("status").status == UNREACHABLE
        assert "DALAMB_TOKEN" in engine("status").err
        assert engine("status", DALAMB_TOKEN=token.out.strip()).status == DONE
        assert engine("emit", "x", DALAMB_TOKEN=token.out.strip()).status == UNREACHABLE
    assert dalamb("token", "reader", app).status == USAGE
    assert dalamb("token", "reader", app, "--scope", "everything").status == USAGE
    assert dalamb("token", "x", "--data", app / "nowhere", "--scope", "query").status == UNREACHABLE
    made = dalamb("token", "x", "--data", data, "--scope", "ingest,query", "--format", "json")
    assert made.json["token"].startswith("dal_") and made.json["file"] == str(file)


# --- a running engine ---------------------------------------------------------------------------


def test_emit_and_query_and_tail(app):
    with running(app, app / "data") as engine:
        one = engine("emit", "thing.happened", "--subject", "s1", "--id", "i1", "--source", "/here",
                     "--data", '{"text": "wide \\u00e9"}')
        assert one.status == DONE and one.out.startswith("events/0/")
        again = engine("emit", "thing.happened", "--id", "i1", "--source", "/here", "--data", "1")
        assert again.out.split()[0] == one.out.strip() and "repeat" in again.out
        shown = engine("tail", "--type", "thing.happened", "--format", "json").lines
        assert [e["position"] for e in shown] == [one.out.strip()]
        assert shown[0]["event"]["subject"] == "s1" and shown[0]["event"]["source"] == "/here"
        assert "thing.happened  s1  " in engine("tail").out
        assert engine("emit", "x", "--data", "{").status == USAGE
        assert engine("emit", "x", "--topic", "nowhere").status != DONE
        assert engine("emit", "dalamb.x").status == USAGE

        sent = engine("emit", "--file", "-", stdin=ndjson(5000))
        assert sent.status == DONE and sent.out.startswith("5000 accepted, 0 repeated, 0 refused")
        last = sent.out.split()[-1]
        entries = engine("query", "visits", "--min-position", last, "--format", "json").lines
        assert len(entries) == 7 and sum(e["value"]["count"] for e in entries) == 5000
        assert engine("query", "visits", "--prefix", "n3").out.startswith("n3\t")
        assert [line.split("\t")[0] for line in engine(
            "query", "visits", "--from", "n2", "--to", "n5").out.splitlines()] == ["n2", "n3", "n4"]
        few = engine("query", "visits", "--limit", "2")
        assert len(few.out.splitlines()) == 2 and "--all" in few.err
        assert len(engine("query", "visits", "--limit", "2", "--all").out.splitlines()) == 7
        assert engine("query", "visits", "nobody").status == NO
        assert engine("query", "nothing").status == NO
        assert "visits\tversion 1" in engine("query").out

        ids = [e["event"]["id"] for e in engine(
            "tail", "--type", "visit.registered", "--format", "json").lines]
        assert ids == [f"v{i}" for i in range(4980, 5000)]  # the last 20 of them
        assert len(engine("tail", "--type", "visit.registered", "--limit", "30",
                          "--since", "1").out.splitlines()) == 30

        bad = engine("emit", "--file", "-", stdin=ndjson(2, 9000) + '{"type": "x"}\n')
        assert bad.status == NO and "stdin:3: " in bad.err and "2 accepted" in bad.out
        assert "did not match" not in engine("explain", one.out.strip()).err
        explained = engine("explain", one.out.strip(), "--format", "json")
        assert explained.status == NO
        assert explained.json["projections"][0]["field"] == "type"


def test_keys_of_any_kind(app):
    keys = ["a b/c", "100%", "\u00e9\u4e16", "q?x=1&y#z", "..", "+"]
    with running(app, app / "data") as engine:
        for key in keys:
            position = engine("emit", "visit.registered", "--data", json.dumps({"name": key}))
            entry = engine("query", "visits", key, "--min-position", position.out.strip())
            assert entry.status == DONE and entry.json["count"] == 1, (key, entry)
        listed = engine("query", "visits", "--format", "json").lines
        assert {e["key"] for e in listed} == set(keys)


def test_a_watch_shows_each_change(app):
    with running(app, app / "data") as engine:
        engine("emit", "visit.registered", "--data", '{"name": "Ada"}')
        watch = subprocess.Popen(
            [str(PROGRAM), "query", "visits", "Ada", "--watch", "--format", "json"],
            stdout=subprocess.PIPE, text=True, env=environment(DALAMB_URL=engine.url))
        try:
            assert json.loads(watch.stdout.readline())["value"]["count"] == 1
            engine("emit", "visit.registered", "--data", '{"name": "Ada"}')
            assert json.loads(watch.stdout.readline())["value"]["count"] == 2
        finally:
            watch.kill()
            watch.communicate()
        assert engine("query", "nothing", "--watch").status == NO
        assert engine("query", "--watch").status == USAGE


def test_what_cannot_be_printed_is_not_done(app):
    with open("/dev/full", "w", encoding="ascii") as full:
        finished = subprocess.run([str(PROGRAM), "check", str(app)], stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
    assert finished.returncode == UNREACHABLE and "can't be written" in finished.stderr


def test_tail_follows_through_a_restart_of_the_engine(app, tmp_path):
    data = tmp_path / "data"
    with running(app, data) as engine:
        port = engine.url.rsplit(":", 1)[1]
        tail = subprocess.Popen(
            [str(PROGRAM), "tail", "--follow", "--since", "1", "--type", "tick", "--format", "json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(DALAMB_URL=engine.url),
        )
        try:
            engine("emit", "tick", "--id", "t1")
            first = json.loads(tail.stdout.readline())
            assert first["event"]["id"] == "t1"
            assert engine.stop() == 0
            again = subprocess.Popen(
                [str(PROGRAM), "run", str(app), "--data", str(data), "--listen", f"127.0.0.1:{port}"],
                stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment(),
            )
            try:
                wait_for("the engine", lambda: engine("emit", "tick", "--id", "t2").status == DONE)
                second = json.loads(tail.stdout.readline())
                assert second["event"]["id"] == "t2"  # and not t1 once more
            finally:
                again.terminate()
                again.wait()
        finally:
            tail.kill()
            err = tail.communicate()[1]
        said = "dalamb tail: the engine ended the connection: trying again\n"
        assert err in (said, said * 2)  # once for each time that it was stopped


def test_dead_letters_are_listed_sent_again_and_dropped(app):
    write(app, dalamb_lua='func "greet" { command = { "python3", "runtime.py" }, '
                          'handler = "app.handler", input = "data", sandbox = false, '
                          'final = { "KeyError" } }\n')
    with running(app, app / "data") as engine:
        for i in range(3):
            engine("emit", "visit.registered", "--data", json.dumps({"name": f"n{i}"}))
        wait_for("three greetings", lambda: len(engine(
            "tail", "--type", "visitor.greeted", "--format", "json").lines) == 3)
        assert engine("dead").out == "0 dead letters\n"
        assert engine("dead", "retry", "--all").out == "0 sent again\n"
        assert engine("dead", "retry").status == USAGE
        assert engine("dead", "burn", "--all").status == USAGE
        assert engine("dead", "drop", "no/such/row").status == NO
    write(app, functions__greet__app_py="def handler(data, context):\n    raise KeyError('why')\n")
    with running(app, app / "data") as engine:
        for i in range(3, 6):
            engine("emit", "visit.registered", "--data", json.dumps({"name": f"n{i}"}))
        dead = wait_for("dead letters", lambda: (
            lambda rows: rows if len(rows) == 3 else None)(
                engine("dead", "--format", "json").lines))
        assert {row["function"] for row in dead} == {"greet"}
        listed = engine("dead")
        assert dead[0]["row"] in listed.out and "KeyError" in listed.out and "3 dead letters" in listed.out
        state = engine("status")
        assert state.out.startswith("! ") and "dead" in state.out and "3 dead letters" in state.out
        assert engine("dead", "drop", dead[0]["row"]).out == "1 dropped\n"
        assert len(engine("dead", "list", "--format", "json").lines) == 2
        assert engine("dead", "retry", "--function", "greet", "--format", "json").json == {"retried": 2}
        wait_for("them to die again", lambda: len(engine("dead", "--format", "json").lines) == 2)
        assert engine("dead", "drop", "--all").out == "2 dropped\n"
        assert engine("dead").out == "0 dead letters\n"


def test_what_a_function_in_python_says_of_its_mistakes(app):
    """The runtime loop that init writes: an exception, no JSON, a handler that isn't there."""
    file = app / "dalamb.lua"
    file.write_text(file.read_text().replace("sandbox = false,", "sandbox = false, attempts = 1,"))
    write(app, functions__greet__app_py="def handler(data, context):\n"
                                        "    return {'no': {1}} if data['name'] == 'set' else 1 / 0\n")
    with running(app, app / "data") as engine:
        engine("emit", "visit.registered", "--data", '{"name": "set"}')
        engine("emit", "visit.registered", "--data", '{"name": "zero"}')
        dead = wait_for("dead letters", lambda: (
            lambda rows: rows if len(rows) == 2 else None)(engine("dead", "--format", "json").lines))
        assert {row["payload"]["name"]: row["error"]["type"] for row in dead} == {
            "set": "TypeError", "zero": "ZeroDivisionError"}
        assert "app.py" in json.dumps(dead[0]["error"]) + json.dumps(dead[1]["error"])
    file.write_text(file.read_text().replace("app.handler", "app.nothing"))
    with running(app, app / "data") as engine:
        engine("emit", "visit.registered", "--data", '{"name": "new"}')
        rows = wait_for("a third", lambda: (
            lambda rows: rows if len(rows) == 3 else None)(engine("dead", "--format", "json").lines))
        assert "nothing" in json.dumps([row["error"] for row in rows])


def test_status_of_an_engine_that_is_well(app):
    with running(app, app / "data") as engine:
        result = engine("status")
        assert result.status == DONE and "nothing stands still" in result.out
        assert "app       hello, up since " in result.out and "function  greet" in result.out
        assert engine("status", "--format", "json").json["app"] == "hello"
