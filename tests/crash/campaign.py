"""A campaign: an engine under load is killed again and again, on the same data; then it comes to
rest, and what is left is evidence for the checker."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import app
from checker import Evidence
from support.engine import (
    PROGRAM,
    Engine,
    Refused,
    alive,
    descendants,
    free_port,
    inspect,
    offset_of,
    partition_of,
    wait_for,
)

# For longer hunts, see README.md.
KILLS = int(os.environ.get("DALAMB_TEST_KILLS", 100))
POWER_LOSSES = int(os.environ.get("DALAMB_TEST_POWER_LOSSES", 20))
SEED = int(os.environ.get("DALAMB_TEST_SEED", 1))

QUIET_EVERY = 10  # each tenth kill comes when all that was said has been written down
QUIET_S = 1.0
STOP_EVERY = 7  # each seventh cycle ends by SIGTERM, under load: that loses nothing at all
LOAD_S = (0.05, 0.4)
HERE = Path(__file__).parent


def lines_of(path):
    """A journal; its last line may be half."""
    if not path.exists():
        return []
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.split("\n") if line]


def survivors(pids):
    """Those that don't end in good time."""
    try:
        wait_for(lambda: not any(map(alive, pids)), 5, "the end of the processes below")
    except AssertionError:
        return [pid for pid in pids if alive(pid)]
    return []


class Clients:
    """clients.py, as a child that is told what to do."""

    def __init__(self, port, folder, seed):
        command = [sys.executable, HERE / "clients.py", port, folder, seed]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().strip() == word, "clients.py has ended"

    def close(self):
        self.process.kill()
        self.process.wait()


class Campaign:
    """`volume`: None, or where the data lies, with crash() for a power loss (volume.py)."""

    on_kafka = False

    def __init__(
        self, folder, program=PROGRAM, fault=None, seed=1, volume=None, patience_s=15, env=None, **words
    ):
        """`words` go to app.write."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.journal = self.folder / "tries"
        self.volume = volume
        self.patience_s = patience_s  # how long nothing may happen before the end
        self.random = random.Random(seed)
        data = volume.path / "data" if volume else self.folder / "data"
        self.engine = Engine(
            app.write(self.folder / "app", self.journal, **words),
            data,
            port=free_port(),
            program=program,
            log=self.folder / "engine.log",
            env={**(env or {}), **({"DALAMB_FAULT": fault} if fault else {})},
        )
        self.clients = Clients(self.engine.port, self.folder, seed)
        self.evidence = Evidence(None, self.on_kafka)

    # --- cycles ---

    def load(self, quiet):
        time.sleep(self.random.uniform(*LOAD_S))
        if self.volume and self.random.random() < 0.5:
            self.volume.sync()  # now the state may stand behind the log, and not at its start
            time.sleep(self.random.uniform(*LOAD_S))
        if quiet:
            self.clients.tell("pause")
            time.sleep(QUIET_S)

    def last_causes(self):
        """The last event of each partition that a call was made for."""
        last = {}
        for line in lines_of(self.journal):
            cause = "/".join(line["row"].split("/")[1:4])
            if line["begun"] and offset_of(cause) >= offset_of(last.get(partition_of(cause), "/-1")):
                last[partition_of(cause)] = cause
        return list(last.values())

    def committed(self):
        """Where the state stands that was left: offsets by sequence."""
        marks = inspect("position", self.engine.data)
        return {"": offset_of(mark) for mark in marks}

    def crash(self, quiet):
        below = descendants(self.engine.pid)
        kill = {"from": time.time(), "quiet": quiet}  # it runs at this time, and no more at "to"
        if self.volume:
            self.volume.crash(self.engine)
            kill["to"] = time.time()
        else:
            self.engine.kill()
            kill["to"] = time.time()
            kill["orphans"] = survivors(below)
            kill["next"] = self.committed()
            kill["called"] = self.last_causes()
        self.evidence.kills.append(kill)

    def cycle(self, number):
        quiet = number % QUIET_EVERY == QUIET_EVERY - 1 and not self.volume
        self.engine.start()
        self.clients.tell("go")
        self.load(quiet)
        if number % STOP_EVERY == STOP_EVERY - 1:
            self.stop()
            self.engine.start()
        self.crash(quiet)

    def trouble(self, what, error):
        self.evidence.troubles.append("%s: %s" % (what, str(error)[-2000:]))

    def run(self, cycles):
        """Evidence that can be checked; may be called again to go on."""
        try:
            for number in range(cycles):
                self.cycle(number)
        except (Refused, AssertionError) as error:
            self.trouble("cycle %d" % len(self.evidence.kills), error)
        self.finish()
        return self.evidence

    # --- the end ---

    def finish(self):
        """Rest, what is to be seen then, and an orderly stop."""
        for part in (self.restart, self.rest, self.collect, self.stop):
            try:
                part()
            except (Refused, AssertionError) as error:
                self.trouble(part.__name__, error)
        self.evidence.acks = lines_of(self.folder / "acks")
        self.evidence.seen = lines_of(self.folder / "seen")
        self.evidence.tries = lines_of(self.journal)

    def restart(self):
        """An engine that refuses its state says that it may be deleted: so the log is seen."""
        try:
            self.engine.start()
        except Refused as error:
            self.trouble("the end", error)
            shutil.rmtree(self.engine.data / "state")
            self.engine.start()

    def rest(self):
        self.clients.tell("pause")
        self.engine.drain(self.patience_s)

    def collect(self):
        evidence, engine = self.evidence, self.engine
        evidence.log_id = engine.status()["log"]["id"]
        evidence.log = engine.events()
        self.collect_projections()
        evidence.dead = {letter["row"] for letter in engine.dead()}
        self.wait_for_tail()

    def collect_projections(self):
        self.evidence.sums = self.engine.entries("sums")
        self.evidence.completions = self.engine.entries("completions")
        self.evidence.emitted = self.engine.entries("emitted")

    def stop(self):
        status = self.engine.stop()
        if status != 0:
            self.trouble("stop", "status %d" % status)

    def wait_for_tail(self):
        """The reader has been shown all that there is."""
        end = offset_of(self.evidence.log[-1]["position"])

        def shown():
            seen = lines_of(self.folder / "seen")
            return seen and offset_of(seen[-1]["position"]) >= end

        wait_for(shown, what="the tail's end", every_s=0.1)

    def close(self):
        self.clients.close()
        self.engine.close()
