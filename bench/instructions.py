#!/usr/bin/env python3
"""Instructions an event costs the matcher, counted by callgrind: ./dev bench instructions [NAME...]

Three fixed workloads: fixed seeds, and the difference between one pass and four, so that building the
rules doesn't count. The same program on the same kind of processor gives the same figures, however
busy the machine is: a change shows what it costs. Below each, the functions that cost most.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import match_data

BUILD = Path(os.environ.get("DALAMB_BUILD", Path(__file__).resolve().parents[1] / "build"))
SEED = 1
PASSES = 4
LARGEST = 6
# Name: kind, rules, events, file of rules.
WORKS = {
    "city": ("city", 0, 2000, "EXACT.json"),
    "gh-10000": ("gh", 10000, 329, "rules.json"),
    "worst-1000": ("worst", 1000, 1000, "rules.json"),
}
LINE = re.compile(r"\s*([\d,]+) \([^)]*\)\s+(?:\S*:)?(\S+)")


def count(folder, rules, mode, passes):
    """Instructions by function."""
    out = folder / "callgrind.out"
    subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", BUILD / "bench/match",
                    folder / rules, folder / "events.ndjson", str(passes), mode], capture_output=True, check=True)
    listed = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", out], capture_output=True,
                            text=True, check=True).stdout
    counts = Counter()
    for line in listed.splitlines():
        found = LINE.match(line)
        if found:
            counts[found[2]] += int(found[1].replace(",", ""))
    return counts


def measure(folder, rules, mode, events):
    one, many = count(folder, rules, mode, 1), count(folder, rules, mode, PASSES)
    each = Counter({name: (many[name] - one[name]) / (PASSES - 1) / events for name in many})
    return each.pop("PROGRAM"), each


def main():
    names = sys.argv[1:] or WORKS
    with tempfile.TemporaryDirectory(prefix="dalamb-bench-") as base:
        for name in names:
            kind, rules, events, file = WORKS[name]
            folder = Path(base) / name
            match_data.make(kind, rules, events, folder, SEED)
            for mode in ("scan", "parse"):
                whole, each = measure(folder, file, mode, events)
                parts = ", ".join(f"{one} {cost:.0f}" for one, cost in each.most_common(LARGEST))
                print(f"{name} {mode}: {whole:.0f} instructions an event\n    {parts}", flush=True)


if __name__ == "__main__":
    main()
