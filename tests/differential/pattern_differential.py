#!/usr/bin/env python3
"""Random patterns on random events: the engine must say what naive.py says.

Usage: pattern_differential.py PATTERN_PAIRS PAIRS [SEED]

PATTERN_PAIRS asks each pattern alone, in a matcher of its own and in one matcher of all patterns of
the round. Some patterns are spelt in Lua, too, and must be the same. Prints TAP, a line for each
batch of rounds.
"""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cases"))

import naive
import pattern_lua
from maker import Maker

# Theme, patterns, events.
ROUNDS = [("mixed", 50, 50), ("mixed", 50, 50), ("crowd", 200, 25), ("mixed", 50, 50), ("prefix", 300, 20)]
PAIRS_OF_ROUNDS = sum(patterns * events for _, patterns, events in ROUNDS)
IN_LUA = 5  # patterns of a round


def in_lua(patterns):
    """Pairs of a pattern and its Lua, of those that Lua can spell."""
    for pattern in patterns:
        try:
            yield pattern, pattern_lua.spell(pattern)
        except pattern_lua.Unspeakable:
            pass


class Round:
    def __init__(self, maker, theme, patterns, events):
        maker.begin(theme)
        self.patterns = [maker.pattern() for _ in range(patterns)]
        self.events = [maker.event() for _ in range(events)]
        self.lua = list(in_lua(self.patterns[:IN_LUA]))

    def questions(self):
        lines = ["R"] + ["P " + pattern for pattern in self.patterns]
        lines += ["E " + event for event in self.events]
        for pattern, lua in self.lua:
            lines += ["C " + pattern, "L " + lua]
        return lines

    def check(self, answers):
        """What is wrong, and how many pairs matched."""
        wrong, matched = [], 0
        for pattern in self.patterns:
            answer = next(answers)
            if answer != "ok":
                wrong.append("refused: %s: %s" % (pattern, answer))
        readable = [naive.read(pattern) for pattern in self.patterns]
        for event in self.events:
            value = naive.read(event)
            for text, pattern, digit in zip(self.patterns, readable, next(answers)):
                right = "01"[naive.matches(pattern, value)]
                matched += right == "1"
                if digit not in (right, "-"):
                    wrong.append("%s on %s: %s, not %s" % (text, event, digit, right))
        for pattern, lua in self.lua:
            of_json, of_lua = next(answers), next(answers)
            if of_json != of_lua:
                wrong.append("%s is %s, in Lua %s" % (lua, of_lua, of_json))
        return wrong, matched


def ask(program, lines):
    """All answers to all questions, in order."""
    done = subprocess.run([program], input="\n".join(lines) + "\n", stdout=subprocess.PIPE,
                          encoding="utf-8", check=True)
    return iter(done.stdout.split("\n"))


def run_batch(program, maker):
    rounds = [Round(maker, *sizes) for sizes in ROUNDS]
    answers = ask(program, [line for one in rounds for line in one.questions()])
    results = [one.check(answers) for one in rounds]
    return [line for wrong, _ in results for line in wrong], sum(count for _, count in results)


def main():
    program, pairs, seed = sys.argv[1], int(sys.argv[2]), int((sys.argv + ["1"])[3])
    maker = Maker(seed)
    batches = max(1, pairs // PAIRS_OF_ROUNDS)
    print("1..%d" % (batches + 1))
    failed, total = False, 0
    for number in range(1, batches + 1):
        wrong, matched = run_batch(program, maker)
        total += matched
        print("%sok %d - %d pairs, %d match" % ("not " if wrong else "", number, PAIRS_OF_ROUNDS, matched))
        for line in wrong[:5]:
            print("# " + line.encode("unicode_escape").decode())
        failed = failed or bool(wrong)
    # A generator whose patterns never meet its events would prove nothing.
    share = total / (batches * PAIRS_OF_ROUNDS)
    meets = 0.02 < share < 0.5
    print("%sok %d - %.1f %% of the pairs match" % ("" if meets else "not ", batches + 1, 100 * share))
    return 1 if failed or not meets else 0


if __name__ == "__main__":
    sys.exit(main())
