#!/usr/bin/env python3
"""City lots: ./dev bench match [SET...] [--seed N] [--rounds N] [--engines A,B]

The 14 rule sets of AWS event-ruler's own benchmark (match_city.json) on 20,000 parcels of 655 bytes,
matched by dalamb (scan: events that were checked at the door, parse: all of each is checked first), by
quamina-rs, by event-ruler; and parsed by simdjson. match_peers.py says how it is measured.
"""

import json
from pathlib import Path

import match_peers

SETS = json.loads(Path(__file__).with_name("match_city.json").read_text())["sets"]

if __name__ == "__main__":
    match_peers.main(__doc__, {name: ("city", 0, 20000) for name in SETS})
