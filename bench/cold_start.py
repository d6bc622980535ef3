#!/usr/bin/env python3
"""Cold starts of a static image, by the driver and by `podman run`: ./dev bench cold_start [ROUNDS]

Brings up a Podman of its own (tests/neighbours), builds the image and runs bench_cold_start, whose
head says what is measured.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from neighbours import podman as podmans  # noqa: E402

BUILD = Path(os.environ.get("DALAMB_BUILD", ROOT / "build"))
IMAGE = "localhost/dalamb-probe"


def main():
    if podmans.missing():
        sys.exit("cold_start: " + podmans.missing())
    podman = podmans.Podman()
    try:
        podman.start()
        with tempfile.TemporaryDirectory() as folder:
            probe = (BUILD / "tests/unit/functions/container_probe").read_bytes()
            Path(folder, "probe").write_bytes(probe)
            Path(folder, "probe").chmod(0o755)
            text = 'FROM scratch\nCOPY probe /\nCMD ["/probe"]\n'
            Path(folder, "Containerfile").write_text(text)
            podman.build(IMAGE, folder)
        command = [BUILD / "bench/bench_cold_start", podman.host, IMAGE, *sys.argv[1:2]]
        sys.exit(subprocess.run(command, env=podman.environment).returncode)
    finally:
        podman.close()


if __name__ == "__main__":
    main()
