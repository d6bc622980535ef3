"""Views on a log with partitions: a rule reads its own key's, and says so where it can't."""

import pytest
from kafka_support import on_kafka, settle, totals, unique  # noqa: F401
from support.engine import Refused, wait_for

LOG = "partitions = 4, topics = { events = { key = 'data.customer' } }"
RULES = """
projection "orders" {
  on   = { type = "order" },
  key  = "data.customer",
  init = { n = 0 },
  fold = function(state, event) state.n = state.n + 1 return state end,
}
rule "again" {
  by   = "data.customer",
  on   = { type = "order" },
  when = function(event) return view("orders", event.data.customer) ~= nil end,
  emit = function(event) return { type = "again", data = { customer = event.data.customer } } end,
}
local read = view -- the check can't tell what is read by it
rule "peek" {
  by   = "data.customer",
  on   = { type = "peek" },
  when = function(event) return read("orders", event.data.whose) ~= nil end,
  emit = function(event) return { type = "seen", data = { customer = event.data.customer } } end,
}
projection "came-back" {
  on   = { type = { "again", "seen" } },
  key  = "data.customer",
  init = {},
  fold = function(state, event) state[event.type] = (state[event.type] or 0) + 1 return state end,
}
"""


def test_the_own_keys_view_is_read_and_no_other(on_kafka):
    one = on_kafka(unique("views"), LOG, RULES)
    customers = ["c%d" % n for n in range(12)]
    for customer in customers * 2:
        one.send("order", {"customer": customer})
    for customer in customers:
        one.send("peek", {"customer": customer, "whose": customer})
    assert len(one.status()["lanes"]) == 4
    expected = {customer: {"again": 1, "seen": 1} for customer in customers}
    wait_for(lambda: totals(one, "came-back") == expected, 60, "what came back")
    assert totals(one, "orders") == {customer: {"n": 2} for customer in customers}

    one.send("peek", {"customer": "c1", "whose": "c2"})
    one.send("peek", {"customer": "c1"})  # of no key there is no entry, wherever it lay
    failed = wait_for(
        lambda: one.events(topic="system", type="dalamb.rule.failed"), 60, "the failure"
    )
    settle(one)
    (data,) = [item["event"]["data"] for item in failed]
    assert data["rule"] == "peek" and data["part"] == "when" and data["effect"] == "skipped"
    assert 'data.customer of this event is "c1", and "c2" was asked for' in data["message"]
    assert totals(one, "came-back") == expected


def test_a_view_without_by_is_refused(on_kafka):
    with pytest.raises(Refused) as caught:
        on_kafka(unique("views"), LOG, RULES.replace('by   = "data.customer",', ""))
    said = str(caught.value)
    assert "rules/rules.lua:8" in said and "rules/rules.lua:15" in said
    assert 'by = "data.customer"' in said


def test_one_partition_asks_for_nothing(on_kafka):
    rules = RULES.replace('by   = "data.customer",', "")
    one = on_kafka(unique("views"), rules=rules)
    one.send("order", {"customer": "c2"})
    one.send("peek", {"customer": "c1", "whose": "c2"})
    wait_for(lambda: totals(one, "came-back") == {"c1": {"seen": 1}}, 60, "the peek")
