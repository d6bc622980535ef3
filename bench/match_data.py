#!/usr/bin/env python3
"""Writes rules and events for bench/match: match_data.py KIND RULES EVENTS FOLDER [SEED]

KIND is
  small   orders of some 320 bytes; rules of the mix below
  github  payloads of some 10 KB with some 60 fields of names that occur; the same mix
  worst   one field of 24 letters; rules *a*b*c* with random letters
  parcel  GeoJSON parcels of 500 to 800 bytes, like the city lots of San Francisco; no rules

The mix: 60 % exact on 2 or 3 fields, 15 % prefix, 10 % anything-but, 10 % numeric range, 5 %
wildcard or suffix, each with one exact field beside it. Writes FOLDER/rules.json, FOLDER/events.ndjson.
"""

import json
import random
import string
import sys
from collections import Counter
from pathlib import Path


def nest(path, value):
    for name in reversed(path):
        value = {name: value}
    return value


def merge(target, source):
    for key, value in source.items():
        if isinstance(value, dict) and key in target:
            merge(target[key], value)
        else:
            target[key] = value
    return target


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, path + (key,))
    elif not isinstance(value, list):
        yield path, value


def order(r):
    return {
        "specversion": "1.0", "id": "%032x" % r.getrandbits(128), "source": "/shop/" + r.choice("abcdefgh"),
        "type": r.choice(["order.placed", "order.cancelled", "order.paid", "cart.changed", "user.seen"]),
        "subject": "customer-%d" % r.randrange(5000), "time": "2026-11-%02dT10:13:26Z" % r.randint(1, 28),
        "data": {"customer": "c%d" % r.randrange(5000), "total": r.randrange(100000) / 100,
                 "country": r.choice(["FR", "DE", "IT", "ES", "NL", "BE", "AT", "PL"]),
                 "sku": "%s-%d" % (r.choice("ABCDEFGH"), r.randrange(2000)), "count": r.randrange(20)},
    }


def person(r):
    login = "".join(r.choice("abcdefghij") for _ in range(6))
    base = "https://api.github.com/users/" + login
    return {"login": login, "id": r.randrange(10**7), "type": r.choice(["User", "Bot", "Organization"]),
            "site_admin": False, **{name + "_url": base + "/" + name for name in (
                "avatar", "followers", "following", "gists", "starred", "events", "repos", "received_events")}}


def github(r):
    repository = {"id": r.randrange(10**8), "name": "repo-%d" % r.randrange(3000), "private": r.random() < 0.2,
                  "owner": person(r), "language": r.choice(["C", "Go", "Rust", "Lua", "Python", None]),
                  "stargazers_count": r.randrange(10000), "forks": r.randrange(500), "default_branch": "main",
                  "visibility": r.choice(["public", "private"]), "size": r.randrange(10**6)}
    repository.update({"%s_%s_url" % (a, b): "https://api.github.com/repos/x/%s/%s" % (a, b)
                       for a in ("git", "issue", "pull", "hook", "tag", "label")
                       for b in ("events", "comments", "refs", "commits", "merges", "keys", "trees")})
    return {"action": r.choice(["opened", "closed", "edited", "labeled", "created"]), "number": r.randrange(5000),
            "sender": person(r), "repository": repository, "organization": person(r),
            "issue": {"number": r.randrange(5000), "title": "Something with %d" % r.randrange(1000), "user": person(r),
                      "state": r.choice(["open", "closed"]), "comments": r.randrange(50), "locked": r.random() < 0.1,
                      "labels": [{"id": r.randrange(1000), "name": r.choice(["bug", "question", "help"])}
                                 for _ in range(3)],
                      "body": "lorem ipsum " * 120},
            "installation": {"id": r.randrange(1000), "node_id": "%x" % r.getrandbits(60)}}


def rule(r, pool, common):
    """Fields of one event that exists, so that the rule can match; one of them is a rare value."""
    fields = r.choice(pool)
    rare = [field for field in fields if common[field] <= 2] or fields
    strings = [(path, value) for path, value in fields if isinstance(value, str) and value]
    numbers = [(path, value) for path, value in fields if isinstance(value, (int, float)) and value is not True
               and value is not False]
    pattern, kind = {}, r.random()
    chosen = r.choice(rare)
    for path, value in [chosen] + r.sample(fields, r.choice([1, 2]) if kind < 0.6 else 0):
        merge(pattern, nest(path, [value]))
    path, value = r.choice([field for field in strings if field != chosen])
    if kind < 0.6:
        return pattern
    if kind < 0.75:
        entry = {"prefix": value[:max(2, len(value) - 2)]}
    elif kind < 0.85:
        entry = {"anything-but": [value]}
    elif kind < 0.95:
        path, value = r.choice([field for field in numbers if field != chosen])
        entry = {"numeric": [">=", value - 1, "<", value + 10]}
    elif r.random() < 0.5:
        entry = {"suffix": value[-max(2, len(value) // 2):]}
    else:
        entry = {"wildcard": value[:3].replace("*", "") + "*" + value[-2:].replace("*", "")}
    return merge(pattern, nest(path, [entry]))


def parcel(r):
    point = lambda: [round(-122.5 + r.random() / 8, 14), round(37.7 + r.random() / 10, 14), 0.0]
    points = [point() for _ in range(r.randint(5, 9))]
    lot = "%04d%03d" % (r.randint(1, 7000), r.randint(1, 250))
    kind = "Polygon" if r.random() > 0.001 else "MultiPolygon"
    return {"type": "Feature",
            "properties": {"MAPBLKLOT": lot, "BLKLOT": lot, "BLOCK_NUM": lot[:4], "LOT_NUM": lot[4:],
                           "FROM_ST": str(r.randrange(1, 4000)), "TO_ST": str(r.randrange(1, 4000)),
                           "STREET": r.choice(["JEFFERSON", "FULTON", "MASON", "HYDE", "BEACH", "CHESTNUT", "DRUMM",
                                               "MISSION", "LAKE", "BLAKE", "ACTON", "FUNSTON", "RHODE ISLAND"]),
                           "ST_TYPE": r.choice(["ST", "AVE", "BLVD", None]), "ODD_EVEN": r.choice("OE")},
            "geometry": {"type": kind, "coordinates": [[dict(zip("xyz", p)) for p in points]],
                         "firstCoordinates": dict(zip("xyz", points[0]))}}


def main():
    kind, count, events, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    r = random.Random(int((sys.argv + ["1"])[5]))
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "worst":
        letters = string.ascii_lowercase
        made = [{"a": "".join(r.choice(letters) for _ in range(24))} for _ in range(events)]
        rules = [{"a": [{"wildcard": "*%s*%s*%s*" % tuple(r.sample(letters, 3))}]} for _ in range(count)]
    else:
        made = [{"small": order, "github": github, "parcel": parcel}[kind](r) for _ in range(events)]
        pool = [list(leaves(event)) for event in made[:2000]]
        common = Counter(field for fields in pool for field in fields)
        rules = [] if kind == "parcel" else [rule(r, pool, common) for _ in range(count)]
    with open(folder / "events.ndjson", "w", encoding="utf-8") as out:
        for event in made:
            out.write(json.dumps(event, separators=(",", ":")) + "\n")
    (folder / "rules.json").write_text(json.dumps({"r%d" % i: one for i, one in enumerate(rules)}))


if __name__ == "__main__":
    main()
