"""Hot reload on a log with partitions: every lane switches where its dalamb.app.loaded says."""

from kafka_support import on_kafka, settle, unique  # noqa: F401
from support.engine import wait_for
from test_reload import RULES, Producer, reload, write

LOG = "partitions = 4, topics = { events = { key = 'data.k' } }"
LANES = 4


def place(item):
    topic, partition, offset = item["position"].rsplit("/", 2)
    return int(partition), int(offset)


def begins_of(engine):
    """By lane, where in `events` each generation begins, in their order."""
    begins = {}
    for item in engine.events(topic="system", type="dalamb.app.loaded"):
        data = item["event"]["data"]
        begins.setdefault(place(item)[0], []).append((data["number"], data["from"]["events"]))
    return {lane: [at for _, at in sorted(marks)] for lane, marks in begins.items()}


def test_all_lanes_switch_each_at_its_place(on_kafka):
    one = on_kafka(unique("reload"), LOG, RULES % {"set": 1})
    with Producer(one) as producer:
        for k in range(2, 14):
            write(one, "rules/rules.lua", RULES % {"set": k})
            assert reload(one)["generation_number"] == k
        write(one, "rules/rules.lua", RULES.replace("data.k", "data.n") % {"set": 99})
        errors = reload(one, 422)["errors"]  # its entries would lie apart from their events
        assert any(error["file"] == "rules/rules.lua" for error in errors), errors
    settle(one)
    begins = begins_of(one)
    assert sorted(begins) == list(range(LANES))
    assert all(len(marks) == 13 and marks == sorted(marks) for marks in begins.values())

    ticks = {item["event"]["data"]["n"]: place(item) for item in one.events(type="tick")}
    assert sorted(ticks) == list(range(producer.sent))
    for type in ("first", "second"):
        made = [item["event"]["data"] for item in one.events(type=type)]
        assert sorted(data["n"] for data in made) == sorted(ticks), "lost, or matched twice"
        for data in made:
            lane, offset = ticks[data["n"]]
            assert data["set"] == sum(at <= offset for at in begins[lane]), (data, offset)
    entries = one.entries("ticks")
    assert sum(entry["value"]["n"] for entry in entries.values()) == producer.sent


def test_a_new_projection_is_built_in_every_lane(on_kafka):
    one = on_kafka(unique("reload"), LOG, RULES % {"set": 1})
    with Producer(one) as producer:
        wait_for(lambda: producer.sent > 400)
        write(one, "rules/new.lua", RULES[RULES.index("projection"):].replace("ticks", "new"))
        reload(one)
    settle(one)
    assert one.entries("new").keys() == one.entries("ticks").keys()
    assert sum(entry["value"]["n"] for entry in one.entries("new").values()) == producer.sent
