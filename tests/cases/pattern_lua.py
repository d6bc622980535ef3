"""A pattern in its JSON form, spelt as in a rule file: the same operators by their other names."""

import json

NAMES = {
    "prefix": "prefix",
    "suffix": "suffix",
    "equals-ignore-case": "ignore_case",
    "wildcard": "wildcard",
    "anything-but": "anything_but",
    "numeric": "numeric",
    "exists": "exists",
    "cidr": "cidr",
    "regexp": "matches",
    "before": "before",
    "after": "after",
    "all-of": "all_of",
}


class Number(str):
    """A number's text."""


class Unspeakable(Exception):
    """Lua's numbers don't hold it."""


def read(text):
    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)


def spell(text):
    """The pattern as one line of Lua."""
    return fields(nest(read(text)))


def nest(pattern):
    """In JSON a dot in a key means nesting, in Lua it is part of the key."""
    result = {}
    for key, value in pattern.items():
        if key == "$or":
            result[key] = [nest(alternative) for alternative in value]
        else:
            merge(result, key.split("."), nest(value) if isinstance(value, dict) else value)
    return result


def merge(target, way, value):
    for name in way[:-1]:
        target = target.setdefault(name, {})
    if isinstance(value, dict):
        target = target.setdefault(way[-1], {})
        for key, inner in value.items():
            merge(target, [key], inner)
    else:
        target[way[-1]] = value


def fields(pattern):
    parts = []
    for key, value in pattern.items():
        if key == "$or":
            parts.append("any_of { %s }" % ", ".join(fields(alternative) for alternative in value))
        elif isinstance(value, dict):
            parts.append("[%s] = %s" % (string(key), fields(value)))
        else:
            parts.append("[%s] = %s" % (string(key), values(value)))
    return "{ %s }" % ", ".join(parts)


def values(entries):
    """One value needs no list around it."""
    return entry(entries[0]) if len(entries) == 1 else some(entries)


def some(entries):
    return "{ %s }" % ", ".join(entry(one) for one in entries)


def entry(value):
    if isinstance(value, dict):
        (name, argument), = value.items()
        if name == "numeric":
            return "numeric(%s)" % ", ".join(entry(one) for one in argument)
        return "%s(%s)" % (NAMES[name], entry(argument))
    if isinstance(value, list):
        return some(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return number(value) if isinstance(value, Number) else string(value)


def number(text):
    whole = text.lstrip("-").isdigit()
    if whole and -(2**63) < int(text) < 2**63 and text != "-0":
        return text
    digits = text.lower().split("e")[0].replace(".", "").strip("-0")
    if whole or len(digits) > 15 or digits and not 1e-300 < abs(float(text)) < 1e300:
        raise Unspeakable(text)
    return text


def string(text):
    return '"%s"' % "".join(
        c if " " <= c <= "~" and c not in '"\\' else "\\u{%x}" % ord(c) for c in text)
