"""`dalamb match`: gigabytes of events through rules, in order, in constant memory."""

import gzip
import json
import os
import pty
import random
import signal
import subprocess
import sys
import threading

import pytest

from cli_support import DONE, NO, PATIENCE_S, PROGRAM, USAGE, dalamb, environment

IS_A = '{"type": ["a"]}'
NAMED = json.dumps({"is-a": {"type": ["a"]}, "large": {"data": {"n": [{"numeric": [">", 10]}]}}})
MEMORY_MB = 120

# A sanitizer's own memory says nothing about ours.
sanitized = b"__asan_init" in PROGRAM.read_bytes()


def event(kind, n, **more):
    return json.dumps({"type": kind, "data": {"n": n, **more}}, separators=(",", ":"))


def write(path, *lines, end="\n"):
    path.write_text("".join(line + end for line in lines))
    return path


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


needs_zstd = pytest.mark.skipif(
    subprocess.run(["sh", "-c", "command -v zstd"], capture_output=True).returncode != 0,
    reason="no zstd",
)


# --- order and numbers --------------------------------------------------------------------------


def unequal_lines(count):
    """Some are tiny, some take long: workers overtake each other."""
    chance = random.Random(7)
    for i in range(count):
        more = {"x": [chance.randrange(1000) for _ in range(chance.choice([0, 0, 0, 5, 4000]))]}
        yield event("ab"[i % 2], i, **more)


@pytest.mark.parametrize("jobs", [1, 2, 7])
def test_output_has_the_order_of_the_input(tmp_path, jobs):
    lines = list(unequal_lines(4000))
    first = write(tmp_path / "1.ndjson", *lines[:1500])
    second = write(tmp_path / "2.ndjson", *lines[1500:1501])
    third = write(tmp_path / "3.ndjson", *lines[1501:])
    result = dalamb("match", IS_A, first, second, third, "--jobs", jobs)
    assert result.status == DONE
    assert result.out.splitlines() == lines[::2]
    inverted = dalamb("match", IS_A, first, second, third, "--jobs", jobs, "--invert")
    assert inverted.out.splitlines() == lines[1::2]


def test_broken_lines_are_numbered_file_by_file(tmp_path):
    lines = list(unequal_lines(3000))
    broken = {0: "{", 1499: '{"a":1,"a":2}', 1500: "nothing", 2999: '{"type":"a"} x'}
    for number, text in broken.items():
        lines[number] = text
    lines[2000] = ""
    files = [write(tmp_path / "1.ndjson", *lines[:1500]), write(tmp_path / "2.ndjson", *lines[1500:])]
    result = dalamb("match", IS_A, *files, "--count", "--jobs", 3)
    assert result.status == USAGE
    assert result.out == "%d\n" % (1500 - 3)
    told = result.err.splitlines()
    assert [line.rsplit(": ", 1)[0] for line in told[:4]] == [
        f"{files[0]}:1", f"{files[0]}:1500", f"{files[1]}:1", f"{files[1]}:1500"]
    assert "duplicate key" in told[1] and "byte 14" in told[3]
    assert told[4] == "dalamb match: 4 of 2999 lines are broken, and were passed over"
    assert len(told) == 5


def test_ends_of_lines_and_files(tmp_path):
    file = tmp_path / "events.ndjson"
    file.write_bytes(b'\xef\xbb\xbf{"type":"a"}\r\n\r\n  \t\n{"type":"b"}\n\n\n{"type":"a","n":1} \n {"type":"a"}')
    result = dalamb("match", IS_A, file, file)
    assert result.err == "" and result.status == DONE
    assert result.out.splitlines() == ['{"type":"a"}', '{"type":"a","n":1}', ' {"type":"a"}'] * 2
    file.write_bytes(b'{"type":"a"}\n\xef\xbb\xbf{"type":"a"}\n{"type":"\x00a"}\n{"type":"\xff"}\n')
    result = dalamb("match", IS_A, file)
    assert [line.split(":")[1] for line in result.err.splitlines()[:-1]] == ["2", "3", "4"]
    for nothing in (b"", b"\n", b"\r\n\n"):
        file.write_bytes(nothing)
        result = dalamb("match", IS_A, file)
        assert (result.status, result.out, result.err) == (NO, "", "")


def test_a_line_may_be_16_mib_long_and_no_more(tmp_path):
    def line(size):
        head = '{"type":"a","x":"'
        return head + "x" * (size - len(head) - 2) + '"}'

    limit = 16 << 20
    file = tmp_path / "events.ndjson"
    with file.open("w") as out:
        for size in (100, limit, limit + 1, 100, 3 * limit, 100, 2 << 20):
            out.write(line(size) + "\n")
        out.write(line(limit + 1))
    result = dalamb("match", IS_A, file)
    assert result.status == USAGE
    assert [len(text) for text in result.out.splitlines()] == [100, limit, 100, 100, 2 << 20]
    assert result.err.splitlines() == [
        f"{file}:{number}: longer than 16 MiB: passed over" for number in (3, 5, 8)
    ] + ["dalamb match: 3 of 8 lines are broken, and were passed over"]


# --- compressed ---------------------------------------------------------------------------------


def packed(kind, data):
    return gzip.compress(data, 1) if kind == "gz" else zstd(data)


kinds = pytest.mark.parametrize("kind", ["gz", pytest.param("zst", marks=needs_zstd)])


@kinds
def test_compressed_files_are_expanded_by_their_names(tmp_path, kind):
    lines = list(unequal_lines(2000))
    half = "\n".join(lines)[:1234567].encode()
    rest = ("\n".join(lines) + "\n").encode()[len(half):]
    file = tmp_path / f"events.ndjson.{kind}"
    file.write_bytes(packed(kind, half) + packed(kind, b"") + packed(kind, rest))
    plain = write(tmp_path / "plain", *lines[:100])
    result = dalamb("match", IS_A, plain, file, plain)
    assert result.status == DONE and result.err == ""
    assert result.out.splitlines() == lines[:100:2] + lines[::2] + lines[:100:2]


@kinds
def test_truncated_files_are_an_error_with_its_place(tmp_path, kind):
    lines = list(unequal_lines(1000))
    data = packed(kind, "".join(line + "\n" for line in lines).encode())
    file, behind = tmp_path / f"events.{kind}", write(tmp_path / "behind", event("a", -1))
    cut = len(data) * 2 // 3
    file.write_bytes(data[:cut])
    result = dalamb("match", IS_A, file, behind)
    assert result.status == USAGE
    printed = result.out.splitlines()
    assert printed[-1] == event("a", -1)
    assert printed[:-1] == lines[: 2 * len(printed) - 2 : 2] and len(printed) > 100
    place, _, why = result.err.partition(": ")
    assert why.endswith(f"the file ends at byte {cut}, too early\n") and "truncated" in why
    name, _, number = place.rpartition(":")
    assert name == str(file) and 2 * len(printed) - 2 <= int(number) <= 2 * len(printed)
    file.write_bytes(data[:cut] + b"x" * 100 + data[cut:])
    assert "broken" in dalamb("match", IS_A, file).err
    for wrong in (b"", lines[0].encode(), data + b"something else"):
        file.write_bytes(wrong)
        assert dalamb("match", IS_A, file).status == USAGE


@kinds
def test_compressed_bytes_without_such_a_name_are_told(tmp_path, kind):
    file = tmp_path / "events.ndjson"
    file.write_bytes(packed(kind, event("a", 1).encode()))
    result = dalamb("match", IS_A, file)
    assert result.status == USAGE and "ends with ." + kind in result.err
    assert len(result.err.splitlines()) == 1


# --- rules --------------------------------------------------------------------------------------

EVENTS = "".join(line + "\n" for line in (event("a", 1), event("b", 20), event("a", 300), event("b", 2)))


def test_rules_are_lua_or_json_or_named(tmp_path):
    lua = tmp_path / "rules.lua"
    lua.write_text("""
rule "is-a" { on = { type = "a" }, call = "f" }
projection "large" { version = 1, on = { data = { n = numeric(">", 10) } }, key = "type",
  init = {}, fold = function(state) return state end }
""")
    named = tmp_path / "named.json"
    named.write_text(NAMED)
    for rules in ([lua], [NAMED, "--named"], [named, "--named"]):
        assert dalamb("match", *rules, "--count", stdin=EVENTS).out == "2\tis-a\n2\tlarge\n"
        names = [line.split("\t")[0] for line in dalamb("match", *rules, "--names", stdin=EVENTS).out.splitlines()]
        assert names == ["is-a", "large", "is-a,large"]
        assert dalamb("match", *rules, "--invert", stdin=EVENTS).out == event("b", 2) + "\n"
    file = tmp_path / "pattern.json"
    file.write_text(IS_A)
    assert dalamb("match", file, "--count", stdin=EVENTS).out == "2\n"


def test_rules_of_an_app_have_its_lib_and_its_functions(tmp_path):
    for folder in ("rules", "lib", "lib/deep"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lib/kinds.lua").write_text('return { good = { "a" } }\n')
    rule = 'rule "is-a" { on = { type = require("kinds").good }, call = "f" }\n'
    (tmp_path / "rules/r.lua").write_text(rule)
    (tmp_path / "dalamb.lua").write_text('func "f" { command = "x" }\n' + rule)
    for rules, folder in (("rules/r.lua", tmp_path), ("r.lua", tmp_path / "rules"), ("dalamb.lua", tmp_path),
                          (tmp_path / "dalamb.lua", None)):
        assert dalamb("match", rules, "--count", folder=folder, stdin=EVENTS).out == "2\tis-a\n"
    (tmp_path / "rules/r.lua").write_text('func "f" { command = "x" }\n')
    assert "belongs in dalamb.lua" in dalamb("match", tmp_path / "rules/r.lua", stdin=EVENTS).err
    (tmp_path / "lib/kinds.lua").write_text("return {\n")
    result = dalamb("match", tmp_path / "dalamb.lua", stdin=EVENTS)
    assert result.status == USAGE and "lib/kinds.lua:" in result.err


def test_every_mistake_in_rules_is_told_with_its_place(tmp_path):
    named = tmp_path / "named.json"
    named.write_text('{"one": {"type": []},\n "two": {"type": ["a"]},\n "three": {"data":\n   {"n": 5}}, "a,b": {"x": [1]}}')
    result = dalamb("match", named, "--named", stdin=EVENTS)
    assert result.status == USAGE and result.out == ""
    told = result.err.splitlines()
    assert len(told) == 3
    assert told[0].startswith(f"{named}:1: ") and "one" in told[0]
    assert told[1].startswith(f"{named}:4: ") and "three" in told[1]
    assert told[2].startswith(f"{named}:4: ") and "comma" in told[2]
    for wrong in (["[1]", "--named"], ["{}", "--named"], ["{", "--named"], ["{"], [tmp_path / "no"], [""]):
        assert dalamb("match", *wrong, stdin=EVENTS).status == USAGE
    empty = tmp_path / "empty.lua"
    empty.write_text("local a = 1\n")
    assert "declares no rule" in dalamb("match", empty, stdin=EVENTS).err


# --- what is printed ----------------------------------------------------------------------------


def test_what_options_print():
    def match(*options):
        return dalamb("match", NAMED, "--named", *options, stdin=EVENTS)

    assert match("--names", "--format", "json").lines == [
        {"names": ["is-a"], "event": {"type": "a", "data": {"n": 1}}},
        {"names": ["large"], "event": {"type": "b", "data": {"n": 20}}},
        {"names": ["is-a", "large"], "event": {"type": "a", "data": {"n": 300}}},
    ]
    assert match("--count", "--format", "json").json == {"is-a": 2, "large": 2}
    assert match("--count", "--invert").out == "1\n"
    assert match("--count", "--invert", "--format", "json").json == {"unmatched": 1}
    assert dalamb("match", IS_A, "--count", "--format", "json", stdin=EVENTS).json == {"matched": 2}


def test_explain_says_which_field_failed_first():
    result = dalamb("match", NAMED, "--named", "--explain", stdin=EVENTS)
    assert result.status == DONE
    lines = result.out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith('stdin:4: is-a: type is "b", expected "a"')
    assert lines[1].startswith("stdin:4: large: data.n is 2, expected a number > 10")
    inverted = dalamb("match", IS_A, "--explain", "--invert", "--format", "json", stdin=EVENTS)
    assert inverted.status == DONE
    assert [(line["line"], line["event"]["data"]["n"]) for line in inverted.lines] == [(2, 20), (4, 2)]
    reason = inverted.lines[0]["reasons"][0]
    assert inverted.lines[0]["file"] == "stdin"
    assert (reason["field"], reason["found"], reason["expected"]) == ("type", "b", '"a"')
    assert "name" not in reason
    missing = dalamb("match", '{"data":{"m":[1]}}', "--explain", stdin=event("a", 1))
    assert missing.status == NO and missing.out.startswith("stdin:1: data.m is missing, expected 1")


def test_options_that_contradict_are_usage():
    for wrong in (["--names", "--count"], ["--explain", "--names"], ["--explain", "--count"],
                  ["--invert", "--names"], ["--jobs", "0"], ["--jobs", "257"], ["--jobs", "x"],
                  ["--format", "xml"], ["--what"]):
        result = dalamb("match", IS_A, *wrong, stdin=EVENTS)
        assert result.status == USAGE and result.out == "" and "--help" in result.err


def test_exit_statuses(tmp_path):
    def status(*arguments, stdin=EVENTS):
        return dalamb("match", *arguments, stdin=stdin).status

    broken, only = EVENTS + "{\n", event("a", 1)
    assert status(IS_A) == status(IS_A, "--count") == status(IS_A, "--invert") == DONE
    assert status('{"type":["z"]}') == status('{"type":["z"]}', "--count") == NO
    assert status('{"type":["z"]}', "--invert") == DONE
    assert status(IS_A, "--invert", stdin=only) == status(IS_A, "--invert", "--count", stdin=only) == NO
    assert status(IS_A, stdin=broken) == status(IS_A, "--count", stdin=broken) == USAGE
    assert status('{"type":["z"]}', "--invert", stdin=broken) == USAGE
    assert status() == USAGE
    file = write(tmp_path / "events", only)
    missing = dalamb("match", IS_A, tmp_path / "none", file, tmp_path)
    assert missing.status == USAGE and missing.out == only + "\n"
    assert missing.err.splitlines() == [
        f"{tmp_path}/none: No such file or directory", f"{tmp_path}: Is a directory"]


# --- pipes and terminals ------------------------------------------------------------------------


def test_a_closed_pipe_ends_it_quietly(tmp_path):
    file = write(tmp_path / "events", *([event("a", 1)] * 300000))
    process = subprocess.Popen(
        [str(PROGRAM), "match", IS_A, str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
    )
    assert process.stdout.readline() == event("a", 1).encode() + b"\n"
    process.stdout.close()
    assert process.wait(PATIENCE_S) in (0, -signal.SIGPIPE)
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_full_disk_is_told():
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [str(PROGRAM), "match", IS_A], input=EVENTS.encode(), stdout=full,
            stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE_S,
        )
    assert result.returncode == USAGE and b"can't be written" in result.stderr


def test_lines_come_out_as_they_come_in():
    process = subprocess.Popen(
        [str(PROGRAM), "match", IS_A, "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
    )
    for n in range(5):
        line = event("a", n).encode() + b"\n"
        process.stdin.write(event("b", n).encode() + b"\n" + line)
        process.stdin.flush()
        assert process.stdout.readline() == line
    process.stdin.write(event("a", 5).encode())
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert out == event("a", 5).encode() + b"\n" and process.returncode == DONE


def terminal(*arguments, **more):
    """What a terminal on stderr shows."""
    ours, theirs = pty.openpty()
    shown = []

    def read():
        try:
            while piece := os.read(ours, 65536):
                shown.append(piece)
        except OSError:
            pass

    process = subprocess.Popen(
        [str(PROGRAM), *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=theirs, env=environment(), **more,
    )
    os.close(theirs)
    reader = threading.Thread(target=read)
    reader.start()
    process.wait(PATIENCE_S)
    reader.join()
    os.close(ours)
    return b"".join(shown).decode()


def test_progress_is_shown_on_a_terminal(tmp_path):
    rules = {f"r{i}": {"type": ["z"], "data": {"n": [i]}} for i in range(1000)}
    file = write(tmp_path / "events", *unequal_lines(6000), "{")
    shown = terminal("match", json.dumps(rules), "--named", "--explain", file)
    assert " MB/s  " in shown and " %  " in shown and " s left" in shown
    assert f"\r\x1b[K{file}:6001: " in shown.replace("\r\n", "\n")
    piped = dalamb("match", json.dumps(rules), "--named", "--count", file)
    assert piped.err.startswith(f"{file}:6001: ")


# --- memory -------------------------------------------------------------------------------------


# A child's figure begins with what its parent had when it was forked: so the parent is a small one.
MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


def peak_mb(*arguments):
    command = [sys.executable, "-S", "-c", MEASURE, str(PROGRAM), "match", *map(str, arguments)]
    return float(subprocess.run(command, capture_output=True, check=True, env=environment()).stdout)


@pytest.mark.skipif(sanitized, reason="a sanitizer's own memory says nothing about ours")
def test_memory_does_not_grow_with_the_input(tmp_path):
    file = tmp_path / "events"
    block = "".join(line + "\n" for line in unequal_lines(2000))
    with file.open("w") as out:
        for _ in range(200_000_000 // len(block) + 1):
            out.write(block)
    assert peak_mb(IS_A, file, "--jobs", 2) < MEMORY_MB
    with gzip.open(tmp_path / "events.gz", "wb", compresslevel=1) as out:
        out.write(file.read_bytes())
    assert peak_mb(IS_A, tmp_path / "events.gz", "--jobs", 2) < MEMORY_MB
    # A name of a rule is longer than the events: of one chunk come 300 MB, in parts.
    many = {f"a-rule-with-a-rather-long-name-{i}": {"type": ["a"]} for i in range(1000)}
    short = write(tmp_path / "short", *(['{"type":"a"}'] * 100000))
    assert peak_mb(json.dumps(many), "--named", "--names", short, "--jobs", 2) < MEMORY_MB
    with (tmp_path / "long").open("w") as out:
        out.write('{"type":"a","x":"' + "x" * 200_000_000 + '"}\n')
    assert peak_mb(IS_A, tmp_path / "long", "--jobs", 2) < MEMORY_MB
