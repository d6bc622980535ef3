#!/usr/bin/env python3
"""Runs the cases of patterns/NAME/{pattern.json,event.json,expected}: TAP, a line each.

Usage: patterns.py PATTERN_PAIRS FOLDER

`expected` is "match", "no" or "error: part of the message". Each pattern is asked alone, in a matcher
of its own and in one that holds all valid patterns of the folder; and of each that doesn't match,
explain must name a field and what was expected of it. Spelt in Lua it must be the same pattern.
"""

import subprocess
import sys
from pathlib import Path

import pattern_lua


def one_line(path):
    return " ".join(path.read_text(encoding="utf-8").split("\n")).rstrip()


class Case:
    def __init__(self, folder):
        self.name = folder.name
        self.pattern = one_line(folder / "pattern.json")
        self.event = one_line(folder / "event.json")
        self.expected = one_line(folder / "expected")
        self.valid = self.expected in ("match", "no")
        self.lua = self.spell() if self.valid else None

    def spell(self):
        try:
            return pattern_lua.spell(self.pattern)
        except pattern_lua.Unspeakable:
            return None


def ask(program, lines):
    done = subprocess.run([program], input="\n".join(lines) + "\n", stdout=subprocess.PIPE,
                          encoding="utf-8", check=True)
    return done.stdout.split("\n")


def check_error(case, answer):
    part = case.expected.removeprefix("error: ")
    good = case.expected != part and answer.startswith("error ") and part in answer
    return None if good else answer


def check(case, digit, digit_of_all, explanation):
    right = "1" if case.expected == "match" else "0"
    if digit != right or digit_of_all != right:
        return "alone %s, among all %s" % (digit, digit_of_all)
    if right == "1":
        return None if explanation == "match" else "explain says: " + explanation
    field, found, expected, hint = (explanation.split("\t") + [""] * 4)[:4]
    return None if field and expected else "explain says only: " + explanation


def check_lua(program, cases):
    """By the names of cases, what is wrong with them in Lua."""
    spelt = [case for case in cases if case.lua]
    lines = [line for case in spelt for line in ("C " + case.pattern, "L " + case.lua)]
    answers = ask(program, lines)
    return {case.name: "in Lua, %s: %s, not %s" % (case.lua, lua, json)
            for case, json, lua in zip(spelt, answers[::2], answers[1::2]) if lua != json}


def main():
    program, folder = sys.argv[1:]
    cases = [Case(path) for path in sorted(Path(folder).iterdir()) if path.is_dir()]
    valid = [case for case in cases if case.valid]
    lines = []
    for case in cases:
        lines += ["R", "P " + case.pattern]
        if case.valid:
            lines += ["E " + case.event, "X 0 " + case.event]
    lines.append("R")
    lines += ["P " + case.pattern for case in valid] + ["E " + case.event for case in valid]
    answers = ask(program, lines)
    of_all = answers[len(cases) + 3 * len(valid):]
    wrong_in_lua = check_lua(program, valid)
    places = {case.name: i for i, case in enumerate(valid)}

    print("1..%d" % len(cases))
    at = failed = 0
    for number, case in enumerate(cases, 1):
        parsed, at = answers[at], at + 1
        if not case.valid:
            wrong = check_error(case, parsed)
        elif parsed != "ok":
            wrong, at = parsed, at + 2
        else:
            place = places[case.name]
            wrong = check(case, answers[at], of_all[place][place], answers[at + 1])
            at += 2
        wrong = wrong or wrong_in_lua.get(case.name)
        failed += wrong is not None
        print("%sok %d - %s" % ("" if wrong is None else "not ", number, case.name))
        if wrong is not None:
            print("# expected %s; %s" % (case.expected, wrong))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
