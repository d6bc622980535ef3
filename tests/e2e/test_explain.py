"""dalamb explain, as people read it: without an engine, by a running one, of events of its log."""

import json
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
