#!/usr/bin/env python3
"""Writes rules and events for bench/match: match_data.py KIND RULES EVENTS FOLDER [SEED]

KIND is
  city      GeoJSON parcels of 500 to 800 bytes, like the city lots of San Francisco, of which the
            rule sets of match_city.json match about as many as of those; one NAME.json a set
  gh        GitHub's own example payloads (of 10 KB, as npm's @octokit/webhooks-examples has them);
            rules of the mix below over the 30 fields that vary most
  worst     one field of 24 letters; rules *a*b*c* with random letters
  stars     the same with *a*b*c*d*
  regexps   the same as regular expressions .*a.*b.*c.*d.*
  fields    580 fields an event; each rule names one of them, and no two the same value
  one       10 fields an event; all rules name the same one
  late      12 fields an event; all rules agree in three that always hold, and differ in the last
  small     orders of some 320 bytes; the mix
  parcel    the parcels of city without rules

The mix: 60 % exact on 2 or 3 fields, 15 % prefix, 10 % anything-but, 10 % numeric range, 5 %
wildcard or suffix, each with an exact field beside it; one value of each rule is nearly always its
own. Writes FOLDER/rules.json and FOLDER/events.ndjson. EVENTS of gh are all that there are, and
over again.
"""

import json
import random
import string
import sys
from collections import defaultdict
from pathlib import Path

from match_parcel import parcels

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "build/e2e/webhooks-examples.json"
LETTERS = string.ascii_lowercase


def nest(path, value):
    for name in reversed(path):
        value = {name: value}
    return value


def merge(target, source):
    for key, value in source.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
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


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Mix:
    """Rules of the mix over fields that occur, with values that occur there."""

    def __init__(self, r, events, width=30):
        self.r, self.values = r, defaultdict(list)
        for event in events:
            for path, value in leaves(event):
                self.values[path].append(value)
        kinds = {path: len(set(map(str, values))) for path, values in self.values.items()}
        often = [path for path, values in self.values.items()
                 if len(values) >= len(events) // 6 and kinds[path] >= 5]
        self.fields = sorted(often, key=lambda path: -kinds[path])[:width]
        self.texts = [path for path in self.fields if any(map(self.long_text, self.values[path]))]
        self.numbers = [path for path in self.fields if any(map(is_number, self.values[path]))]

    @staticmethod
    def long_text(value):
        return isinstance(value, str) and len(value) > 3

    def value(self, path, good=lambda value: True):
        while True:
            value = self.r.choice(self.values[path])
            if good(value):
                return value

    def own(self, path):
        """A value of this rule only; of some that occurs."""
        value = self.value(path, lambda value: value is not None and not isinstance(value, bool))
        if self.r.random() < 0.002:
            return value
        if isinstance(value, str):
            middle = len(value) // 2
            return value[:middle] + "%x" % self.r.getrandbits(20) + value[middle:]
        return value + self.r.randint(1, 10**7)

    def exact(self):
        paths = self.r.sample(self.fields, self.r.choice([2, 3]))
        pattern = nest(paths[0], [self.own(paths[0])])
        for path in paths[1:]:
            merge(pattern, nest(path, [self.value(path)]))
        return pattern

    def operator(self, kind):
        r = self.r
        path = r.choice(self.numbers if 0.85 <= kind < 0.95 else self.texts)
        if 0.85 <= kind < 0.95:
            value = self.value(path, is_number)
            return path, {"numeric": [">=", value - r.randint(0, 1000), "<", value + r.randint(1, 1000)]}
        value = self.value(path, self.long_text)
        if kind < 0.75:
            return path, {"prefix": value[:r.randint(3, len(value))]}
        if kind < 0.85:
            return path, {"anything-but": [value]}
        if r.random() < 0.5:
            return path, {"suffix": value[-r.randint(3, len(value)):]}
        return path, {"wildcard": value[:3].replace("*", "") + "*" + value[-2:].replace("*", "")}

    def rule(self):
        kind = self.r.random()
        if kind < 0.6:
            return self.exact()
        path, entry = self.operator(kind)
        beside = self.r.choice([field for field in self.fields if field != path])
        return merge(nest(path, [entry]), nest(beside, [self.own(beside)]))


def order(r):
    return {
        "specversion": "1.0", "id": "%032x" % r.getrandbits(128), "source": "/shop/" + r.choice("abcdefgh"),
        "type": r.choice(["order.placed", "order.cancelled", "order.paid", "cart.changed", "user.seen"]),
        "subject": "customer-%d" % r.randrange(5000), "time": "2026-11-%02dT10:13:26Z" % r.randint(1, 28),
        "data": {"customer": "c%d" % r.randrange(5000), "total": r.randrange(100000) / 100,
                 "country": r.choice(["FR", "DE", "IT", "ES", "NL", "BE", "AT", "PL"]),
                 "sku": "%s-%d" % (r.choice("ABCDEFGH"), r.randrange(2000)), "count": r.randrange(20)},
    }


def make_small(r, count, events):
    made = [order(r) for _ in range(events)]
    mix = Mix(r, made[:2000])
    return [mix.rule() for _ in range(count)], made


def make_gh(r, count, events):
    if not EXAMPLES.exists():
        sys.exit(f"match_data: {EXAMPLES} is not there; ./dev bench match-scale fetches it")
    examples = [one for group in json.loads(EXAMPLES.read_text()) for one in group["examples"]]
    mix = Mix(r, examples)
    times = max(1, round(events / len(examples)))
    return [mix.rule() for _ in range(count)], examples * times


def make_letters(r, count, events, stars, operator, star):
    made = [{"a": "".join(r.choice(LETTERS) for _ in range(24))} for _ in range(events)]
    rules = [{"a": [{operator: star + "".join(one + star for one in r.sample(LETTERS, stars))}]}
             for _ in range(count)]
    return rules, made


def make_worst(r, count, events):
    return make_letters(r, count, events, 3, "wildcard", "*")


def make_stars(r, count, events):
    return make_letters(r, count, events, 4, "wildcard", "*")


def make_regexps(r, count, events):
    return make_letters(r, count, events, 4, "regexp", ".*")


def make_fields(r, count, events):
    names = ["field_%03d" % i for i in range(580)]
    made = [{name: "v%d" % r.randrange(1000) for name in names} for _ in range(events)]
    return [{names[i % 580]: ["v%d" % (i // 580 * 50)]} for i in range(count)], made


def make_one(r, count, events):
    made = [{**{"field_%d" % i: "v%d" % r.randrange(1000) for i in range(9)},
             "key": "k%d" % r.randrange(2 * count)} for _ in range(events)]
    return [{"key": ["k%d" % i]} for i in range(count)], made


def make_late(r, count, events):
    made = [{"a": "same", "b": "same", "c": 7, **{"field_%d" % i: "v%d" % r.randrange(1000) for i in range(8)},
             "zone": "z%d" % r.randrange(2 * count)} for _ in range(events)]
    return [{"a": ["same"], "b": [{"prefix": "sa"}], "c": [{"numeric": [">", 1]}], "zone": ["z%d" % i]}
            for i in range(count)], made


def make_parcel(r, _, events):
    return [], parcels(r, events)


def write_rules(path, rules):
    path.write_text(json.dumps({"r%d" % i: one for i, one in enumerate(rules)}))


def make(kind, count, events, folder, seed=1):
    r = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "city":
        sets = json.loads((ROOT / "bench/match_city.json").read_text())["sets"]
        for name, one in sets.items():
            write_rules(folder / f"{name}.json", one["rules"])
        rules, made = [], parcels(r, events)
    else:
        rules, made = globals()[f"make_{kind}"](r, count, events)
    with open(folder / "events.ndjson", "w", encoding="utf-8") as out:
        for event in made:
            out.write(json.dumps(event, separators=(",", ":")) + "\n")
    write_rules(folder / "rules.json", rules)


def main():
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    kind, count, events, folder = sys.argv[1:5]
    make(kind, int(count), int(events), Path(folder), int((sys.argv + ["1"])[5]))


if __name__ == "__main__":
    main()
