"""examples/github as its README says: webhooks sent by its own script, and what becomes of them."""

import shutil
import subprocess
import sys

import pytest
from cli_support import DONE, NO, ROOT, dalamb, environment, running, wait_for

SECRET = "It's a Secret to Everybody"


@pytest.fixture(name="engine")
def the_example(tmp_path, walls):  # pylint: disable=unused-argument
    app = tmp_path / "github"
    shutil.copytree(ROOT / "examples/github", app, ignore=shutil.ignore_patterns("data"))
    with running(app, tmp_path / "data", GITHUB_SECRET=SECRET) as engine:
        engine.app = app
        yield engine


def send(engine, *arguments, secret=SECRET):
    return subprocess.run(
        [sys.executable, str(engine.app / "send.py"), "--url", engine.url, *arguments],
        capture_output=True, text=True, check=False, env=environment(GITHUB_SECRET=secret))


def entries(engine, projection):
    return {e["key"]: e["value"] for e in engine("query", projection, "--format", "json").lines}


def test_webhooks_become_projections_and_calls(engine):
    sent = send(engine)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "7 sent, 0 refused" in sent.stdout and sent.stdout.startswith("ping")
    triaged = wait_for("both answers", lambda: (
        lambda found: found if len(found) == 2 else None)(entries(engine, "triage")))
    assert triaged["ada/engine#11"]["severity"] == "high"
    assert triaged["ada/engine#12"] == {"issue": "ada/engine#12", "severity": "low", "team": "docs"}
    assert set(entries(engine, "open-issues")) == {"ada/engine#12", "ada/engine#13"}
    main = engine("query", "pushes", "ada/engine:main")
    assert main.json == {"pushes": 2, "commits": 3, "forced": 1, "head": "2c" * 20, "by": "charles"}
    rewritten = wait_for("the event", lambda: engine(
        "tail", "--since", "1", "--type", "branch.rewritten", "--format", "json").lines)
    assert [e["event"]["subject"] for e in rewritten] == ["ada/engine"]


def test_a_delivery_counts_once_and_a_wrong_secret_not_at_all(engine):
    assert send(engine).returncode == 0
    assert send(engine).stdout.count('"repeated":true') == 6
    forged = send(engine, secret="guess")
    assert forged.returncode == 1 and "7 sent, 7 refused" in forged.stdout
    assert wait_for("the pushes", lambda: entries(engine, "pushes"))["ada/engine:main"]["pushes"] == 2


def test_without_its_secret_it_does_not_start(tmp_path):
    result = dalamb("run", ROOT / "examples/github", "--data", tmp_path)
    assert result.status == NO and "GITHUB_SECRET" in result.err and "dalamb.lua:4" in result.err
    assert dalamb("check", ROOT / "examples/github", GITHUB_SECRET=SECRET).status == DONE
