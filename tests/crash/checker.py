"""What must hold after any crash: each invariant is a function from evidence to complaints.

The log is the truth that everything is compared with; what the log itself must hold is known from
the journals of processes that were not killed (producers, a reader) or that write each line before
they go on (the function).
"""

from collections import Counter, defaultdict

from support.engine import offset_of, partition_of

SHOWN = 5
# What a retry's note may take to the state: between a failed try and a kill.
NOTE_S = 0.8
BACKOFF_S, JITTER = 3.0, 0.5  # app.py; a wait is at least this share of its backoff
SLACK_S = 0.05


ENDS = {"dalamb.function.succeeded": "settled", "dalamb.function.failed": "dead"}
VERDICTS = {"dalamb.dead.retried": "open", "dalamb.dead.dropped": "settled"}


class Evidence:
    """What a campaign has left behind. On Kafka there are several sequences, which hold repeats:
    what a producer or the engine sent again, not knowing whether it had arrived."""

    def __init__(self, log_id, on_kafka=False):
        self.log_id = log_id
        self.on_kafka = on_kafka
        self.log = []  # items of GET /v1/events
        self.others = []  # on Kafka: position and id of what another, read_committed reader saw
        self.acks, self.seen, self.tries = [], [], []  # the three journals
        # Projections; the last two are None where partitions keep them from being folded.
        self.sums, self.completions, self.emitted = {}, {}, {}
        self.dead = set()  # rows
        self.kills = (
            []
        )  # from, to (times), next (of the state, by sequence), called (causes in the journal)
        self.troubles = []  # what kept the engine from starting, resting or stopping

    def index(self):
        self.at = {item["position"]: item["event"] for item in self.log}
        self.ids = set()
        self.firsts = [item for item in self.log if not self.on_kafka or self.is_first(item)]
        self.of_type = defaultdict(list)
        for item in self.firsts:
            self.of_type[item["event"]["type"]].append(item)
        self.settle()

    def is_first(self, item):
        """And no repeat of one before it in its partition."""
        seen = self.ids
        id = (partition_of(item["position"]), item["event"]["source"], item["event"]["id"])
        return id not in seen and not seen.add(id)

    def sequence_of(self, position):
        """Positions of one sequence are compared by their offsets."""
        return partition_of(position) if self.on_kafka else ""

    def rows(self):
        """The ids of all rows that the log's events must have made, and their causes' offsets."""
        name = self.log_id + "/%s/work/work/0"
        positions = [item["position"] for item in self.of_type["work"]]
        return {name % position: offset_of(position) for position in positions}

    def settle(self):
        """What the log says of each row, in its order: the completions that count, what it is in
        the end, and whether it was a dead letter that somebody sent again."""
        self.counted, self.fate, self.revived = defaultdict(list), {}, set()
        for item in self.firsts:
            type, data = item["event"]["type"], item["event"].get("data")
            if type in ENDS and self.fate.get(data["row"], "open") == "open":
                self.counted[data["row"]].append(item)
                self.fate[data["row"]] = ENDS[type]
            elif type in VERDICTS and self.fate.get(data["row"]) == "dead":
                self.fate[data["row"]] = VERDICTS[type]
                if type == "dalamb.dead.retried":
                    self.revived.add(data["row"])


def some(complaints):
    complaints = list(complaints)
    more = len(complaints) - SHOWN
    return complaints[:SHOWN] + (["... and %d more" % more] if more > 0 else [])


# --- the log ---


def running(e):
    """It starts after each crash, comes to rest, and stops when it is told to."""
    return e.troubles


def no_gap(e):
    """Offsets follow one another, from the first on: 1 on the embedded log, 0 on Kafka."""
    complaints = []
    expected = defaultdict(lambda: 0 if e.on_kafka else 1)
    for item in e.log:
        sequence, offset = e.sequence_of(item["position"]), offset_of(item["position"])
        if offset != expected[sequence]:
            complaints.append("%s stands where %d should" % (item["position"], expected[sequence]))
        expected[sequence] = offset + 1
    return some(complaints)


def others_read(e):
    """Any other reader sees the same events at the same places."""
    if not e.on_kafka:
        return []
    mine = {(item["position"], item["event"]["id"]) for item in e.log}
    others = set(e.others)
    return some(
        ["%s %s is seen by others only" % one for one in sorted(others - mine)]
        + ["%s %s is not seen by others" % one for one in sorted(mine - others)]
    )


def acknowledged(e):
    """Each event that was answered 2xx is on the log, where the answer said."""
    complaints = []
    known = {(event["source"], event["id"]) for event in e.at.values()}
    for ack in e.acks:
        if "refused" in ack:
            complaints.append("a valid event was refused: %s" % ack)
            continue
        for id, position in zip(ack["ids"], ack.get("positions", [])):
            there = e.at.get(position, {"source": None, "id": "nothing"})
            if (there["source"], there["id"]) != (ack["source"], id):
                told = (id, position, there["id"])
                complaints.append("%s was acknowledged at %s, where %s stands" % told)
        for id in ack["ids"]:
            if (ack["source"], id) not in known:
                complaints.append("%s was acknowledged, and is not on the log" % id)
        complaints += acknowledged_lines(e, ack)
    return some(complaints)


def acknowledged_lines(e, ack):
    if "accepted" not in ack:
        return
    if ack["accepted"] + ack["repeated"] != len(ack["ids"]):
        yield "NDJSON of %d events: %s" % (len(ack["ids"]), ack)
    if ack["repeated"] == 0:
        ends = [(ack["ids"][0], ack["first"]), (ack["ids"][-1], ack["last"])]
        for id, position in ends:
            if e.at.get(position, {}).get("id") != id:
                yield "NDJSON: %s was acknowledged at %s" % (id, position)


def once(e):
    """No event that a producer sent again is there twice (the dedup window is longer than this).
    On Kafka it may be, but is folded once: that is for `fold` to say."""
    if e.on_kafka:
        return []
    count = Counter((event["source"], event["id"]) for event in e.at.values())
    repeated = [(id, source, n) for (source, id), n in count.items() if n > 1]
    return some("%s of %s is there %d times" % one for one in repeated)


def readers(e):
    """A tail was shown what the log holds, in order, through all restarts: no gap, no repeat."""
    complaints = []
    expected = defaultdict(lambda: 0 if e.on_kafka else 1)
    for item in e.seen:
        position, sequence = item["position"], e.sequence_of(item["position"])
        if offset_of(position) != expected[sequence]:
            complaints.append("the tail was shown %s, not %d" % (position, expected[sequence]))
        expected[sequence] = offset_of(position) + 1
        there = e.at.get(position, {"id": "nothing"})
        if there["id"] != item["id"]:
            told = (item["id"], position, there["id"])
            complaints.append("a reader saw %s at %s, the log has %s" % told)
    return some(complaints)


# --- the state ---


def fold(e):
    """The projection is a fold over the log."""
    sums = {}
    for item in e.firsts:
        event = item["event"]
        if event["type"] in ("count", "work", "echo"):
            data = event["data"]
            entry = sums.setdefault(data["key"], {"events": 0, "sum": 0, "last": 0})
            entry["events"] += 1
            entry["sum"] += data["number"]
            entry["last"] = data["seq"]
    return difference("sums", sums, {key: entry["value"] for key, entry in e.sums.items()})


def difference(name, expected, found):
    keys = sorted(set(expected) | set(found))
    return some(
        "%s[%s] is %s, the log says %s" % (name, key, found.get(key), expected.get(key))
        for key in keys
        if expected.get(key) != found.get(key)
    )


# --- calls ---


def called(e):
    """Each row was delivered, under its id and no other, and with one request id on all tries."""
    rows = e.rows()
    requests = defaultdict(set)
    for line in e.tries:
        if line["begun"]:
            requests[line["row"]].add(line["request"])
    complaints = ["a call %s that no event made" % row for row in requests if row not in rows]
    complaints += ["%s was never called" % row for row in rows if row not in requests]
    several = [(row, ids) for row, ids in requests.items() if len(ids) > 1]
    complaints += ["%s: several requests %s" % pair for pair in several]
    return some(complaints)


def committed_first(e):
    """Nothing was called whose cause the state, as the kill left it, had not committed."""
    return some(
        "killed with the state at %s: %s was called already" % (kill["next"], called)
        for kill in e.kills
        if kill.get("next") is not None
        for called in kill["called"]
        if offset_of(called) >= kill["next"].get(e.sequence_of(called), 0)
    )


def completed_once(e):
    """Each row has a completion, and the first counts: of each life, if it was sent again."""
    rows = e.rows()
    open_rows = [row for row in rows if e.fate.get(row, "open") == "open"]
    complaints = ["%s has no completion" % row for row in open_rows]
    unknown = [row for row in e.counted if row not in rows]
    complaints += ["a completion of %s, which no event made" % row for row in unknown]
    expected = {
        row: {"seen": len(items), "type": items[-1]["event"]["type"]}
        for row, items in e.counted.items()
    }
    complaints = some(complaints)
    if e.completions is not None:
        found = {row: entry["value"] for row, entry in e.completions.items()}
        complaints += difference("completions", expected, found)
    return complaints


def in_order(e):
    """Calls with the same key came in the order of their causes, each behind the end of the last.
    (But for those that were sent again.)"""
    rows = {row: offset for row, offset in e.rows().items() if row not in e.revived}
    last = {}
    complaints = []
    for line in e.tries:
        if line["begun"] and line["row"] in rows:
            offset = rows[line["row"]]
            if offset < last.get(line["key"], 0):
                complaints.append("key %(key)s: %(row)s was called behind a later one" % line)
            last[line["key"]] = offset
    return some(complaints)


def killed_between(e, start, end):
    """From the begin of a try on: its end may be written down behind the kill."""
    return [kill for kill in e.kills if start <= kill["to"] and kill["from"] <= end]


def tries_of(e):
    """For each row, its tries in order: begin, end (or None), error."""
    found = defaultdict(list)
    for line in e.tries:
        tries = found[line["row"]]
        if line["begun"]:
            tries.append({"pid": line["pid"], "begin": line["time"], "end": None, "error": None})
        else:
            for one in tries:
                if one["pid"] == line["pid"] and one["end"] is None:
                    one.update(end=line["time"], error=line["error"], status=line["status"])
    return found


def retries_kept(e):
    """A failed try that was known some time before the kill is remembered: its successor waits as
    long as it should, and the completion lists it."""
    complaints = []
    for row, tries in tries_of(e).items():
        if row in e.revived:
            continue
        for one, following in zip(tries, tries[1:]):
            if not one["error"] or one["status"] != 202:
                continue
            kills = killed_between(e, one["begin"], following["begin"])
            if kills and kills[0]["from"] - one["end"] < NOTE_S:
                continue
            waited = following["begin"] - one["end"]
            if waited < BACKOFF_S * JITTER - SLACK_S:
                complaints.append("%s was tried again after %.3f s" % (row, waited))
    return some(complaints)


def tries_listed(e):
    """A completion lists all failed tries that were known before a kill."""
    complaints = []
    for row, tries in tries_of(e).items():
        if row not in e.counted or row in e.revived:
            continue
        known = []
        for one in tries:
            if one["error"] and one["status"] == 202:
                kills = killed_between(e, one["begin"], float("inf"))
                if not kills or kills[0]["from"] - one["end"] >= NOTE_S:
                    known.append("%.3f" % one["end"])
        listed = e.counted[row][-1]["event"]["data"].get("tries", [])
        if len(listed) < len(known):
            told = (row, len(known), ", ".join(known), listed)
            complaints.append("%s failed %d times that must be known (%s); listed are %s" % told)
    return some(complaints)


def dead_letters(e):
    """Those that failed for good are kept until somebody decides, and no others."""
    failed = {row for row, fate in e.fate.items() if fate == "dead"}
    complaints = ["%s failed, and is no dead letter" % row for row in failed - e.dead]
    complaints += ["%s is a dead letter, and should not be" % row for row in e.dead - failed]
    return some(complaints)


def orphans(e):
    """With the engine its functions' processes end."""
    return some(
        "process %d outlived the engine" % pid
        for kill in e.kills
        for pid in kill.get("orphans", [])
    )


# --- emits ---


def emitted_once(e):
    """Each cause's events were emitted, each once."""
    expected = Counter({item["event"]["id"]: 2 for item in e.of_type["echo"]})
    for row, items in e.counted.items():
        if items[-1]["event"]["type"] == "dalamb.function.succeeded":
            expected[row] = 1
    found = Counter()
    for item in e.of_type["echoed"]:
        found[item["event"]["data"]["of"]] += 1
    for item in e.of_type["worked"]:
        found[item["event"]["data"]["row"]] += 1
    complaints = difference("emitted", expected, found)
    if e.emitted is not None:
        seen = {key: entry["value"]["seen"] for key, entry in e.emitted.items()}
        complaints += difference("projection emitted", expected, seen)
    return complaints


def caused(e):
    """What was emitted names its cause, which stands before it."""
    complaints = []
    for item in e.of_type["echoed"]:
        cause, place = item["event"].get("dalambcause", "events/0/0"), item["position"]
        there = e.at.get(cause, {"id": "nothing"})
        before = e.sequence_of(cause) != e.sequence_of(place) or offset_of(cause) < offset_of(place)
        if there["id"] != item["event"]["data"]["of"] or not before:
            complaints.append("%s says that %s caused it" % (item["position"], cause))
    return some(complaints)


INVARIANTS = {
    function.__name__: function
    for function in (
        running,
        no_gap,
        others_read,
        acknowledged,
        once,
        readers,
        fold,
        called,
        committed_first,
        completed_once,
        in_order,
        retries_kept,
        tries_listed,
        dead_letters,
        orphans,
        emitted_once,
        caused,
    )
}


def check(evidence):
    """All complaints, by invariant."""
    if not evidence.log_id:
        return {"running": evidence.troubles or ["there is no evidence"]}
    evidence.index()
    found = {name: invariant(evidence) for name, invariant in INVARIANTS.items()}
    return {name: complaints for name, complaints in found.items() if complaints}
