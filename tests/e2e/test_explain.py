"""dalamb explain, as people read it: without an engine, by a running one, of events of its log."""

import concurrent.futures
import json
import time
import urllib.request

from cli_support import DONE, NO, USAGE, dalamb, running, wait_for, write

RULES = """
rule "large" {
  on = { type = "order.placed", data = { total = numeric(">=", 1000), country = { "FR", "DE" } } },
  emit = function(event) return { type = "order.large" } end,
}
rule "regular" {
  on = { type = "order.placed" },
  when = function(event)
    local customer = view("customers", event.data.customer)
    return customer and customer.orders > 1
  end,
  emit = function(event) return { type = "customer.regular" } end,
}
rule "broken" {
  on = { type = "order.placed" },
  when = function(event)
    local function deep(x) return x.a.b end
    return deep(event) and true
  end,
  emit = function(event) end,
}
rule "misspelt" { on = { type = "order.plced" }, emit = function() end }
rule "renamed" { on = { type = "order.placed", data = { Total = 1000 } }, emit = function() end }
rule "spread" { on = { data = { items = { sku = "A", n = 2 } } }, emit = function() end }
projection "customers" {
  on = { type = "order.placed" }, key = "data.customer", init = { orders = 0 },
  fold = function(state) state.orders = state.orders + 1 return state end,
}
"""

ORDER = {
    "customer": "c1", "total": 999, "country": "FR",
    "items": [{"sku": "A", "n": 1}, {"sku": "B", "n": 2}],
}


def order(**more):
    return json.dumps({"type": "order.placed", "data": {**ORDER, **more}})


def app_of(folder, rules=RULES):
    return write(folder / "app", rules__shop_lua=rules)


def test_without_an_engine(tmp_path):
    result = dalamb("explain", "-", "--app", app_of(tmp_path), stdin=order())
    assert result.status == DONE  # the projection takes it
    assert result.out == """event order.placed in topic events

no  rule regular (rules/shop.lua:6)
      its guard (when) says no, it returned nil
        it read view("customers", "c1"): no entry
err rule broken (rules/shop.lua:14)
      its guard (when) failed: rules/shop.lua:17: attempt to index a nil value (field 'a')
        stack traceback:
         rules/shop.lua:17: in local 'deep'
         rules/shop.lua:18: in function <rules/shop.lua:16>
no  rule large (rules/shop.lua:2): 1 of 3 conditions fails
      data.total is 999, expected a number >= 1000
      near miss: it is only 1 too small
no  rule spread (rules/shop.lua:24): 1 of 2 conditions fails
      data.items[0].n is 1, expected 2
      near miss: the elements of data.items fulfil all of it together, but none of them alone
no  rule misspelt (rules/shop.lua:22)
      type is "order.placed", expected "order.plced"
      near miss: it is one character away
no  rule renamed (rules/shop.lua:23): 1 of 2 conditions fails
      data.Total is missing, expected 1000
      note: there is data.total
yes projection customers (rules/shop.lua:25)

note: guards were asked with empty projections: no engine was asked
"""


def test_one_rule(tmp_path):
    app = app_of(tmp_path)

    def explain(rule, event, *more):
        return dalamb("explain", "-", "--app", app, "--rule", rule, *more, stdin=event)

    taken = explain("large", order(total=1000))
    assert taken.status == DONE and taken.out.endswith("\nyes rule large (rules/shop.lua:2)\n")
    assert explain("large", order()).status == NO
    assert explain("regular", order()).status == NO  # its guard says no
    assert explain("broken", order()).status == NO
    only = explain("renamed", order(total=1000), "--format", "json")
    assert only.status == NO and only.json["projections"] == []
    (rule,) = only.json["rules"]
    assert rule["near"] is True and rule["missing"] is True and rule["found"] is None
    assert rule["hint"] == "there is data.total, whose value would do"
    assert explain("nobody", order()).status == NO
    assert explain("large", "{").status == USAGE
    assert "leave out --app" in dalamb("explain", "events/0/1", "--app", app).err


def test_thousands_of_rules_are_of_use(tmp_path):
    rules = "".join(
        f'rule "r{i}" {{ on = {{ type = "t{i % 50}", data = {{ x = {i}, y = true }} }}, '
        "emit = function() end }\n"
        for i in range(5000)
    )
    app = app_of(tmp_path, rules + RULES)
    event = json.dumps({"type": "t7", "data": {"x": 107, "y": True}})
    few = dalamb("explain", "-", "--app", app, stdin=event)
    assert few.out.count(" rule ") == 20
    assert few.out.index("yes rule r107 ") < few.out.index("no  rule r7 ")
    assert "... and 4986 more rules that came less near\n" in few.out
    assert "(--rule NAME explains one of them, --all all)" in few.out
    everything = dalamb("explain", "-", "--app", app, "--all", stdin=event)
    assert everything.out.count(" rule ") == 5006 and "less near" not in everything.out
    answer = dalamb("explain", "-", "--app", app, "--format", "json", stdin=event).json
    assert len(answer["rules"]) == 5006
    assert answer["counts"]["rules_matched"] == 1


def folded(engine, key):
    return engine("query", "customers", key, "--format", "json").status == DONE


def test_a_running_engine_asks_guards_on_its_views(tmp_path):
    with running(app_of(tmp_path), tmp_path / "data") as engine:
        first = engine("emit", "order.placed", "--data", json.dumps(ORDER)).out.strip()
        wait_for("the fold", lambda: folded(engine, "c1"))
        once = engine("explain", first, "--rule", "regular")
        assert once.status == NO
        assert once.out.startswith(f"event order.placed at {first}\n")
        assert 'its guard (when) says no, it returned false\n' in once.out
        assert 'it read view("customers", "c1"): {"orders":1}\n' in once.out
        # An old event is judged on today's views, and that is said.
        second = engine("emit", "order.placed", "--data", json.dumps(ORDER)).out.strip()
        wait_for("the fold", lambda: '"orders":2' in engine("explain", first).out)
        twice = engine("explain", first, "--rule", "regular")
        assert twice.status == DONE
        assert "yes rule regular (rules/shop.lua:6)\n" in twice.out
        assert 'says yes, it returned true\n' in twice.out
        assert "guards were asked on today's views, not on those that the event found" in twice.out
        assert first != second
        # An event that was never sent.
        fresh = engine("explain", "-", "--rule", "regular", stdin=order(customer="c2"))
        assert fresh.status == NO and 'view("customers", "c2"): no entry' in fresh.out
        assert "guards were asked on the views as they are now" in fresh.out


def test_a_running_engine_shows_a_guards_error(tmp_path):
    with running(app_of(tmp_path), tmp_path / "data") as engine:
        at = engine("emit", "order.placed", "--data", json.dumps(ORDER)).out.strip()
        result = engine("explain", at)
        assert """err rule broken (rules/shop.lua:14)
      its guard (when) failed: rules/shop.lua:17: attempt to index a nil value (field 'a')
        stack traceback:
         rules/shop.lua:17: in local 'deep'
         rules/shop.lua:18: in function <rules/shop.lua:16>
""" in result.out
        guard = engine("explain", at, "--rule", "broken", "--format", "json").json["rules"][0]
        assert guard["matched"] is True and guard["passed"] is False
        assert guard["guard"]["answer"] == "error"
        assert guard["guard"]["traceback"].startswith("stack traceback:\n\trules/shop.lua:17:")


def rules_of(engine):
    with urllib.request.urlopen(engine.url + "/v1/rules", timeout=30) as answer:
        return json.load(answer)["rules"]


def test_what_the_engine_counts(tmp_path):
    with running(app_of(tmp_path), tmp_path / "data") as engine:
        engine("emit", "order.placed", "--data", json.dumps(ORDER))
        wait_for("the fold", lambda: folded(engine, "c1"))
        rules = {rule["name"]: rule for rule in rules_of(engine)}
        assert rules["regular"]["matched"] == 1
        assert (rules["regular"]["passed"], rules["regular"]["refused"]) == (0, 1)
        assert rules["broken"]["failed"] == 1
        assert rules["large"]["matched"] == rules["large"]["refused"] == 0


def test_after_a_reload_the_new_guards_are_asked(tmp_path):
    app = app_of(tmp_path)
    with running(app, tmp_path / "data") as engine:
        before = engine("explain", "-", "--rule", "regular", stdin=order())
        assert before.status == NO and "it returned nil" in before.out
        app_of(tmp_path, RULES.replace("customer.orders > 1", "customer.orders > 1 or 7"))
        assert engine("reload").status == DONE
        after = engine("explain", "-", "--rule", "regular", stdin=order())
        assert after.status == DONE and "says yes, it returned 7\n" in after.out


SLOW = (
    "local n = 0 for i = 1, 1e9 do n = n + #string.rep('abc', 1000) end return true",
    "local t = {} for i = 1, 1e9 do t[i] = string.rep('abc', 1000) .. i end return true",
)
LIMITS = ("too many instructions", "too much CPU time", "not enough memory")
LIVE_S = 2  # idle it is some ms; the guards of one question took 20 s


def explained(engine, **question):
    body = json.dumps(question).encode()
    request = urllib.request.Request(
        engine.url + "/v1/rules/explain", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def live_s(engine):
    begun = time.monotonic()
    with urllib.request.urlopen(engine.url + "/livez", timeout=30) as answer:
        assert answer.status == 200
    return time.monotonic() - begun


def test_slow_guards_leave_the_server_to_others(tmp_path):
    rules = "".join(
        f'rule "slow{i}" {{ on = {{ type = "slow" }}, emit = function() end,\n'
        f"  when = function() {SLOW[i % 2]} end }}\n"
        for i in range(300)
    )
    with running(app_of(tmp_path, rules), tmp_path / "data") as engine:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            asked = [pool.submit(explained, engine, event={"type": "slow"}) for _ in range(2)]
            took = [live_s(engine)]
            while not all(one.done() for one in asked):
                took.append(live_s(engine))
                time.sleep(0.02)
        assert max(took) < LIVE_S
        for one in asked:
            guards = [rule["guard"] for rule in one.result()["rules"]]
            errors = [guard for guard in guards if guard["answer"] == "error"]
            others = [guard for guard in guards if guard["answer"] == "not asked"]
            assert len(errors) + len(others) == 100 and len(others) > 50
            assert all(any(limit in guard["message"] for limit in LIMITS) for guard in errors)
            assert one.result()["guards"].get("not_asked") == len(others)
        assert any("this rule alone" in guard["message"] for guard in others)
        shown = engine("explain", "-", stdin=json.dumps({"type": "slow"}))
        assert "err rule slow0 (" in shown.out
        alone = engine("explain", "-", "--rule", "slow299", stdin=json.dumps({"type": "slow"}))
        assert alone.status == NO and "failed: " in alone.out


READS = """
projection "kept" { on = { type = "keep" }, key = "subject",
  fold = function(state, event) return event.data end }
rule "often" { on = { type = "read" }, emit = function() end,
  when = function()
    local found = 0
    for i = 1, 2000 do found = found + #view("kept", "list") end
    return found == 2000 * 30000
  end }
rule "much" { on = { type = "read" }, emit = function() end,
  when = function()
    local found = 0
    for i = 1, 6 do
      local _, text = pcall(view, "kept", "text" .. i)
      found = found + #text
    end
    return found > 0
  end }
"""


def test_a_guard_that_reads_much_is_told_as_in_its_lane(tmp_path):
    def keep(engine, key, data):
        file = tmp_path / key
        file.write_text(json.dumps(data))
        sent = engine("emit", "keep", "--subject", key, "--data", f"@{file}")
        assert sent.status == DONE, sent

    with running(app_of(tmp_path, READS), tmp_path / "data") as engine:
        keep(engine, "list", [[i] for i in range(30000)])
        for i in range(1, 7):
            keep(engine, f"text{i}", "x" * 900_000)
        engine("emit", "read", "--data", "{}")

        def counted():
            rules = {rule["name"]: rule for rule in rules_of(engine)}
            return rules if rules["often"]["matched"] == 1 else None

        rules = wait_for("the rules", counted)
        assert rules["often"]["passed"] == rules["much"]["passed"] == 1, rules
        told = explained(engine, event={"type": "read"})["rules"]
        told = {rule["rule"]: rule for rule in told}
        often = told["often"]["guard"]
        assert (often["answer"], often.get("message")) == ("yes", None)
        assert [view["key"] for view in often["views"]] == ["list"]
        # Not an answer that is none: it caught the error.
        much = told["much"]
        assert much["guard"]["answer"] == "not asked" and "passed" not in much
        assert "reads more than 4 MiB" in much["guard"]["message"]
        shown = engine("explain", "-", "--rule", "much", stdin=json.dumps({"type": "read"}))
        assert shown.status == DONE
        assert "?   rule much (" in shown.out and "was not asked: it reads more than" in shown.out
