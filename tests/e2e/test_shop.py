"""The example that ./dev run starts, from an order to the list of flagged ones."""

import shutil

from support.engine import ROOT, wait_for


def copy_of_shop(folder):
    shutil.copytree(ROOT / "examples/shop", folder / "shop", ignore=shutil.ignore_patterns("data"))
    return folder / "shop"


def order(engine, name, total, **more):
    data = {"order": name, "customer": "c1", "total": total, "country": "FR", "sku": "A-1", **more}
    return engine.send("order.placed", data, subject=name)


def test_order_to_flag(engine, folder, walls, vendored):
    shop = engine(copy_of_shop(folder))
    placed = order(shop, "o1", 1900)
    totals = shop.entry("customer-totals", "c1", placed).json
    assert totals["value"] == {"orders": 1, "total": 1900, "average": 1900}
    flagged = wait_for(
        lambda: (answer := shop.entry("flagged-orders", "o1")).status == 200 and answer.json,
        what="the flag",
    )
    assert flagged["value"]["risk"] == 0.95

    events = shop.events()
    types = [item["event"]["type"] for item in events]
    wanted = ["order.placed", "dalamb.function.succeeded", "order.flagged"]
    assert [type for type in types if type in wanted] == wanted
    by_type = {item["event"]["type"]: item for item in events}
    done = by_type["dalamb.function.succeeded"]
    assert done["event"]["dalambcause"] == placed
    assert done["event"]["subject"] == "o1"
    assert done["event"]["data"]["result"] == {"order": "o1", "customer": "c1", "risk": 0.95}
    assert done["event"]["data"]["cold"] is True
    assert done["event"]["data"]["billed_ms"] >= 1
    assert by_type["order.flagged"]["event"]["dalambcause"] == done["position"]


def test_guard_reads_the_view_before_the_event(engine, folder, walls, vendored):
    """A total that is usual for its customer is not checked again."""
    shop = engine(copy_of_shop(folder))
    order(shop, "o1", 1200)
    last = order(shop, "o2", 1300)
    shop.entry("customer-totals", "c1", last)
    shop.drain()
    calls = [item["event"]["subject"] for item in shop.events(type="dalamb.function.succeeded")]
    assert calls == ["o1"]


def test_risk_is_the_handlers_word(engine, folder, walls, vendored):
    shop = engine(copy_of_shop(folder))
    order(shop, "o1", 1500, email="a@b.example")
    order(shop, "o2", 1500, customer="c2")
    shop.drain()
    assert shop.entry("flagged-orders", "o1").json["value"]["risk"] == 1.0
    assert shop.entry("flagged-orders", "o2").status == 404
    assert shop.dead() == []
