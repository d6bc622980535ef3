"""What a pattern means, written from the rules of the language and from nothing else.

Slow and obvious on purpose. Patterns and events are JSON texts; numbers are read as decimals, so
that equality and order are those of their values, whatever their size.
"""

import json
from decimal import Decimal

MISSING = object()


def read(text):
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def matches(pattern, event):
    """Both as read() gives them."""
    return object_matches(nest(pattern), event)


def nest(pattern):
    """A dot in a key means nesting: {"a.b": p, "a.c": q} is {"a": {"b": p, "c": q}}."""
    result = {}
    for key, value in pattern.items():
        if key == "$or":
            result[key] = [nest(alternative) for alternative in value]
            continue
        *way, last = key.split(".")
        place = result
        for name in way:
            place = place.setdefault(name, {})
        if isinstance(value, dict):
            merge(place.setdefault(last, {}), nest(value))
        else:
            place[last] = value
    return result


def merge(target, source):
    for key, value in source.items():
        if isinstance(value, dict):
            merge(target.setdefault(key, {}), value)
        else:
            target[key] = value


def flat(value):
    """What a value holds, with arrays in arrays laid flat."""
    if value is MISSING:
        return []
    if isinstance(value, list):
        return [inner for element in value for inner in flat(element)]
    return [value]


def object_matches(pattern, value):
    """All of the pattern within one and the same object; without any, within one that is empty."""
    objects = [inner for inner in flat(value) if isinstance(inner, dict)] or [{}]
    return any(all(part_matches(key, part, one) for key, part in pattern.items()) for one in objects)


def part_matches(key, part, event):
    if key == "$or":
        return any(object_matches(alternative, event) for alternative in part)
    value = event.get(key, MISSING)
    return object_matches(part, value) if isinstance(part, dict) else leaf_matches(part, value)


def leaf_matches(entries, value):
    scalars = [inner for inner in flat(value) if not isinstance(inner, dict)]
    if not scalars:
        return any(entry == {"exists": False} for entry in entries)
    return any(holds(entry, scalar) for entry in entries for scalar in scalars)


def same(a, b):
    """Equal, and of one kind: in Python True == 1."""
    return type(a) is type(b) and a == b


def fold(text):
    """Unicode simple case folding: one character becomes one."""
    folded = ""
    for character in text:
        new = character.casefold()
        if len(new) > 1:
            new = character.lower()
        folded += new if len(new) == 1 else character
    return folded


def holds(entry, scalar):
    if not isinstance(entry, dict):
        return same(entry, scalar)
    (name, argument), = entry.items()
    if name == "exists":
        return argument
    if name == "anything-but":
        return not any(holds(inner, scalar) for inner in excluded(argument))
    if name == "numeric":
        return isinstance(scalar, Decimal) and numeric(argument, scalar)
    if not isinstance(scalar, str):
        return False
    if name == "equals-ignore-case":
        return fold(argument) == fold(scalar)
    if name == "wildcard":
        return wildcard(pieces(argument), scalar)
    if isinstance(argument, dict):
        argument, scalar = fold(argument["equals-ignore-case"]), fold(scalar)
    return scalar.startswith(argument) if name == "prefix" else scalar.endswith(argument)


def excluded(argument):
    """The entries that anything-but lists, each spelt out."""
    if isinstance(argument, list):
        return argument
    if isinstance(argument, dict):
        (name, inner), = argument.items()
        return [{name: one} for one in (inner if isinstance(inner, list) else [inner])]
    return [argument]


def numeric(comparisons, number):
    signs = {
        "=": lambda bound: number == bound,
        "<": lambda bound: number < bound,
        "<=": lambda bound: number <= bound,
        ">": lambda bound: number > bound,
        ">=": lambda bound: number >= bound,
    }
    pairs = zip(comparisons[::2], comparisons[1::2])
    return all(signs[sign](bound) for sign, bound in pairs)


def pieces(text):
    """A list of characters, and None for each star."""
    result, at = [], 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
            result.append(text[at])
        else:
            result.append(None if text[at] == "*" else text[at])
        at += 1
    return result


def wildcard(pattern, text):
    """By the table of all prefixes of both."""
    row = [True] + [False] * len(text)
    for piece in pattern:
        new = [piece is None and row[0]]
        for i, character in enumerate(text):
            if piece is None:
                new.append(row[i + 1] or new[i])
            else:
                new.append(row[i] and character == piece)
        row = new
    return row[-1]
