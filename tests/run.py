#!/usr/bin/env python3
"""Runs the suites and counts their cases: the last line is "N passed, N failed".

Usage: tests/run.py [SUITE...]   (./dev test builds first and then calls this)

A suite is one of:

  unit, cases    executables that print TAP, declared by test(..., suite: 'unit') in meson.build
  asan           the same two, built with AddressSanitizer and UndefinedBehaviorSanitizer
  tsan           the unit tests of what has threads, built with ThreadSanitizer (in "all")
  e2e, crash     pytest folders; crash may also be executables that print TAP
  e2e-asan       e2e with the program that asan built (in "all")
  fuzz           libFuzzer: each target for some seconds, from its corpus on
  tidy           tests/tidy/tidy.py, which reads the source

What is not there yet is no failure; what ends without a plan, by a signal or too late, is one.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections import namedtuple
from pathlib import Path

from neighbours import broker as brokers
from neighbours import podman as podmans

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
USUAL = ["tidy", "unit", "cases", "asan", "fuzz", "e2e", "crash"]
EXTRA = ["tsan", "e2e-asan", "differential"]
TIME_LIMIT_S = 300
END_LINES = 40
PYTEST_LIMIT_S = 1800
FUZZ_S = {"usual": 30, "all": 300}

SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1:suppressions="
    + str(Path(__file__).resolve().parent / "tsan.supp"),
}

# What ./dev prepares for some tests, which are skipped without it.
PREPARED = {
    "DALAMB_TEST_AWSLAMBDARIC": BUILD / "lambda-python",
    "DALAMB_TEST_GO_LAMBDA": BUILD / "lambda-go/bootstrap",
    "DALAMB_TEST_GITHUB_EXAMPLES": BUILD / "e2e/webhooks-examples.json",
}

# How many passed, and the names of the others.
Result = namedtuple("Result", "passed failed skipped")


def failure(name):
    return Result(0, [name], [])


def add(results):
    total = Result(0, [], [])
    for result in results:
        total = Result(*(a + b for a, b in zip(total, result)))
    return total


def run(command, log, limit_s, environment=None, folder=ROOT):
    """The output and exit status of a program that gets no longer than its limit; its whole
    process group ends with it. The output goes to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    child = subprocess.Popen(
        [str(word) for word in command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = child.communicate(timeout=limit_s)
        status = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        output, _ = child.communicate()
        status = "no end after %d s" % limit_s
    log.write_bytes(output)
    return output.decode(errors="replace"), status


def count_tap(name, output, status):
    """Test Anything Protocol, as cmocka and our own programs print it."""
    plan = None
    result = Result(0, [], [])
    for line in output.splitlines():
        planned = re.match(r"1\.\.(\d+)", line)
        case = re.match(r"(not )?ok\b(?: \d+)?(?: -)? *(.*)", line)
        if planned:
            plan = (plan or 0) + int(planned.group(1))  # cmocka: one a group
        elif case:
            result = add([result, count_case(name, case.group(1), case.group(2))])
    seen = result.passed + len(result.failed) + len(result.skipped)
    if plan is None:
        return add([result, failure("%s: printed no plan (status %s)" % (name, status))])
    if seen != plan:
        return add([result, failure("%s: %d of %d cases (status %s)" % (name, seen, plan, status))])
    if status != 0 and not result.failed:
        return add([result, failure("%s: status %s" % (name, status))])
    return result


def count_case(name, is_not, text):
    full_name = "%s: %s" % (name, text)
    if re.search(r"# *skip", text, re.IGNORECASE):
        return Result(0, [], [full_name])
    return failure(full_name) if is_not else Result(1, [], [])


def count_junit(name, path, status):
    if not path.exists():
        return failure("%s: no report (status %s)" % (name, status))
    result = Result(0, [], [])
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        outcome = {child.tag: child.get("message") for child in case}
        full_name = "%s: %s.%s" % (name, case.get("classname"), case.get("name"))
        if "failure" in outcome or "error" in outcome:
            result.failed.append(full_name)
        elif "skipped" in outcome:
            result.skipped.append("%s (%s)" % (full_name, outcome["skipped"]))
        else:
            result = result._replace(passed=result.passed + 1)
    if status != 0 and not result.failed:
        result.failed.append("%s: status %s" % (name, status))
    return result


def tell_end(output):
    """What a failed program said last, where a person who reads CI's output sees it."""
    for line in output.splitlines()[-END_LINES:]:
        print("    | %s" % line, flush=True)


def counts(result):
    text = "%d passed, %d failed" % (result.passed, len(result.failed))
    return text + (", %d skipped" % len(result.skipped) if result.skipped else "")


def show(name, result, seconds):
    print("%-32s %s  %.1f s" % (name, counts(result), seconds))
    for skipped in result.skipped:
        print("    skipped: %s" % skipped)
    for failed in result.failed:
        print("    failed: %s" % failed)
    sys.stdout.flush()


def timed(name, action):
    start = time.monotonic()
    result = action()
    show(name, result, time.monotonic() - start)
    return result


def meson_tests(build, suite):
    """What `test(..., suite: SUITE)` declares in the meson.build files."""
    listing = subprocess.run(
        ["meson", "introspect", "--tests", str(build)], check=True, capture_output=True, cwd=ROOT
    )
    wanted = re.compile(r"(.*:)?%s$" % re.escape(suite))
    return [
        test for test in json.loads(listing.stdout) if any(wanted.match(s) for s in test["suite"])
    ]


def run_programs(build, suite, label, only=""):
    results = []
    for test in meson_tests(build, suite):
        if not re.match(only, test["name"]):
            continue
        name = "%s/%s" % (label, test["name"])
        log = LOGS / label / (re.sub(r"[^\w.-]+", "_", test["name"]) + ".log")
        prepared = {name: str(path) for name, path in PREPARED.items() if path.exists()}
        environment = {
            **SANITIZER_ENVIRONMENT, **prepared, "CMOCKA_MESSAGE_OUTPUT": "TAP", **test["env"]
        }
        limit_s = test["timeout"] if test["timeout"] > 30 else TIME_LIMIT_S  # 30: meson's default

        def one():
            # As meson does: what a test is given may be relative to the build's folder.
            output, status = run(test["cmd"], log, limit_s, environment, test["workdir"] or build)
            result = count_tap(name, output, status)
            if result.failed:
                tell_end(output)
            return result

        results.append(timed(name, one))
    return add(results)


@contextlib.contextmanager
def neighbours():
    """A broker and a container engine, named to the unit tests that want one."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if not brokers.missing():
            broker = brokers.Broker(folder, java=brokers.QUICK)
            stack.callback(broker.close)
            named(stack, "DALAMB_TEST_BROKERS", lambda: broker.start().address)
        if not podmans.missing():
            podman = podmans.Podman()
            stack.callback(podman.close)
            named(
                stack,
                "DALAMB_TEST_CONTAINERS",
                lambda: podman.start().probe().build_probe(BUILD).host,
            )
        yield


def named(stack, variable, start):
    try:
        os.environ[variable] = start()
        stack.callback(os.environ.pop, variable)
    except (OSError, AssertionError, podmans.Failed) as error:
        print("    no %s: %s" % (variable, error))


def run_pytest(suite, folder, build=BUILD):
    """The program under test is $DALAMB_PROGRAM."""
    folder = ROOT / "tests" / folder
    if not any(folder.glob("test_*.py")):
        return add([])
    report = LOGS / suite / "report.xml"
    environment = {**SANITIZER_ENVIRONMENT, "DALAMB_PROGRAM": str(build / "dalamb")}
    report.unlink(missing_ok=True)
    command = [BUILD / "venv/bin/python", "-m", "pytest", "-q", "--junitxml", report, folder]

    def one():
        print("%s: pytest has begun, its log comes at its end" % suite, flush=True)
        output, status = run(command, LOGS / suite / "pytest.log", PYTEST_LIMIT_S, environment)
        result = count_junit(suite, report, status)
        if result.failed:
            tell_end(output)
        return result

    return timed(suite, one)


def run_fuzz(seconds):
    """A case a target: some seconds of search, from its corpus on. (The corpus alone is a case of
    the suite "cases", with every compiler.)"""
    results = []
    for source in sorted((ROOT / "tests/fuzz").glob("*_fuzz.c")):
        target = source.name[: -len("_fuzz.c")]
        log = LOGS / "fuzz" / (target + ".log")

        def one():
            output, status = run(fuzz_command(target, seconds), log, seconds + TIME_LIMIT_S)
            if status == 0:
                return Result(1, [], [])
            tell_end(output)
            return failure("fuzz %s: status %s" % (target, status))

        results.append(timed("fuzz/" + target, one))
    return add(results)


def fuzz_command(target, seconds):
    found = BUILD / "fuzz" / target  # what is found goes here, not into the kept corpus
    queue = found / "corpus"
    queue.mkdir(parents=True, exist_ok=True)
    kept = ROOT / "tests/fuzz/corpus" / target
    return [
        ROOT / "build-fuzz/tests/fuzz" / (target + "_fuzz"),
        "-max_total_time=%d" % seconds,
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-artifact_prefix=%s/" % found,
        queue,
        *([kept] if kept.is_dir() else []),
    ]


def run_tidy():
    def one():
        command = [sys.executable, ROOT / "tests/tidy/tidy.py"]
        output, status = run(command, LOGS / "tidy/tidy.log", TIME_LIMIT_S)
        for line in output.splitlines():
            if line.startswith("#"):
                print("    %s" % line)
        return count_tap("tidy", output, status)

    return timed("tidy", one)


def run_asan():
    build = ROOT / "build-asan"
    return add([run_programs(build, kind, "asan-" + kind) for kind in ("unit", "cases")])


def run_tsan():
    # Without the one that forks beside threads, which ThreadSanitizer can't follow.
    threaded = r"(?!stream kill)(base|log|stream|dispatch|http|functions|connectors|api)[ _]"
    return run_programs(ROOT / "build-tsan", "unit", "tsan", threaded)


def run_suite(suite, seconds):
    with neighbours() if suite in ("unit", "asan", "tsan") else contextlib.nullcontext():
        return run_one(suite, seconds)


def run_one(suite, seconds):
    return {
        "tidy": run_tidy,
        "unit": lambda: run_programs(BUILD, "unit", "unit"),
        "cases": lambda: run_programs(BUILD, "cases", "cases"),
        "differential": lambda: run_programs(BUILD, "differential", "differential"),
        "asan": run_asan,
        "tsan": run_tsan,
        "fuzz": lambda: run_fuzz(seconds),
        "e2e": lambda: run_pytest("e2e", "e2e"),
        "e2e-asan": lambda: run_pytest("e2e-asan", "e2e", ROOT / "build-asan"),
        "crash": lambda: add([run_programs(BUILD, "crash", "crash"), run_pytest("crash", "crash")]),
    }[suite]()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(USUAL + EXTRA))
    suites = parser.parse_args().suites
    everything = "all" in suites
    if everything:
        os.environ.setdefault("DALAMB_TEST_ROWS", "100000")  # tests/e2e/README.md
        os.environ.setdefault("DALAMB_TEST_PAUSE_S", "60")
    suites = USUAL + EXTRA if everything else suites or USUAL
    for suite in suites:
        if suite not in USUAL + EXTRA:
            parser.error("no suite \"%s\": there are %s and all" % (suite, ", ".join(USUAL + EXTRA)))
    results = []
    for suite in suites:
        try:
            results.append(run_suite(suite, FUZZ_S["all" if everything else "usual"]))
        except (OSError, subprocess.CalledProcessError) as error:
            results.append(failure("%s: %s" % (suite, error)))
            print("    failed: %s: %s" % (suite, error))
    total = add(results)
    print("logs: %s" % LOGS.relative_to(ROOT))
    print(counts(total))
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
