"""The lines of the README: ./dev kafka and ./dev image in one terminal, what they print in another."""

import re
import signal
import subprocess
import sys

import pytest
from kafka_support import unique
from neighbours import broker as brokers
from neighbours import podman as podmans
from support.engine import ROOT, end_with_parent, free_port
from test_kafka_same import IMAGE, flag_an_order, renamed_shop
from test_shop import copy_of_shop


def foreground():
    """Hears Ctrl-C, also if these tests were started where it is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent()


class Foreground:
    """A program that runs until Ctrl-C; what it has printed when it is up."""

    def __init__(self, *words, last):
        self.process = subprocess.Popen(
            [sys.executable, *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT,
            preexec_fn=foreground,
        )
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if re.search(last, line):
                return
        raise AssertionError("it ended: " + self.said)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        self.process.stdout.read()
        return self.process.wait(60)

    def environment(self):
        """Of the line that it wants to be typed: NAME=value ... ./dev run."""
        (line,) = [line for line in self.said.splitlines() if line.endswith("./dev run")]
        return dict(word.split("=", 1) for word in line.split()[:-2])


def test_dev_kafka(engine, folder, walls, vendored):
    """What was on it is there when it is started again; a port that is taken is named."""
    if brokers.missing():
        pytest.skip(brokers.missing())
    port = free_port()
    words = [ROOT / "tests/neighbours/broker.py", folder / "kafka", port]
    kafka = Foreground(*words, last="./dev run")
    try:
        env = kafka.environment()
        assert env == {"DALAMB_LOG_KIND": "kafka", "DALAMB_LOG_BROKERS": "127.0.0.1:%d" % port}
        second = subprocess.run(
            [sys.executable, *map(str, words)], capture_output=True, text=True, cwd=ROOT
        )
        assert second.returncode == 1 and str(port) in second.stderr
        shop = engine(renamed_shop(folder, unique("shop")), env=env)
        flag_an_order(shop)
        assert shop.stop() == 0
    finally:
        assert kafka.interrupt() == 0
    kafka = Foreground(*words, last="./dev run")
    try:
        shop.start()
        assert shop.entry("flagged-orders", "o1").json["value"]["risk"] == 0.95
        assert len(shop.events(type="order.placed")) == 1
    finally:
        assert kafka.interrupt() == 0


def test_dev_image(engine, folder, podman):
    """(The fixture says whether containers can be had; this one has the socket that people get.)"""
    path = podmans.FOLDER / "podman.sock"
    if len(str(path)) > 100 or not podman.has_image(IMAGE):
        pytest.skip("no place for a socket, or no image: ./dev test builds it")
    words = ["DALAMB_FUNC_FRAUD_CHECK_IMAGE=" + IMAGE, "./dev", "run"]
    served = Foreground(ROOT / "tests/neighbours/podman.py", "serve", *words, last="./dev run")
    try:
        env = served.environment()
        assert env["DOCKER_HOST"] == "unix://%s" % path
        shop = engine(copy_of_shop(folder), env=env)
        flag_an_order(shop)
        assert podman.containers()
        assert shop.stop() == 0
    finally:
        assert served.interrupt() == 0
