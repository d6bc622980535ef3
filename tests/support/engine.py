"""An engine as a process: started on a free port, asked over HTTP, killed by its pid alone."""

import ctypes
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("DALAMB_PROGRAM", ROOT / "build/dalamb"))
FAULTS_PROGRAM = Path(os.environ.get("DALAMB_FAULTS_PROGRAM", ROOT / "build-faults/dalamb"))
INSPECT = PROGRAM.parent / "tests/crash/inspect"
START_S = 30  # generous: nothing here is timed
STOP_S = 60


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def end_with_parent():
    """In a child, before it runs: tests that are killed leave no engine behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Refused(Exception):
    """The engine ended instead of becoming ready; says what it wrote."""


def free_port():
    """Below those that the kernel gives to outgoing connections: an engine that is started again
    must find its port free."""
    while True:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
                return port
            except OSError:
                pass


def wait_for(question, limit_s=START_S, what="it", every_s=0.01):
    """The first answer that is true; waits for something to happen, never for some time."""
    end = time.monotonic() + limit_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError("%s did not happen in %d s" % (what, limit_s))
        time.sleep(every_s)


def alive(pid):
    """Does it run? (A zombie has ended.)"""
    try:
        stat = Path("/proc/%d/stat" % pid).read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def descendants(pid):
    """All processes below this one."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        below = children.get(left.pop(), [])
        found += below
        left += below
    return found


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return "<%d %r>" % (self.status, self.body[:500])


class Engine:
    def __init__(self, app, data, port=None, program=PROGRAM, log=None, env=None, args=()):
        self.app, self.data = Path(app), Path(data)
        self.port = port or free_port()
        self.program, self.args = program, list(args)
        self.log = Path(log) if log else self.data.parent / (self.data.name + ".log")
        self.env = env or {}
        self.process = None
        self.token = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def pid(self):
        return self.process.pid

    # --- life ---

    def launch(self, listen=None):
        """Starts the process and doesn't wait for anything."""
        command = [self.program, "run", self.app, "--data", self.data]
        command += ["--listen", listen or "127.0.0.1:%d" % self.port, "--log-json", *self.args]
        with self.log.open("ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        return self

    def start(self, listen=None):
        self.launch(listen)
        wait_for(self._ready, what="readiness; the engine says:\n%s\n" % self.said(), every_s=0.003)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise Refused("status %d: %s" % (self.process.returncode, self.said()))
        try:
            return self.get("/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def said(self):
        """What it has written since it was started."""
        with self.log.open("rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S)

    def close(self):
        """Whatever it does: afterwards it is gone, and what it started too."""
        if self.process and self.process.poll() is None:
            below = descendants(self.pid)
            self.process.send_signal(signal.SIGCONT)
            self.kill()
            for pid in below:
                wait_for(lambda: not alive(pid), 5, "the end of process %d" % pid)

    # --- HTTP ---

    def ask(self, method, target, body=None, headers=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", "Bearer " + self.token)
        try:
            connection.request(method, target, body=body, headers=headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, target, headers=None):
        return self.ask("GET", target, headers=headers)

    def post(self, target, document, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        return self.ask("POST", target, json.dumps(document), headers)

    def send(self, type, data=None, **attributes):
        """One event, structured; its position."""
        event = {
            "specversion": "1.0",
            "id": attributes.pop("id", None) or os.urandom(8).hex(),
            "source": attributes.pop("source", "/tests"),
            "type": type,
            "data": data,
            **attributes,
        }
        answer = self.post("/v1/events", event, {"Content-Type": "application/cloudevents+json"})
        assert answer.status == 200, answer
        return answer.json["position"]

    def events(self, **query):
        """The log, or what of it is asked for: items with position, appended and event."""
        query = "&".join("%s=%s" % item for item in query.items())
        answer = self.get("/v1/events?" + query, {"Accept": "application/x-ndjson"})
        assert answer.status == 200, answer
        return [json.loads(line) for line in answer.body.splitlines()]

    def pages(self, target, member):
        """All items of a list, page by page."""
        items, cursor = [], ""
        while True:
            page = self.get(target + "?limit=1000" + cursor)
            assert page.status == 200, page
            items += page.json[member]
            if "cursor" not in page.json:
                return items
            cursor = "&cursor=" + page.json["cursor"]

    def entries(self, projection):
        """A whole projection, by key."""
        items = self.pages("/v1/projections/" + projection, "entries")
        return {entry["key"]: entry for entry in items}

    def dead(self):
        return self.pages("/v1/dead", "dead")

    def entry(self, projection, key, position=None):
        query = "?min-position=%s&timeout=30s" % position if position else ""
        return self.get("/v1/projections/%s/%s%s" % (projection, key, query))

    def status(self):
        answer = self.get("/v1/status")
        assert answer.status == 200, answer
        return answer.json

    @staticmethod
    def is_idle(status):
        """All is folded, all is delivered."""
        return status["lag_events"] == 0 and status["undelivered_rows"] == 0

    def drain(self, patience_s=15):
        """Waits until nothing happens any more: idle, twice with the same end of the log. As long
        as the log grows, or a retry waits for its time, something happens."""
        last, since = None, time.monotonic()
        while True:
            status = self.status()
            now = (status["log"]["end"], self.is_idle(status))
            if now == last and now[1]:
                return
            if now != last or any(one["retrying"] for one in status["functions"]):
                last, since = now, time.monotonic()
            if time.monotonic() - since > patience_s:
                raise AssertionError("nothing happens, and it is not done: %s" % status)
            time.sleep(0.1)

    def resident_kb(self):
        for line in Path("/proc/%d/status" % self.pid).read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


def offset_of(position):
    return int(position.rpartition("/")[2])


def partition_of(position):
    """events/0 of events/0/17."""
    return position.rpartition("/")[0]


def inspect(what, data, *log):
    """What a stopped engine's folder says: tests/crash/inspect.c."""
    done = subprocess.run([INSPECT, what, data, *map(str, log)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused("inspect %s: %s" % (what, done.stderr))
    return done.stdout.split()


def write_app(folder, files):
    """An app's folder from a dictionary of its files."""
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Path(folder)
