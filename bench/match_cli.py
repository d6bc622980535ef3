#!/usr/bin/env python3
"""`dalamb match` beside grep -F and jq on the same NDJSON: ./dev bench match-cli [MB [SEED]]

A gigabyte of parcels (match_data.py) from the page cache. Each program runs three times, in
turn; what is printed is the median of the rates, CPU seconds per GB and the peak of memory.
All of them must find the same number of events.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DALAMB = os.environ.get("DALAMB_PROGRAM", str(ROOT / "build/dalamb"))
PATTERN = json.dumps({"properties": {"STREET": ["FULTON"]}})
HUNDRED = json.dumps({f"r{i}": {"properties": {"STREET": ["FULTON"], "BLOCK_NUM": [{"prefix": "%02d" % i}]}}
                      for i in range(100)})
WORK = [
    ("grep -c -F '\"STREET\":\"FULTON\"'", ["grep", "-c", "-F", '"STREET":"FULTON"'], ""),
    ("jq, select on one field", ["jq", "-c", 'select(.properties.STREET == "FULTON") | 1'], ""),
    ("dalamb match --count, one job", [DALAMB, "match", PATTERN, "--count", "--jobs", "1"], ""),
    ("dalamb match --count, all cores", [DALAMB, "match", PATTERN, "--count"], ""),
    ("dalamb match, events printed", [DALAMB, "match", PATTERN], ""),
    ("dalamb match, 100 rules, printed", [DALAMB, "match", HUNDRED, "--named"], ""),
    ("zcat | grep -c -F", ["sh", "-c", 'zcat "$0" | grep -c -F \'"STREET":"FULTON"\''], ".gz"),
    ("dalamb match --count, .gz", [DALAMB, "match", PATTERN, "--count"], ".gz"),
    ("dalamb match --count, .zst", [DALAMB, "match", PATTERN, "--count"], ".zst"),
]


def make(folder, megabytes, seed):
    """The same hundred thousand parcels over and over: what differs is who reads them."""
    subprocess.run([sys.executable, ROOT / "bench/match_data.py", "parcel", "0", "100000", folder, seed], check=True)
    block = (folder / "events.ndjson").read_bytes()
    file = folder / "big"
    with file.open("wb") as out:
        for _ in range(max(1, round(megabytes * 1e6 / len(block)))):
            out.write(block)
    subprocess.run(["sh", "-c", 'gzip -1 < "$0" > "$0.gz"; zstd -q -1 -f "$0"', file], check=True)
    return file


def run(command, file):
    """Seconds, CPU seconds, peak in MB, and how many events it found."""
    with tempfile.TemporaryFile() as out:
        started = time.monotonic()
        process = subprocess.Popen(["time", "-f", "%U %S %M", *command, file], stdout=out, stderr=subprocess.PIPE)
        _, said = process.communicate()
        seconds = time.monotonic() - started
        user, system, peak = said.split()[-3:]
        out.seek(0)
        lines = out.read().splitlines()
    found = int(lines[0]) if len(lines) == 1 else len(lines)
    return seconds, float(user) + float(system), int(peak) / 1024, found


def main():
    megabytes, seed = (sys.argv + ["1000", "1"][len(sys.argv) - 1:])[1:3]
    with tempfile.TemporaryDirectory(prefix="dalamb-bench-") as folder:
        file = make(Path(folder), float(megabytes), seed)
        size = file.stat().st_size / 1e9
        subprocess.run(["cat", file], stdout=subprocess.DEVNULL, check=True)
        runs = {name: [] for name, _, _ in WORK}
        for _ in range(3):
            for name, command, suffix in WORK:
                runs[name].append(run(command, f"{file}{suffix}"))
    agreed = {one[3] for measured in runs.values() for one in measured}
    if len(agreed) > 1:
        sys.exit(f"match-cli: they disagree on the number of events: {agreed}")
    grep = size / statistics.median(one[0] for one in runs[WORK[0][0]])
    for name, measured in runs.items():
        seconds, cpu, peak, found = (statistics.median(column) for column in zip(*measured))
        print(f"{name:36} {1000 * size / seconds:7.0f} MB/s {size / seconds / grep:6.2f} of grep "
              f"{cpu / size:6.2f} CPU s/GB {peak:5.0f} MB  {found:.0f} events", flush=True)


if __name__ == "__main__":
    main()
