"""dalamb replay: history through the running and other rules, from a folder and over HTTP."""

import json
import signal
import subprocess
import sys

import pytest
from cli_support import (  # pylint: disable=unused-import
    DONE, NO, PROGRAM, UNREACHABLE, USAGE, an_app, a_fresh_app, dalamb, environment, ndjson, running,
    wait_for, write,
)

OTHER = """
rule "third" {
  on   = { type = "visit.registered", data = { name = "n3" } },
  when = function(event) return view("names", "n3") ~= nil end,
  emit = function(event) return { type = "n3.came", data = { id = event.id } } end,
}
projection "names" {
  version = 1, on = { type = "visit.registered" }, key = "data.name", init = { times = 0 },
  fold = function(state, event) state.times = state.times + 1 return state end,
}
"""


@pytest.fixture(name="history")
def a_history(app):
    """A stopped engine's data folder, and what a running one's projection held."""
    with running(app, app / "data") as engine:
        engine("emit", "--file", "-", stdin=ndjson(50))
        wait_for("the greetings", lambda: len(engine(
            "tail", "--type", "visitor.greeted", "--since", "1", "--format", "json").lines) == 7)
        entries = {e["key"]: e["value"] for e in engine("query", "visits", "--format", "json").lines}
        over_http = engine("replay", app, "--from", "1", "--projections", "--url", engine.url)
        busy = engine("replay", app, "--from", "1")
        assert engine.stop() == 0
    assert busy.status == UNREACHABLE and "--url" in busy.err
    return app, entries, over_http


def test_replay_gives_what_was(history):
    app, entries, over_http = history
    stopped = dalamb("replay", app, "--from", "1", "--projections")
    assert stopped.status == DONE, stopped
    found = {e["key"]: e["value"] for e in stopped.lines if e.get("projection") == "visits"}
    assert found == entries
    calls = [line for line in stopped.lines if "call" in line]
    assert len(calls) == 7 and calls[0]["call"] == "greet" and calls[0]["payload"] == {"name": "n0"}
    assert len([line for line in stopped.lines if "emit" in line]) == 7
    assert over_http.status == DONE and over_http.lines == stopped.lines
    assert "greet-newcomers" in stopped.err and "events folded" in stopped.err
    assert "%" not in stopped.err  # no progress in a pipe


def test_replay_of_an_engine_that_was_killed(app):
    with running(app, app / "data") as engine:
        sent = engine("emit", "--file", "-", stdin=ndjson(500))
        assert sent.status == DONE
        engine.process.kill()
        engine.process.wait()
    result = dalamb("replay", app, "--from", "1", "--projections", "--format", "json")
    counts = [e["value"]["count"] for e in result.lines if e.get("projection") == "visits"]
    assert result.status == DONE and sum(counts) == 500
    assert json.loads(result.err)["projections"]["visits"]["folds"] == 500


def test_replay_through_other_rules(history, tmp_path):
    app, _, _ = history
    write(tmp_path / "other", rules__r_lua=OTHER)
    out = tmp_path / "out.ndjson"
    result = dalamb("replay", app, "--from", "-1h", "--rules", tmp_path / "other", "--to-file", out,
                    "--projections", "--format", "json")
    assert result.status == DONE and result.out == ""
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    emitted = [line["emit"] for line in lines if "emit" in line]
    assert [e["data"]["id"] for e in emitted] == ["v10", "v17", "v24", "v31", "v38", "v45"]
    summary = json.loads(result.err)
    assert summary["rules"]["third"] == {"matched": 7, "passed": 6, "calls": 0, "emits": 6, "errors": 0}
    assert summary["projections"]["names"]["folds"] == 50
    first = lines[0]["position"]
    cut = dalamb("replay", app, "--from", first, "--to", lines[2]["position"],
                 "--rules", tmp_path / "other")
    assert cut.lines == lines[:2]  # what came before is folded, but not told


def test_replay_ends_where_a_rule_halts(history, tmp_path):
    app, _, _ = history
    write(tmp_path / "other", rules__r_lua="""
rule "all" { on = { type = "visit.registered" }, emit = function(e) return { type = "seen" } end }
rule "picky" {
  on = { type = "visit.registered" }, on_error = "halt",
  when = function(e) if e.id == "v20" then error("not this one") end end,
  emit = function(e) end,
}
""")
    result = dalamb("replay", app, "--from", "1", "--rules", tmp_path / "other")
    assert result.status == NO and "not this one" in result.err and "halt" in result.err
    seen = [line["position"] for line in result.lines if "emit" in line]
    assert len(seen) == len(set(seen)) == 21  # v0 to v20: each once, and none behind
    assert result.lines[-1]["effect"] == "halted" and result.lines[-1]["rule"] == "picky"


def test_replay_leaves_nothing_behind(history, tmp_path):
    app, _, _ = history
    before = {p: p.stat().st_mtime_ns for p in (app / "data/log").rglob("*.sst")}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert dalamb("replay", app, "--from", "1", TMPDIR=str(scratch)).status == DONE
    assert list(scratch.iterdir()) == []
    assert {p: p.stat().st_mtime_ns for p in (app / "data/log").rglob("*.sst")} == before
    assert dalamb("replay", app).status == USAGE
    assert dalamb("replay", app, "--from", "yesterday").status == USAGE
    none = dalamb("replay", app, "--from", "1", "--rules", tmp_path)
    assert none.status == NO and "no rule and no projection" in none.err
    gone = dalamb("replay", app, "--from", "1", "--data", tmp_path / "nowhere")
    assert gone.status == UNREACHABLE and "there is no log" in gone.err


def test_an_interrupted_replay_cleans_up(app, tmp_path):
    """Interrupted while it waits for an engine that is slow: here one that is no engine."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    server = subprocess.Popen(
        [sys.executable, "-c", SLOW], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        replay = subprocess.Popen(
            [str(PROGRAM), "replay", str(app), "--from", "1", "--url", f"http://127.0.0.1:{port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=environment(TMPDIR=str(scratch)))
        wait_for("its state", lambda: list(scratch.iterdir()))
        server.stdout.readline()  # it has begun to send
        replay.send_signal(signal.SIGINT)
        _, err = replay.communicate(timeout=60)
        assert replay.returncode == 128 + signal.SIGINT and "interrupted" in err
        assert list(scratch.iterdir()) == []
    finally:
        server.kill()
        server.communicate()


SLOW = r"""
import http.server, json, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        if self.path == "/v1/status":
            body = b'{"log":{"end":"1000000"}}'
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        print("begun", flush=True)
        for i in range(1, 1000000):
            event = {"specversion": "1.0", "id": str(i), "source": "/s", "type": "t", "data": "x" * 2000}
            line = {"position": "events/0/%d" % i, "appended": "2026-01-01T00:00:00Z", "event": event}
            self.wfile.write(json.dumps(line).encode() + b"\n")
            time.sleep(0.0005)
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
