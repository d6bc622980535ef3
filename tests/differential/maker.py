"""Random patterns and events that are built to collide.

What stands in a round's patterns comes again in its events: as it is, spelt otherwise, or a little
beside. A round has a theme: fields and objects of all kinds; one field that many patterns name;
hundreds of patterns that share a prefix.
"""

import ipaddress
import json
import random
from decimal import Decimal

import naive

NAMES = ["a", "b", "c", "A", ""]
STRINGS = ["", "a", "b", "ab", "ba", "aB", "Ab", "aab", "abab", "bab", "a*b", "*", "\\", "a.b", "1",
           "true", "null", "\u00e9", "\u00c9", "\u00df", "\u1e9e", "\u0130", "\u212a", "k", "K",
           "\u017fa", "sa", "\U00010400", "\U00010428", "\u023a", "\u2c65", "a\u0000b", "a\nb",
           "aaaaaaaaaaaaaaaaaaaaaaaab"]
NUMBERS = ["0", "1", "-1", "3", "300", "0.1", "2.5", "-2.5", "9007199254740992", "9007199254740993",
           "0.1000000000000000055511151231257827021181583404541015625", "9223372036854775807",
           "-9223372036854775808", "1e308", "5e-324", "1e-400", "12345678901234567890.5",
           "12345678901234567890.50000000000000000001", "0.30000000000000004"]
WORDS = ["true", "false", "null"]
ADDRESSES = ["10.0.0.0", "10.0.0.77", "192.168.31.255", "0.0.0.0", "255.255.255.255", "::", "::1",
             "2001:db8::1", "fe80::1", "::ffff:10.0.0.1", "::10.0.0.1", "64:ff9b::192.0.2.33",
             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]
NO_ADDRESSES = ["10.0.0.01", "10.0.0", "10.0.0.1:80", "[::1]", "fe80::1%1", "1::2::3", "10.0.0.0/8",
                "1:2:3:4:5:6:7", "::10.0.0.256", "12345::", ":::"]
TIMES = [("2026-11-24", 10, 13, 26), ("2016-12-31", 23, 59, 60), ("2017-01-01", 0, 0, 0),
         ("2024-02-29", 0, 30, 0), ("1969-12-31", 23, 59, 59), ("0001-01-01", 0, 0, 0)]
NO_TIMES = ["2026-11-24", "2026-11-24T10:13:26", "2026-02-29T00:00:00Z", "2026-11-24 10:13:26Z",
            "2026-11-24T24:00:00Z", "2026-11-24T10:13:60Z", "2026-11-24T10:13:26.Z"]
FRACTIONS = ["", "", ".0", ".5", ".500", ".123456789", ".1234567891", ".000000001", ".9999999999"]
OFFSETS = ["Z", "Z", "z", "+00:00", "-00:00", "+02:00", "-08:00", "+05:30", "+23:59"]
# Of regexps, with a character that each takes.
PIECES = {"a": "a", "b": "b", ".": "b", "[ab]": "a", "[^a]": "b", "[a-c]": "c", "\\.": ".",
          "[\\-a]": "-", "\\p{Nd}": "1", "\u00e9": "\u00e9", "B": "B", "\\*": "*"}
REPEATED = {"": 1, "*": 0, "+": 2, "?": 1, "{2}": 2, "{1,3}": 1}
CROWD_STEMS = ["order.", "order.placed", "order.p", "Order.", "invoice.", "", "a", "ab"]


def case_pairs():
    pairs = {}
    for code in range(0x110000):
        character = chr(code)
        folded = naive.fold(character)
        if folded != character:
            pairs[character] = folded
            pairs.setdefault(folded, character)
    return pairs


CASE_PAIRS = case_pairs()
CASED = sorted(CASE_PAIRS)


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.begin("mixed")

    def begin(self, theme):
        """Forgets what the last round's patterns had in them."""
        self.theme = theme
        self.strings, self.numbers = [], []
        self.stem = "".join(self.pick("abc.") for _ in range(self.random.randint(5, 70)))

    def chance(self, probability):
        return self.random.random() < probability

    def pick(self, choices):
        return choices[int(self.random.random() * len(choices))]

    # strings

    def other_case(self, text):
        return "".join(CASE_PAIRS.get(c, c) if self.chance(0.5) else c for c in text)

    def beside(self, text):
        """Nearly the same text."""
        at = self.random.randrange(len(text) + 1)
        return self.pick([
            lambda: text[:at] + self.pick("abAB.") + text[at:],
            lambda: text[:at] + text[at + 1:],
            lambda: text[:at],
            lambda: text[at:],
            lambda: self.other_case(text),
            lambda: text + self.pick(STRINGS),
            lambda: self.pick(STRINGS) + text,
        ])()

    def fresh(self):
        if self.theme == "prefix" and self.chance(0.8):
            tail = "".join(self.pick("ab01") for _ in range(self.random.randint(0, 4)))
            return self.stem + tail
        if self.theme == "crowd" and self.chance(0.6):
            return self.pick(CROWD_STEMS) + self.pick(["", "a", "b", "placed", "laced"])
        if self.chance(0.3):
            return "".join(self.pick("aabAB") for _ in range(self.random.randrange(6)))
        if self.chance(0.2):
            return "".join(self.pick(CASED) for _ in range(self.random.randint(1, 3)))
        return self.pick(STRINGS)

    def string(self):
        """Of a pattern: remembered."""
        text = self.beside(self.pick(self.strings)) if self.strings and self.chance(0.2) \
            else self.fresh()
        self.strings.append(text)
        return text

    def value_string(self):
        if self.chance(0.12):
            return self.pick([self.address, self.time])(0.2)
        if not self.strings or self.chance(0.2):
            return self.fresh()
        text = self.pick(self.strings)
        return self.beside(text) if self.chance(0.4) else text

    def quote(self, text):
        return json.dumps(text, ensure_ascii=self.chance(0.5))

    def text(self):
        return self.quote(self.string())

    # numbers

    def spelt(self, text):
        """The same number, spelt otherwise."""
        sign, digits, exponent = Decimal(text).as_tuple()
        digits = "".join(map(str, digits))
        zeros = self.random.randrange(3)
        digits, exponent = digits + "0" * zeros, exponent - zeros
        sign = "-" if sign else ""
        kind = self.random.random()
        if kind < 0.4 and -30 < exponent <= 0:
            padded = digits.rjust(1 - exponent, "0")
            whole, part = padded[:len(padded) + exponent], padded[len(padded) + exponent:]
            return sign + (whole.lstrip("0") or "0") + ("." + part if part else ".0")
        point = self.random.randint(1, len(digits))
        shifted = digits[:point].lstrip("0") or "0"
        part = digits[point:]
        mark = self.pick(["e", "E"]) + ("+" if exponent + len(part) >= 0 and self.chance(0.5) else "")
        return sign + shifted + ("." + part if part else "") + mark + str(exponent + len(part))

    def number(self):
        text = self.pick(NUMBERS)
        self.numbers.append(text)
        return self.spelt(text) if self.chance(0.4) else text

    def value_number(self):
        text = self.pick(self.numbers) if self.numbers and self.chance(0.7) else self.pick(NUMBERS)
        return self.spelt(text) if self.chance(0.6) else text

    def value_scalar(self):
        return self.pick([lambda: self.quote(self.value_string())] * 3 +
                         [self.value_number, lambda: self.pick(WORDS)])()

    def scalar(self):
        return self.pick([self.text, self.text, self.number, lambda: self.pick(WORDS)])()

    # addresses and times

    def address(self, wrong=0):
        if self.chance(wrong):
            return self.pick(NO_ADDRESSES)
        address = ipaddress.ip_address(self.pick(ADDRESSES))
        if self.chance(0.4):  # one bit beside
            bit = 1 << self.random.randrange(address.max_prefixlen)
            address = type(address)(int(address) ^ bit)
        if address.version == 4 or self.chance(0.5):
            return str(address)
        text = address.exploded.upper()
        return text[:30] + str(ipaddress.IPv4Address(int(address) & 0xffffffff)) \
            if self.chance(0.3) else text

    def block(self):
        text = self.address()
        bits = 128 if ":" in text else 32
        count = min(bits, self.pick([0, 1, 7, 8, 9, 24, 31, 32, 64, 96, 104, 127, 128]))
        address = ipaddress.ip_address(text)
        beside = 1 << self.random.randrange(bits - count + 1 if count else bits)
        self.strings.append(str(type(address)((int(address) ^ beside) % (1 << bits))))
        return self.quote("%s/%d" % (text, count))

    def time(self, wrong=0):
        if self.chance(wrong):
            return self.pick(NO_TIMES)
        date, hour, minute, second = self.pick(TIMES)
        offset = "Z" if second == 60 else self.pick(OFFSETS)
        if second < 59 and self.chance(0.3):
            second += 1
        mark = self.pick(["T", "T", "t"])
        fraction = self.pick(FRACTIONS)
        text = "%s%s%02d:%02d:%02d%s%s" % (date, mark, hour, minute, second, fraction, offset)
        return text if date != "0001-01-01" or wrong else text.replace(offset, "Z")

    # operators

    def wildcard(self):
        parts = [self.pick(["*", "a", "b", "ab", "B", "\\*", "\\\\", "\u00e9"])
                 for _ in range(self.random.randrange(7))]
        if self.theme != "mixed" or self.chance(0.3):
            base = self.string()
            cut = self.random.randrange(len(base) + 1)
            escape = base.replace("\\", "\\\\").replace("*", "\\*")
            base = base.replace("\\", "").replace("*", "")
            parts = self.pick([[escape, "*"], ["*", escape], [base[:cut], "*", base[cut + 1:]],
                               [base[:cut], "*", base[cut:], "*"], ["*", base[cut:cut + 2], "*"]])
        text = last = ""
        for part in parts:
            if part and not (part == last == "*"):
                text, last = text + part, part
        self.strings.append(text.replace("\\", "").replace("*", self.pick(["", "a", "ab"])))
        return self.quote(text)

    def piece(self):
        piece, often = self.pick(list(PIECES)), self.pick(["", "", ""] + list(REPEATED))
        return piece + often, PIECES[piece] * REPEATED[often]

    def branch(self):
        parts = [self.piece() for _ in range(self.random.randint(1, 4))]
        return "".join(part for part, _ in parts), "".join(sample for _, sample in parts)

    def regexp(self):
        """Python must not go mad on it: only single characters are repeated without end."""
        text, sample = self.branch()
        if self.chance(0.4):
            (left, _), (right, taken), (end, last) = self.branch(), self.branch(), self.branch()
            often = self.pick(["", "?", "{2}"])
            text += "(%s|%s)%s%s" % (left, right, often, end)
            sample += taken * REPEATED[often] + last
        if self.theme != "mixed" and self.chance(0.7):
            text, sample = self.stem.replace(".", "\\.") + text, self.stem + sample
        self.strings.append(sample)
        if self.chance(0.3):
            text += "|" + self.branch()[0]
        return self.quote(text)

    def folded(self):
        text = self.string()
        self.strings.append(self.other_case(text))
        return self.quote(text)

    def instant(self):
        self.strings.append(self.time())
        return self.quote(self.time())

    def affix(self):
        return '{"equals-ignore-case": %s}' % self.folded() if self.chance(0.4) else self.text()

    def numeric(self):
        if self.chance(0.2):
            return '["=", %s]' % self.number()
        low, high = sorted([self.number(), self.number()], key=Decimal)
        lower = '"%s", %s' % (self.pick([">", ">="]), low)
        upper = '"%s", %s' % (self.pick(["<", "<="]), high)
        if Decimal(low) == Decimal(high):
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
            lambda: '{"equals-ignore-case": %s}' % self.several(self.folded),
            lambda: '{"wildcard": %s}' % self.several(self.wildcard),
        ])()

    def all_of(self):
        def one():
            return self.entry(inside=True)

        def some():
            return "[%s]" % ", ".join(one() for _ in range(self.random.randint(1, 3)))

        return "[%s]" % ", ".join(self.pick([one, one, some])()
                                  for _ in range(self.pick([1, 2, 2, 3])))

    def entry(self, inside=False):
        if self.chance(0.4):
            return self.scalar()
        name, make = self.pick([
            ("prefix", self.affix),
            ("suffix", self.affix),
            ("equals-ignore-case", self.folded),
            ("wildcard", self.wildcard),
            ("regexp", self.regexp),
            ("cidr", self.block),
            (self.pick(["before", "after"]), self.instant),
            ("anything-but", self.anything_but),
            ("numeric", self.numeric),
            ("exists", lambda: self.pick(["true"] if inside else ["true", "false"])),
            ("prefix", self.text) if inside else ("all-of", self.all_of),
        ])
        return '{"%s": %s}' % (name, make())

    def leaf(self):
        return "[%s]" % ", ".join(self.entry() for _ in range(self.pick([1, 1, 1, 2, 3])))

    # patterns and events

    def pattern(self, depth=0):
        names = self.random.sample(NAMES, self.pick([1, 1, 1, 2, 3]))
        if self.theme != "mixed" and self.chance(0.8):
            return '{"a": %s}' % self.leaf()
        members = []
        for name in names:
            nested = depth < 3 and self.chance(0.45 if depth == 0 else 0.3)
            if nested and self.chance(0.2) and name:
                for inner in self.random.sample(["a", "b", "c"], self.pick([1, 2])):
                    members.append('"%s.%s": %s' % (name, inner, self.leaf()))
                continue
            value = self.pattern(depth + 1) if nested else self.leaf()
            members.append("%s: %s" % (json.dumps(name), value))
        if depth < 3 and self.chance(0.25):
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
        return self.value_scalar()

    def event(self, depth=0):
        if self.theme != "mixed" and depth == 0:
            some = ", ".join(self.value_scalar() for _ in range(self.random.randint(1, 4)))
            return '{"a": [%s], "b": %s}' % (some, self.value(1))
        names = self.random.sample(NAMES, self.pick([0, 1, 3, 4, 5] if depth else [3, 4, 5]))
        members = ("%s: %s" % (json.dumps(name), self.value(depth)) for name in names)
        return "{%s}" % ", ".join(members)
