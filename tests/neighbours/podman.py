#!/usr/bin/env python3
"""A container engine: Podman's service with the Docker-compatible API on a Unix socket.

As a program, for people (./dev image): `podman.py build NAME CONTEXT` builds an image, `podman.py
serve WORD...` serves until Ctrl-C, and says what to type: the words, told of the socket. As a class,
for tests.

Images stay in build/podman; containers do not. Nothing here depends on how the machine's own Podman
is set up, and it works where a machine has hybrid cgroups and few capabilities (runc, cgroupfs, no
rise of limits).
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from support.engine import ROOT, end_with_parent, wait_for  # noqa: E402

FOLDER = ROOT / "build/podman"
TOOLS = ["podman", "runc", "netavark"]
START_S = 30
COMMAND_S = 300

CONTAINERS = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "%(folder)s/run/libpod"
[network]
network_backend = "netavark"
network_config_dir = "%(folder)s/networks"
"""
STORAGE = """[storage]
driver = "overlay"
graphroot = "%(folder)s/storage"
runroot = "%(folder)s/run"
"""


def missing():
    """Which of the tools that it takes are not there; None if all are."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/lib/podman"
    absent = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    return "there is no %s: ./dev test installs them" % ", ".join(absent) if absent else None


class Failed(Exception):
    """A command of Podman's failed; what it wrote."""


class Podman:
    def __init__(self, folder=FOLDER):
        self.folder = Path(folder).resolve()
        for name in ("", "run", "networks", "images"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        words = {"folder": self.folder}
        (self.folder / "containers.conf").write_text(CONTAINERS % words)
        (self.folder / "storage.conf").write_text(STORAGE % words)
        (self.folder / "registries.conf").write_text("unqualified-search-registries = []\n")
        self.environment = {
            **os.environ,
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.folder / "registries.conf"),
        }
        for name in ("CONTAINER_HOST", "DOCKER_HOST"):
            self.environment.pop(name, None)
        self.lock = (self.folder / "lock").open("w")
        self.process = None
        self.sockets = None

    # --- commands ---

    def run(self, *words):
        """What a command of Podman's writes."""
        done = subprocess.run(
            ["podman", *map(str, words)],
            env=self.environment, capture_output=True, text=True, timeout=COMMAND_S,
        )
        if done.returncode != 0:
            raise Failed("podman %s: %s" % (words[0], done.stderr.strip()))
        return done.stdout

    def build(self, name, folder, *more):
        """An image from a folder with a Containerfile; its id. Nothing is pulled."""
        return self.run("build", "-q", "--pull=never", "-t", name, *more, folder).strip()

    def build_static(self, name, program, *words):
        """An image with nothing but one static program in it."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(program).name
            shutil.copy(program, folder)
            entry = json.dumps(["/" + file, *words])
            text = "FROM scratch\nCOPY %s /\nENTRYPOINT %s\n" % (file, entry)
            Path(folder, "Containerfile").write_text(text)
            return self.build(name, folder)

    def build_probe(self, build):
        """Of tests/unit/functions/probe.c, which tests run from inside; as a command that an app may
        replace."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(Path(build, "tests/unit/functions/container_probe"), Path(folder, "probe"))
            text = 'FROM scratch\nCOPY probe /\nCMD ["/probe"]\n'
            Path(folder, "Containerfile").write_text(text)
            self.build("localhost/dalamb-probe", folder)
        return self

    def has_image(self, name):
        return bool(self.run("images", "-q", name).strip())

    def containers(self, label=None):
        """Those there are, whatever they do: what `podman ps` says of each."""
        words = ["--filter", "label=" + label] if label else []
        return json.loads(self.run("ps", "-a", "--format", "json", *words))

    def remove(self, label=None):
        for container in self.containers(label):
            try:
                self.run("rm", "-f", "-t", "0", container["Id"])
            except Failed as failed:
                if "no such container" not in str(failed):  # its engine was quicker
                    raise

    # --- the service ---

    @property
    def socket(self):
        return Path(self.sockets) / "podman.sock"

    @property
    def host(self):
        """As in DOCKER_HOST."""
        return "unix://%s" % self.socket

    def start(self, sockets=None):
        """Alone in its folder, it removes what another one has left behind; others may come."""
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.remove()
        except BlockingIOError:
            pass
        fcntl.flock(self.lock, fcntl.LOCK_SH)
        self.sockets = sockets or tempfile.mkdtemp(prefix="dalamb-podman-")
        self.socket.unlink(missing_ok=True)
        self.log = self.folder / "service.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["podman", "system", "service", "--time=0", self.host],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=end_with_parent,
            )
        wait_for(self.is_up, START_S, "the start of podman's service (%s)" % self.log)
        return self

    def probe(self):
        """Fails where this machine can't run a container."""
        self.build_static("localhost/dalamb-static", "/bin/busybox")
        self.run("run", "--rm", "--network", "none", "localhost/dalamb-static", "true")
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise Failed("podman's service ended: " + self.log.read_text()[-2000:])
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self):
        """The containers stay."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def unmount(self):
        """Podman leaves a mount on its storage, which keeps the folder from being deleted. Where
        others use it, it is busy, and stays."""
        subprocess.run(["umount", self.folder / "storage/overlay"], capture_output=True)

    def close(self):
        self.stop()
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.unmount()
        self.lock.close()
        if self.sockets and Path(self.sockets).name.startswith("dalamb-podman-"):
            shutil.rmtree(self.sockets, ignore_errors=True)


def serve(podman, *words):
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        podman.start(sockets=podman.folder)
        print("podman: serves on %s; Ctrl-C ends it" % podman.host)
        print("\nPaste this into a second terminal, in this folder:\n")
        print("  %s\n" % " ".join(["DOCKER_HOST=" + podman.host, *words]))
        sys.stdout.flush()
        podman.process.wait()
        raise Failed("podman's service ended, see %s" % podman.log)
    except KeyboardInterrupt:
        pass
    finally:
        podman.close()


def main():
    podman = Podman()
    try:
        if sys.argv[1] == "build":
            fcntl.flock(podman.lock, fcntl.LOCK_SH)
            podman.build(*sys.argv[2:])
            podman.close()
        else:
            serve(podman, *sys.argv[2:])
    except (Failed, OSError, AssertionError) as error:
        sys.exit("podman: %s" % error)
    except KeyboardInterrupt:
        sys.exit("podman: interrupted")


if __name__ == "__main__":
    main()
