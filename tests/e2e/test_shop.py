"""The example that ./dev run starts, from an order to the list of flagged ones."""

import json
import re
import shutil
import subprocess
import threading

from support.engine import PROGRAM, ROOT, wait_for


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


def printed_lines(engine):
    """What ./dev run says to paste, for this engine and this program."""
    text = (ROOT / "dev").read_text()
    said = re.search(r"introduce_shop\(\) \{\n\tcat <<'END'\n(.*?)\nEND\n", text, re.DOTALL).group(
        1
    )
    lines = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert len(lines) == 3
    assert all("8080" in line or "build/dalamb" in line for line in lines)
    return [
        line.replace("127.0.0.1:8080", "127.0.0.1:%d" % engine.port).replace(
            "build/dalamb tail", "%s tail --url %s" % (PROGRAM, engine.url)
        )
        for line in lines
    ]


def test_the_lines_that_dev_prints(engine, folder, walls, vendored):
    shop = engine(copy_of_shop(folder))
    send, query, tail = printed_lines(shop)

    def shell(line):
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)

    sent = shell(send)
    assert " 200 " in sent.stdout.splitlines()[0], sent
    position = json.loads(sent.stdout.splitlines()[-1])["position"]
    shop.entry("customer-totals", "c1", position)
    assert json.loads(shell(query).stdout)["value"]["total"] == 1800

    following = subprocess.Popen(["bash", "-c", "exec " + tail], stdout=subprocess.PIPE, text=True)
    try:
        timer = threading.Timer(60, following.kill)
        timer.start()
        seen = ""
        while "order.flagged" not in seen:
            line = following.stdout.readline()
            assert line, "the tail ended: " + seen
            seen += line
        assert "order.placed" in seen and "dalamb.function.succeeded" in seen
    finally:
        timer.cancel()
        following.kill()
        following.wait()
