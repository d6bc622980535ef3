"""Runs bench/match and its peers in turn on the same rules and events, and prints a table of them.

Five rounds of each engine one after the other (A B A B); rates are medians, and ratios medians of those
within a round, as the machine's speed changes from one to the next. A peer that can't do a pass within
its time is given a twentieth of the events; if it still can't, the table says so. All that answer must
have found the same number of matches for each rule.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import match_data

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("DALAMB_BUILD", ROOT / "build"))
PEERS = ROOT / "build/peers"
RULER = PEERS / "event-ruler"
SECONDS = 0.4
PATIENCE_S = 90
MEMORY = 6 << 30

ENGINES = {
    "scan": [BUILD / "bench/match"],
    "parse": [BUILD / "bench/match"],
    "quamina-rs": [PEERS / "quamina/release/match-quamina"],
    "event-ruler": ["java", "-XX:+UseSerialGC", "-Xmx3g", "-cp", f"{RULER}:{RULER}/*", "Match"],
    "simdjson": [BUILD / "bench/peers/match_simdjson"],
}


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def run(engine, rules, events, repeat):
    """What it printed; or, as a string, why it printed nothing."""
    command = [*ENGINES[engine], rules, events, str(repeat)]
    if engine in ("scan", "parse"):
        command.append(engine)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                              preexec_fn=None if engine == "event-ruler" else limit_memory)
    except subprocess.TimeoutExpired:
        return f"over {PATIENCE_S} s"
    except FileNotFoundError:
        return "absent"
    if done.returncode == 0:
        return json.loads(done.stdout)
    print(f"  {engine}: {done.stderr.strip()[:300]}", file=sys.stderr)
    return "refuses" if done.returncode == 3 else "crashes"


def fewer(events):
    lines = events.read_bytes().splitlines(keepends=True)
    part = events.with_name("fewer.ndjson")
    part.write_bytes(b"".join(lines[:max(1, len(lines) // 20)]))
    return part


def first(engine, rules, events):
    """A pass to see how long it takes: its result and the events that it could do."""
    result = run(engine, rules, events, 1)
    if result == f"over {PATIENCE_S} s":
        part = fewer(events)
        result = run(engine, rules, part, 1)
        return result, part
    return result, events


def differences(ours, theirs):
    if theirs is None or ours == theirs:
        return ""
    if not isinstance(ours, dict):
        return f"{theirs} matches, dalamb {ours}"
    found = [f"{rule} {theirs.get(rule)}, dalamb {count}" for rule, count in ours.items()
             if count != theirs.get(rule)]
    return "; ".join(found[:3]) + (f"; {len(found)} rules" if len(found) > 3 else "")


def rounds_of(results, rounds):
    """Fewer rounds where building takes most of the time."""
    slow = max(one["build_s"] + one["seconds"] for one in results.values() if not isinstance(one, str))
    return rounds if slow < 10 else min(rounds, 3)


def compare(name, rules, events, engines, rounds):
    """All rounds of all engines: {engine: [line, ...] or why not}, and what they disagree on."""
    firsts, files, disagreed = {}, {}, []
    for engine in engines:
        firsts[engine], files[engine] = first(engine, rules, events)
        if not isinstance(firsts[engine], str):
            reference = firsts["scan"] if files[engine] == events else run("scan", rules, files[engine], 1)
            difference = differences(reference["matches"], firsts[engine]["matches"])
            if difference:
                disagreed.append(f"{name}, {engine}: {difference}")
    able = [engine for engine in engines if not isinstance(firsts[engine], str)]
    measured = {engine: firsts[engine] if engine not in able else [] for engine in engines}
    for _ in range(rounds_of(firsts, rounds)):
        for engine in able:
            repeat = max(1, round(SECONDS / max(firsts[engine]["seconds"], 1e-4)))
            measured[engine].append(run(engine, rules, files[engine], repeat))
    return measured, disagreed


def short(rate):
    if rate >= 1e6:
        return f"{rate / 1e6:.2f}M"
    return f"{rate / 1e3:.0f}k" if rate >= 1e4 else f"{rate:,.0f}"


def median(lines, field):
    return statistics.median(line[field] for line in lines)


def ratio(ours, theirs):
    value = statistics.median(a["events_per_s"] / b["events_per_s"] for a, b in zip(ours, theirs))
    return f"{value:,.0f}×" if value >= 20 else f"{value:.1f}×"


def row(name, measured):
    """Rates; ratios of scanning to each of the others; seconds to build and peak memory."""
    ours, cells = measured["scan"], [name]
    for engine, lines in measured.items():
        if isinstance(lines, str):
            cells.append(lines)
        else:
            rate = short(median(lines, "events_per_s"))
            cells.append(rate if engine == "scan" else f"{rate} ({ratio(ours, lines)})")
    for engine in ("scan", "quamina-rs", "event-ruler"):
        lines = measured.get(engine, "")
        cells.append("" if isinstance(lines, str) else
                     f"{median(lines, 'build_s'):.2g} s, {median(lines, 'peak_rss_mb'):.0f} MB")
    return "| " + " | ".join(cells) + " |"


def main(about, works, usual=None):
    """works: {name: (kind, rules, events)}; kind city has a set of its own for each name."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("names", nargs="*", help=f"of {' '.join(works)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", default=",".join(ENGINES), help="of %(default)s; scan is always among them")
    arguments = parser.parse_args()
    engines = ["scan"] + [one for one in arguments.engines.split(",") if one != "scan"]
    head = ["", *engines, "built: dalamb", "quamina-rs", "event-ruler"]
    print("| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|", flush=True)
    disagreed, made = [], {}
    with tempfile.TemporaryDirectory(prefix="dalamb-bench-") as base:
        for name in arguments.names or usual or works:
            kind, count, events = works[name]
            folder = made.setdefault((kind, count), Path(base) / f"{kind}-{count}")
            if not folder.exists():
                match_data.make(kind, count, events, folder, arguments.seed)
            rules = folder / (f"{name}.json" if kind == "city" else "rules.json")
            measured, found = compare(name, rules, folder / "events.ndjson", engines, arguments.rounds)
            print(row(name, measured), flush=True)
            disagreed += found
    print("\n" + ("\n".join(["They disagree:", *disagreed]) if disagreed else "All that answer agree."))
