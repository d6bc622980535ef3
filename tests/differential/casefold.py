#!/usr/bin/env python3
"""Every character that has two cases, in all planes and in both directions, through all operators
that disregard case; and its neighbours, which are others. Prints TAP.

Usage: casefold.py PATTERN_PAIRS CASEFOLD_TABLE_C
"""

import json
import re
import sys
import unicodedata
from pathlib import Path

import naive
from maker import CASE_PAIRS, CASED
from pattern_differential import ask

AT_ONCE = 10
ROW = re.compile(r"\{0x(\w+), 0x(\w+), (-?\d+), (\d+)\}")
SURROGATES = range(0xD800, 0xE000)


def table_agrees(path):
    text = Path(path).read_text(encoding="ascii")
    if "Unicode %s." % unicodedata.unidata_version not in text:
        return None
    folds = {}
    for first, last, delta, stride in ROW.findall(text):
        for code in range(int(first, 16), int(last, 16) + 1, int(stride)):
            folds[chr(code)] = chr(code + int(delta))
    return folds == {c: naive.fold(c) for c in CASED if naive.fold(c) != c}


def patterns_of(character):
    text = json.dumps(character)
    for argument in ('{"equals-ignore-case": %s}', '{"prefix": {"equals-ignore-case": %s}}',
                     '{"suffix": {"equals-ignore-case": %s}}',
                     '{"anything-but": {"equals-ignore-case": %s}}'):
        yield '{"a": [%s]}' % argument % text


def events_of(character):
    other = CASE_PAIRS[character]
    beside = [chr(code) for code in (ord(character) - 1, ord(character) + 1)
              if code not in SURROGATES]
    for text in [character, other, other + "x", "x" + other, *beside]:
        yield '{"a": %s}' % json.dumps(text)


def wrong_pairs(program, characters):
    patterns = [pattern for c in characters for pattern in patterns_of(c)]
    events = sorted({event for c in characters for event in events_of(c)})
    answers = ask(program, ["P " + pattern for pattern in patterns] + ["E " + e for e in events])
    for pattern in patterns:
        if next(answers) != "ok":
            yield pattern
    for event, digits in zip(events, answers):
        for pattern, digit in zip(patterns, digits):
            if digit != "01"[naive.matches(naive.read(pattern), naive.read(event))]:
                yield "%s on %s: %s" % (pattern, event, digit)


def main():
    program, table = sys.argv[1:]
    print("1..2")
    agrees = table_agrees(table)
    print("%sok 1 - the table is that of Unicode %s%s" % (
        "not " if agrees is False else "", unicodedata.unidata_version,
        " # skip the table is of another version" if agrees is None else ""))
    wrong = []
    for at in range(0, len(CASED), AT_ONCE):
        wrong += wrong_pairs(program, CASED[at:at + AT_ONCE])
    print("%sok 2 - %d characters meet their other case" % ("not " if wrong else "", len(CASED)))
    for line in wrong[:10]:
        print("# " + line)
    return 1 if wrong or agrees is False else 0


if __name__ == "__main__":
    sys.exit(main())
