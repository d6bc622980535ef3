"""What a pattern means, written from the rules of the language and from nothing else.

Slow and obvious on purpose. Patterns and events are JSON texts; numbers are read as decimals, so
that equality and order are those of their values, whatever their size.
"""

import datetime
import ipaddress
import json
import re
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
    return any(entry_matches(entry, scalars) for entry in entries)


def entry_matches(entry, scalars):
    """all-of is about all values of a field together, the others are about one."""
    if isinstance(entry, dict) and "all-of" in entry:
        wanted = [one if isinstance(one, list) else [one] for one in entry["all-of"]]
        return all(any(holds(inner, s) for inner in any_of for s in scalars) for any_of in wanted)
    return any(holds(entry, scalar) for scalar in scalars)


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
    if name == "regexp":
        return re.fullmatch(python_regexp(argument), scalar) is not None
    if name == "cidr":
        address = read_address(scalar)
        return address is not None and address in ipaddress.ip_network(argument, strict=False)
    if name in ("before", "after"):
        time, bound = read_time(scalar), read_time(argument)
        return time is not None and (time < bound if name == "before" else time > bound)
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


def python_regexp(text):
    """I-Regexp says less than Python's; of what it says only the dot differs. (The tests have no
    categories but \\p{Nd}.)"""
    result, inside = "", False
    for token in re.findall(r"\\[pP]\{Nd\}|\\.|.", text, re.DOTALL):
        if token == "." and not inside:
            token = r"[^\n\r]"
        elif token in ("[", "]"):
            inside = token == "["
        result += {r"\p{Nd}": r"\d", r"\P{Nd}": r"\D"}.get(token, token)
    return result


def read_address(text):
    """No zones; Python refuses leading zeros, ports and brackets by itself."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
                  r"(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
DAYS_OF_400_YEARS = 146097


def read_time(text):
    """(seconds, nanoseconds) since a day long ago; digits past nanoseconds don't count."""
    match = TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    nanoseconds = int(((match[7] or "") + "000000000")[:9])
    offset_hours, offset_minutes = int(match[9] or 0), int(match[10] or 0)
    if max(hour, offset_hours) > 23 or max(minute, offset_minutes) > 59 or second > 60:
        return None
    try:  # Python has no year 0; 400 years later the calendar is the same
        days = datetime.date(year % 400 + 400, month, day).toordinal()
    except ValueError:
        return None
    days += year // 400 * DAYS_OF_400_YEARS
    offset = (offset_hours * 60 + offset_minutes) * (-60 if match[8] == "-" else 60)
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
    if second == 60:  # a leap second ends a day of UTC, and counts as the next day's start
        return (seconds, 0) if seconds % 86400 == 0 else None
    return seconds, nanoseconds
