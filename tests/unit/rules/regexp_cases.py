#!/usr/bin/env python3
"""Writes random regular expressions with values that match and that don't:

	python3 tests/unit/rules/regexp_cases.py > tests/unit/rules/regexp_cases.ndjson

A line is {"regexp": ..., "match": [...], "miss": [...]}. What matches is said by the set of all
places where an expression can end, computed from its tree, and by Python's re, which must agree.
"""
import json
import random
import re
import unicodedata

ALPHABET = "abcA1-.^$\n\r\té\u0301Жß漢\U0001F600"
ESCAPED = {c: "\\" + c for c in "()*+-.?[\\]^{|}"}
ESCAPED.update({"\n": "\\n", "\r": "\\r", "\t": "\\t"})
CATEGORIES = "L Lu Ll Lo M Mn N Nd P Pd Po S So Sc C Cc Cn Z Zs".split()


class Set:
    """Characters by ranges and categories; `text` is how it is written."""

    def __init__(self, text, python, has):
        self.text, self.python, self.has = text, python, has


def literal(character):
    text = ESCAPED.get(character, character)
    return Set("[$]" if character == "$" else text, re.escape(character), lambda c: c == character)


def category():
    name, complement = random.choice(CATEGORIES), random.random() < 0.4
    return Set("\\%s{%s}" % ("P" if complement else "p", name), None,
               lambda c: unicodedata.category(c).startswith(name) != complement)


def members():
    for _ in range(random.randint(1, 3)):
        if random.random() < 0.2:
            yield category()
            continue
        first, last = sorted(random.choices(ALPHABET, k=2))
        if random.random() < 0.5:
            last = first
        text = ESCAPED.get(first, first)
        python = re.escape(first)
        if first != last:
            text += "-" + ESCAPED.get(last, last)
            python += "-" + re.escape(last)
        yield Set(text, python, lambda c, a=first, b=last: a <= c <= b)


def bracket():
    items, negated = list(members()), random.random() < 0.4
    python = None
    if all(item.python for item in items):
        python = "[%s%s]" % ("^" if negated else "", "".join(item.python for item in items))
    return Set("[%s%s]" % ("^" if negated else "", "".join(item.text for item in items)), python,
               lambda c: any(item.has(c) for item in items) != negated)


def one():
    kind = random.random()
    if kind < 0.6:
        return literal(random.choice(ALPHABET[:7]))
    if kind < 0.75:
        return Set(".", "[^\\n\\r]", lambda c: c not in "\n\r")
    return bracket() if kind < 0.92 else category()


def tree(depth):
    kind = random.random()
    if depth == 0 or kind < 0.3:
        return ("one", one())
    if kind < 0.6:
        return ("sequence", [tree(depth - 1) for _ in range(random.randint(0, 3))])
    if kind < 0.75:
        return ("choice", [tree(depth - 1) for _ in range(random.randint(1, 3))])
    low = random.randint(0, 3)
    quantifier = random.choice(
        [("*", 0, 99), ("+", 1, 99), ("?", 0, 1), ("{%d}" % low, low, low),
         ("{%d,}" % low, low, 99), ("{%d,%d}" % (low, low + 2), low, low + 2)])
    return ("repeat", tree(depth - 1), quantifier)


def write(node, group, python):
    """`group` is how a parenthesis opens."""
    if node[0] == "one":
        return node[1].python or "" if python else node[1].text
    if node[0] == "repeat":
        inner = write(node[1], group, python)
        inner = inner if node[1][0] == "one" else group + inner + ")"
        return inner + node[2][0]
    parts = [write(item, group, python) for item in node[1]]
    if node[0] == "choice":
        return group + "|".join(parts) + ")"
    return "".join(parts)


def has_category(node):
    if node[0] == "one":
        return node[1].python is None
    return any(map(has_category, node[1] if isinstance(node[1], list) else [node[1]]))


def ends(node, value, starts):
    if node[0] == "one":
        return {at + 1 for at in starts if at < len(value) and node[1].has(value[at])}
    if node[0] == "sequence":
        for item in node[1]:
            starts = ends(item, value, starts)
        return starts
    if node[0] == "choice":
        return set().union(*(ends(item, value, starts) for item in node[1]))
    _, low, high = node[2]
    found = set(starts) if low == 0 else set()
    for count in range(1, min(high, low + len(value) + 1) + 1):
        starts = ends(node[1], value, starts)
        if count >= low:
            found |= starts
    return found


def sample(node):
    if node[0] == "one":
        fitting = [c for c in ALPHABET if node[1].has(c)]
        return random.choice(fitting) if fitting else ""
    if node[0] == "sequence":
        return "".join(map(sample, node[1]))
    if node[0] == "choice":
        return sample(random.choice(node[1]))
    _, low, high = node[2]
    return "".join(sample(node[1]) for _ in range(random.randint(low, min(high, low + 2))))


def values(node):
    for _ in range(6):
        value = sample(node)[:12]
        yield value
        at = random.randint(0, len(value))
        yield value[:at] + random.choice(ALPHABET) + value[at:]
        yield value[:at] + value[at + 1:]
    yield ""


def main():
    random.seed(9485)
    for _ in range(1500):
        node = tree(3)
        line = {"regexp": write(node, "(", False), "match": [], "miss": []}
        python = None if has_category(node) else re.compile(write(node, "(?:", True))
        for value in sorted(set(values(node))):
            matches = len(value) in ends(node, value, {0})
            if python and bool(python.fullmatch(value)) != matches:
                raise SystemExit("re says otherwise: %r %r" % (line["regexp"], value))
            line["match" if matches else "miss"].append(value)
        print(json.dumps(line, ensure_ascii=False))


main()
