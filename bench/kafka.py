"""A broker for benchmarks, and the processes that are measured on it. Not a benchmark itself."""
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from neighbours import broker  # noqa: E402
from support.engine import end_with_parent, free_port, wait_for  # noqa: E402

PATIENCE_S = 120
TICKS = os.sysconf("SC_CLK_TCK")


def broker_start(folder):
    """As `./dev kafka` runs it."""
    why = broker.missing()
    if why:
        sys.exit("kafka: " + why)
    return broker.Broker(folder, settings={"auto.create.topics.enable": "false"}).start()


def cpu_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


class Engine:
    """`dalamb run` on an app, which is a new one each time: nobody waits for an old member."""

    def __init__(self, build, folder, name, brokers=None, lua="", rules=""):
        app = Path(folder) / name
        (app / "rules").mkdir(parents=True)
        (app / "dalamb.lua").write_text(lua)
        (app / "rules/bench.lua").write_text(rules)
        self.port = free_port()
        kafka = {"DALAMB_LOG_KIND": "kafka", "DALAMB_LOG_BROKERS": brokers} if brokers else {}
        self.log = Path(folder) / (name + ".log")
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [f"{build}/dalamb", "run", app, "--data", app / "data",
                 "--listen", f"127.0.0.1:{self.port}"],
                stderr=log, env={**os.environ, **kafka}, preexec_fn=end_with_parent)
        try:
            wait_for(self.is_up, PATIENCE_S, "the engine's start")
        except BaseException:
            self.stop()
            raise

    def get(self, path):
        url = f"http://127.0.0.1:{self.port}{path}"
        return urllib.request.urlopen(url, timeout=PATIENCE_S).read().decode()

    def is_up(self):
        if self.process.poll() is not None:
            sys.exit("dalamb ended: " + self.log.read_text()[-2000:])
        try:
            return self.get("/readyz") is not None
        except OSError:
            return False

    def folded(self, topic):
        """Events of the topic that are folded in."""
        found = re.findall(r'dalamb_partition_next_offset\{([^}]*)\} (\S+)', self.get("/metrics"))
        return sum(int(float(next_)) for labels, next_ in found if f'topic="{topic}"' in labels)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
