#!/usr/bin/env python3
"""Many rules: ./dev bench match-scale [NAME...] [--seed N] [--rounds N] [--engines A,B]

gh-N: N rules of a mix over 30 fields on GitHub's example payloads of 10 KB (match_data.py gh). So that
the figure is no accident of one mix, 10,000 rules also over 580 different fields, all on one field, and
all alike but for one late field. match_peers.py says how it is measured.
"""

import match_peers

WORKS = {f"gh-{count}": ("gh", count, 329) for count in (1, 100, 10000, 100000)}
WORKS.update({"fields": ("fields", 10000, 1000), "one": ("one", 10000, 10000), "late": ("late", 10000, 10000)})

if __name__ == "__main__":
    match_peers.main(__doc__, WORKS)
