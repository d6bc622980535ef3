#!/usr/bin/env python3
"""Random patterns on random events: the engine must say what naive.py says.

Usage: pattern_differential.py PATTERN_PAIRS PAIRS [SEED]

Names, strings and numbers come from small sets, so that patterns and events meet. Prints TAP, a
line for each round of 50 patterns on 50 events.
"""

import json
import random
import subprocess
import sys

import naive

NAMES = ["a", "b", "c", "A", ""]
STRINGS = ["", "a", "b", "ab", "ba", "aB", "Ab", "aab", "abab", "bab", "a*b", "*", "\\", "a.b", "1",
           "true", "null", "\u00e9", "\u00c9", "\u00df", "\u1e9e", "\u0130", "\u212a", "k", "K",
           "\u017fa", "sa", "\ud801\udc00".encode("utf-16", "surrogatepass").decode("utf-16"),
           "\U00010428", "\u023a", "\u2c65", "a\u0000b", "aaaaaaaaaaaaaaaaaaaaaaaab"]
NUMBERS = ["0", "-0", "0.0", "1", "1.0", "10e-1", "-1", "3", "300", "3e2", "300.00", "0.1", "0.10", "1e-1",
           "0.1000000000000000055511151231257827021181583404541015625", "9007199254740992",
           "9007199254740993", "9007199254740993.0", "9.007199254740993e15", "9223372036854775807",
           "-9223372036854775808", "1e308", "5e-324", "1e-400", "12345678901234567890.5",
           "1234567890123456789.05e1", "0.30000000000000004", "2.5", "-2.5"]
FEW_STRINGS = ["a", "b", "ab"]
FEW_NUMBERS = ["1", "1.0", "300", "3e2"]
WORDS = ["true", "false", "null"]
OPERATORS = ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, choices):
        return self.random.choice(choices)

    def string(self):
        if self.chance(0.3):
            return "".join(self.pick("aabAB") for _ in range(self.random.randrange(6)))
        return self.pick(self.pick([STRINGS, FEW_STRINGS]))

    def number(self):
        return self.pick(self.pick([NUMBERS, FEW_NUMBERS]))

    def text(self):
        return json.dumps(self.string(), ensure_ascii=self.chance(0.5))

    def scalar(self):
        return self.pick([self.text, self.text, self.number, lambda: self.pick(WORDS)])()

    def wildcard(self):
        text = ""
        for _ in range(self.random.randrange(7)):
            more = self.pick(["*", "*", "a", "b", "ab", "B", "\\*", "\\\\", "\u00e9"])
            if more != "*" or not text.endswith("*") or text.endswith("\\*"):
                text += more
        # "\\\\*" ends with a star that is none only if an odd number of backslashes precedes it
        return json.dumps(text if "**" not in text.replace("\\\\", "").replace("\\*", "") else "a*b")

    def affix(self):
        return '{"equals-ignore-case": %s}' % self.text() if self.chance(0.4) else self.text()

    def numeric(self):
        if self.chance(0.2):
            return '["=", %s]' % self.number()
        low, high = sorted([self.number(), self.number()], key=naive.Decimal)
        lower = '"%s", %s' % (self.pick([">", ">="]), low)
        upper = '"%s", %s' % (self.pick(["<", "<="]), high)
        if naive.Decimal(low) == naive.Decimal(high):
            lower, upper = '">=", ' + low, '"<=", ' + high
        return "[%s]" % self.pick([lower, upper, lower + ", " + upper, upper + ", " + lower])

    def several(self, make):
        if self.chance(0.5):
            return make()
        return "[%s]" % ", ".join(make() for _ in range(self.random.randint(1, 3)))

    def not_empty(self, make):
        while True:
            text = make()
            if '""' not in text:
                return text

    def anything_but(self):
        return self.pick([
            lambda: self.several(self.text),
            lambda: self.several(self.number),
            lambda: '{"prefix": %s}' % self.several(lambda: self.not_empty(self.affix)),
            lambda: '{"suffix": %s}' % self.several(lambda: self.not_empty(self.affix)),
            lambda: '{"equals-ignore-case": %s}' % self.several(self.text),
            lambda: '{"wildcard": %s}' % self.several(self.wildcard),
        ])()

    def entry(self):
        if self.chance(0.5):
            return self.scalar()
        name = self.pick(OPERATORS)
        argument = {
            "prefix": self.affix,
            "suffix": self.affix,
            "equals-ignore-case": self.text,
            "wildcard": self.wildcard,
            "anything-but": self.anything_but,
            "numeric": self.numeric,
            "exists": lambda: self.pick(["true", "false"]),
        }[name]()
        return '{"%s": %s}' % (name, argument)

    def leaf(self):
        return "[%s]" % ", ".join(self.entry() for _ in range(self.pick([1, 1, 1, 2, 3])))

    def pattern(self, depth=0):
        names = self.random.sample(NAMES, self.pick([1, 1, 1, 2, 3]))
        members = []
        for name in names:
            nested = depth < 3 and self.chance(0.45 if depth == 0 else 0.3)
            if nested and self.chance(0.2) and name:
                for inner in self.random.sample(["a", "b", "c"], self.pick([1, 2])):
                    members.append('"%s.%s": %s' % (name, inner, self.leaf()))
                continue
            value = self.pattern(depth + 1) if nested else self.leaf()
            members.append("%s: %s" % (json.dumps(name), value))
        if depth < 3 and self.chance(0.2):
            alternatives = [self.pattern(depth + 1) for _ in range(self.pick([1, 2, 2, 3]))]
            members.append('"$or": [%s]' % ", ".join(alternatives))
        return "{%s}" % ", ".join(members)

    def value(self, depth):
        kind = self.random.random()
        if depth < 4 and kind < 0.25:
            return self.event(depth + 1)
        if depth < 4 and kind < 0.55:
            elements = [self.value(depth + 1) for _ in range(self.pick([0, 1, 2, 2, 3]))]
            return "[%s]" % ", ".join(elements)
        return self.scalar()

    def event(self, depth=0):
        names = self.random.sample(NAMES, self.pick([0, 1, 3, 4, 5] if depth else [3, 4, 5]))
        return "{%s}" % ", ".join("%s: %s" % (json.dumps(name), self.value(depth)) for name in names)


def ask(program, lines):
    """All answers to all questions, in order."""
    done = subprocess.run([program], input="\n".join(lines) + "\n", stdout=subprocess.PIPE,
                          encoding="utf-8", check=True)
    return done.stdout.split("\n")


def compare(patterns, events, answers):
    """What is wrong in one round, and how many pairs matched."""
    wrong, matched = [], 0
    for pattern, answer in zip(patterns, answers):
        if answer != "ok":
            wrong.append("refused: %s: %s" % (pattern, answer))
    readable = [naive.read(pattern) for pattern in patterns]
    for event, answer in zip(events, answers[len(patterns):]):
        value = naive.read(event)
        for text, pattern, digit in zip(patterns, readable, answer):
            right = "01"[naive.matches(pattern, value)]
            matched += right == "1"
            if digit not in (right, "-"):
                wrong.append("%s on %s: %s, not %s" % (text, event, digit, right))
    return wrong, matched


def main():
    program, pairs, seed = sys.argv[1], int(sys.argv[2]), int((sys.argv + ["1"])[3])
    maker = Maker(seed)
    size = 50
    rounds = [([maker.pattern() for _ in range(size)], [maker.event() for _ in range(size)])
              for _ in range(max(1, pairs // size // size))]
    lines = []
    for patterns, events in rounds:
        lines += ["R"] + ["P " + pattern for pattern in patterns] + ["E " + event for event in events]
    answers = ask(program, lines)
    print("1..%d" % (len(rounds) + 1))
    failed, total = False, 0
    for number, (patterns, events) in enumerate(rounds, 1):
        start = (number - 1) * 2 * size
        wrong, matched = compare(patterns, events, answers[start:start + 2 * size])
        total += matched
        print("%sok %d - %d pairs, %d match" % ("not " if wrong else "", number, size * size, matched))
        for line in wrong[:5]:
            print("# " + line.encode("unicode_escape").decode())
        failed = failed or bool(wrong)
    # A generator whose patterns never meet its events would prove nothing.
    share = total / (len(rounds) * size * size)
    meets = 0.02 < share < 0.5
    print("%sok %d - %.1f %% of the pairs match" % ("" if meets else "not ", len(rounds) + 1, 100 * share))
    return 1 if failed or not meets else 0


if __name__ == "__main__":
    sys.exit(main())
