#!/usr/bin/env python3
"""Patterns that make automata grow: ./dev bench match-worst [NAME...] [--seed N] [--rounds N] [--engines A,B]

worst-N: N patterns *a*b*c* over one field of 24 letters; stars-N: *a*b*c*d*; regexps-N: .*a.*b.*c.*d.* as
regular expressions. match_peers.py says how it is measured.
"""

import match_peers

WORKS = {f"worst-{count}": ("worst", count, 5000) for count in (10, 100, 1000)}
WORKS.update({"stars-10000": ("stars", 10000, 100), "regexps-10000": ("regexps", 10000, 100)})

if __name__ == "__main__":
    match_peers.main(__doc__, WORKS)
