"""The program as its users type it: commands, and an engine to ask."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("DALAMB_PROGRAM", ROOT / "build/dalamb")).resolve()
PATIENCE_S = 60

DONE, NO, USAGE, UNREACHABLE = 0, 1, 2, 3


class Result:
    def __init__(self, finished):
        self.status = finished.returncode
        self.out = finished.stdout
        self.err = finished.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __repr__(self):
        return f"status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def environment(**more):
    """Nothing of the caller's that dalamb would read."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DALAMB_", "GITHUB_SECRET"))}
    return {**clean, **more}


def dalamb(*arguments, stdin="", folder=None, **more):
    """Runs a command to its end."""
    command = [str(PROGRAM)] + [str(argument) for argument in arguments]
    return Result(
        subprocess.run(
            command, input=stdin, capture_output=True, text=True, cwd=folder,
            timeout=PATIENCE_S, env=environment(**more),
        )
    )


def wait_for(what, question):
    """Asks until the answer is true; gives it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """An engine, and commands that ask it."""

    def __init__(self, process, url, data):
        self.process, self.url, self.data = process, url, data

    def __call__(self, *arguments, **more):
        return dalamb(*arguments, **{"DALAMB_URL": self.url, **more})

    def is_ready(self):
        assert self.process.poll() is None, "the engine ended: " + self.process.stderr.read()
        try:
            with urllib.request.urlopen(self.url + "/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode


@contextlib.contextmanager
def running(app, data, **more):
    port = free_port()
    process = subprocess.Popen(
        [str(PROGRAM), "run", str(app), "--data", str(data), "--listen", f"127.0.0.1:{port}"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**more),
    )
    engine = Running(process, f"http://127.0.0.1:{port}", data)
    try:
        wait_for("the engine", engine.is_ready)
        yield engine
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def write(folder, **files):
    """Files of an app: rules__orders_lua is rules/orders.lua."""
    for name, text in files.items():
        path = pathlib.Path(folder, *name.split("__"))
        stem, _, suffix = path.name.rpartition("_")
        path = path.with_name(f"{stem}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def ndjson(count, first=0):
    return "".join(
        json.dumps({"specversion": "1.0", "id": f"v{i}", "source": "/test",
                    "type": "visit.registered", "data": {"name": f"n{i % 7}"}}) + "\n"
        for i in range(first, first + count)
    )


@pytest.fixture(name="fresh")
def a_fresh_app(tmp_path):
    """As `init` writes it."""
    folder = tmp_path / "hello"
    assert dalamb("init", folder).status == DONE
    return folder


@pytest.fixture(name="app")
def an_app(fresh):
    """The same for machines that can't make sandboxes."""
    file = fresh / "dalamb.lua"
    file.write_text(file.read_text().replace("timeout =", "sandbox = false,\n  timeout ="))
    return fresh
