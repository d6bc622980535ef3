"""Parcels like those of San Francisco's citylots.json, as AWS event-ruler's benchmark has them.

How often a value occurs that the rule sets of match_city.json ask for is as in that file, rounded up to
once; all else is made up, such that those rules don't match it.
"""

import re

PARCELS = 213068
LOTS = [("1430022", 1), ("2607117", 101), ("2607218", 35), ("3745012", 655), ("VACSTWIL", 1), ("143dddd", 489),
        ("2d0d1d7", 612), ("5ddd218", 8), ("3dd5dd2", 1885)]
LOTS_TAKEN = re.compile("143|2.*0.*1.*7$|.*218$|3.*5.*2$")
STREETS = [("FULTON", 1910), ("MOULTON", 22), ("MASON", 2657), ("MASONIC", 293), ("JEFFERSON", 131), ("BEACH", 211),
           ("HYDE", 1758), ("CHESTNUT", 825), ("ACTON", 24), ("BLAKE", 300), ("BLANKEN", 142), ("LAKE", 571),
           ("DRUMM", 13), ("DRAPER", 25), ("FUNSTON", 477), ("RHODE ISLAND", 328), ("PERSHING", 1963),
           ("SANTIAGO", 682), ("MISSION", 12700)]
OTHER_STREETS = ["%dTH" % i for i in range(4, 49)] + [
    "FOLSOM", "GUERRERO", "NOE", "SANCHEZ", "CASTRO", "VALENCIA", "TARAVAL", "JUDAH", "KIRKHAM", "LAWRENCE", "MORAGA",
    "NORIEGA", "ORTEGA", "PACHECO", "QUINTARA", "RIVERA", "ULLOA", "VICENTE", "WAWONA", "YORBA", "GEARY", "POST",
    "SUTTER", "BUSH", "PINE", "CALIFORNIA", "SACRAMENTO", "CLAY", "VALLEJO", "PACIFIC", "GREEN",
    "UTAH"]
TYPES = [("ST", 116386), ("CT", 1774), ("SQ", 15)]
FROM = [("441", 2453), ("440", 1524), ("1241", 1560)]
MIDDLE, WEST, EAST = -122.41600944012424, -122.46471267081272, -122.4063085128395
X, Y = -122.42916360922355, 37.729900216217324


def column(r, count, wanted, other):
    """A value for each parcel: those wanted as often as they occur there, the others as other() says."""
    values = []
    for value, times in wanted:
        values += [value] * max(1, round(times * count / PARCELS))
    values = values[:count] + [other() for _ in range(count - len(values))]
    r.shuffle(values)
    return values


def other_lot(r):
    while True:
        lot = "%04d%03d" % (r.randint(1, 7500), 1 + min(249, int(r.expovariate(1 / 40))))
        if not LOTS_TAKEN.match(lot):
            return lot


def other_number(r):
    return str(r.choice([r.randint(1, 439), r.randint(450, 1240), r.randint(1242, 3999)]))


def digits(r, text):
    """Random digits for each d, without making an exact rule match."""
    while True:
        lot = re.sub("d", lambda _: str(r.randrange(10)), text)
        if lot == text or lot not in ("1430022", "2607117", "2607218", "3745012"):
            return lot


def first_x(r):
    place = r.random()
    if place < 0.239:
        return r.uniform(-122.51, WEST)
    if place < 0.699:
        return r.uniform(WEST, MIDDLE)
    return r.uniform(MIDDLE, EAST) if place < 0.835 else r.uniform(EAST, -122.36)


def shape(r, count):
    """The corners of a lot of some 20 m: a ring that ends where it began."""
    x, y = first_x(r), r.uniform(37.71, 37.81)
    ring = [{"x": x, "y": y, "z": 0.0}]
    for _ in range(count - 2):
        ring.append({"x": x + r.uniform(-2e-4, 2e-4), "y": y + r.uniform(-2e-4, 2e-4), "z": 0.0})
    return ring + [dict(ring[0])]


def place_special(r, made):
    """The few points that rules ask for exactly, and the few lots of more than one part."""
    count = len(made)
    often = lambda times: max(1, round(times * count / PARCELS))
    chosen = r.sample(made, min(count, often(218) + often(120)))
    for i, parcel in enumerate(chosen):
        geometry = parcel["geometry"]
        if i >= often(218):
            geometry["type"] = "MultiPolygon"
        ring = geometry["coordinates"][0]
        if i < often(218):
            ring[0 if i < often(2) else 1]["x"] = X
        elif i < often(218) + often(1):
            ring[1]["y"] = Y
        geometry["firstCoordinates"] = dict(ring[0])


def parcels(r, count):
    lots = column(r, count, LOTS, lambda: other_lot(r))
    streets = column(r, count, STREETS, lambda: r.choice(OTHER_STREETS))
    types = column(r, count, TYPES, lambda: r.choice(["AVE", "AVE", "AVE", "BLVD", "WAY", None]))
    numbers = column(r, count, FROM, lambda: other_number(r))
    made = []
    for lot, street, kind, number in zip(lots, streets, types, numbers):
        lot = digits(r, lot)
        ring = shape(r, r.choice([5, 5, 5, 6, 6, 7, 7, 8]))
        made.append({
            "type": "Feature",
            "properties": {"MAPBLKLOT": lot, "BLKLOT": lot, "BLOCK_NUM": lot[:4], "LOT_NUM": lot[4:],
                           "FROM_ST": number, "TO_ST": number, "STREET": street, "ST_TYPE": kind,
                           "ODD_EVEN": r.choice("OE")},
            "geometry": {"type": "Polygon", "firstCoordinates": dict(ring[0]), "coordinates": [ring]}})
    place_special(r, made)
    return made
