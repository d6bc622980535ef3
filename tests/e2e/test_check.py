"""dalamb check: what is right to load and looks wrong all the same."""

import re

import pytest
from cli_support import DONE, NO, dalamb, write

FUNCTIONS = "".join(
    f'func "{name}" {{ command = {{ "true" }}, sandbox = false, input = function(e) return {{}} end }}\n'
    for name in ["f", "g"])
PROJECTION = 'projection "p" { on = { type = "x" }, key = "subject", fold = function(s, e) return s end }'
USED = 'rule "used" { on = { type = "use" }, call = { "f", "g" } }\n'


@pytest.fixture(name="check")
def a_check(tmp_path):
    """check(lines of a rule file): (warnings, notes) as "line: text"."""
    def check(*lines, functions=FUNCTIONS + "", used=USED, more=(), **files):
        for name in ["f", "g"]:
            (tmp_path / "app/functions" / name).mkdir(parents=True, exist_ok=True)
        write(tmp_path / "app", dalamb_lua=functions, rules__a_lua="\n".join(lines) + "\n",
              rules__used_lua=used, **files)
        result = dalamb("check", tmp_path / "app", "--format", "json", *more)
        assert result.json["errors"] == [], result
        return tuple(
            [f"{f['line']}: {f['text']}" for f in result.json[kind] if f["file"] == "rules/a.lua"]
            for kind in ("warnings", "notes"))
    check.app = tmp_path / "app"
    return check


def emits(name, on, what, **more):
    fields = "".join(f", {key} = {value}" for key, value in more.items())
    return f'rule "{name}" {{ on = {on}, emit = function(e) {what} end{fields} }}'


# --- loops --------------------------------------------------------------------------------------

ENDS = "Nothing but the bound of 16 hops ends that: tell such events apart in 'on', or end it in 'when'"
MAY_END = "It ends where 'when' or 'emit' says so, or after 16 hops"


def test_a_rule_that_feeds_itself(check):
    warnings, notes = check(emits("a", '{ type = "x" }', 'return { type = "x" }'))
    assert warnings == [
        '1: rule "a" may feed itself: it emits "x", which it matches. ' + ENDS]
    assert notes == []


def test_a_loop_through_other_rules(check):
    warnings, _ = check(
        emits("a", '{ type = "x" }', 'return { { type = "y1" }, { type = "z" } }'),
        emits("b", '{ type = prefix "y" }', 'return { type = "x" }'),
        emits("c", '{ type = "z" }', 'return { type = "nobody" }'))
    assert warnings == [
        '1: rule "a" may feed itself: it emits "y1", which rule "b" (rules/a.lua:2) matches; that one '
        'emits "x", which it matches. ' + ENDS]


@pytest.mark.parametrize("rule", [
    emits("a", '{ type = "x" }', 'return { type = "x" }', when="function(e) return e.data.n end"),
    emits("a", '{ type = "x" }', 'if e.data.n then return { type = "x" } end'),
    emits("a", '{ type = "x" }', 'local t = e.data.t return { type = t, data = "x" }'),
])
def test_a_loop_that_code_may_end_is_a_note(check, rule):
    warnings, notes = check(rule)
    assert warnings == []
    assert notes == ['1: rule "a" may feed itself: it emits "x", which it matches. ' + MAY_END]


def test_a_long_loop_is_not_told_in_full(check):
    warnings, _ = check(*(emits(f"r{i}", f'{{ type = "t{i}" }}', f'return {{ type = "t{(i + 1) % 9}" }}')
                          for i in range(9)))
    assert len(warnings) == 1
    assert 'which rule "r3" (rules/a.lua:4) matches; and so on over 9 rules, back to it. ' in warnings[0]


def test_types_are_found_in_what_emit_reaches(check):
    warnings, notes = check(
        'local make = require "make"',
        'local fixed = { type = "z" }',
        emits("a", '{ type = "x" }', 'return make.an("y")'),
        emits("b", '{ type = "y" }', 'return make.x()'),
        emits("c", '{ type = "z" }', 'return fixed'),
        lib__make_lua='local make = {}\nfunction make.an(t) return { type = t } end\n'
                      'function make.x() local e = {} e.type = "x" return e end\nreturn make\n')
    assert warnings == ['5: rule "c" may feed itself: it emits "z", which it matches. ' + ENDS]
    assert notes == [
        '3: rule "a" may feed itself: it emits "y", which rule "b" (rules/a.lua:4) matches; that one '
        'emits "x", which it matches. ' + MAY_END]


@pytest.mark.parametrize("on, function, result", [
    ('{ type = "dalamb.function.failed" }', "f", "failed"),
    ('{ type = "dalamb.function.succeeded", data = { name = "f" } }', "f", "succeeded"),
    ('{ type = prefix "dalamb.function." }', "f", "succeeded"),
    ('{ type = "dalamb.function.failed", data = { name = anything_but "g" } }', "f", "failed"),
])
def test_a_call_whose_result_calls_again(check, on, function, result):
    warnings, _ = check(f'rule "a" {{ on = {on}, call = "{function}" }}')
    assert warnings == [
        f'1: rule "a" may feed itself: it calls "{function}", whose dalamb.function.{result} it '
        'matches. ' + ENDS]


@pytest.mark.parametrize("on", [
    '{ type = "dalamb.function.failed", data = { name = "g" } }',
    '{ type = "dalamb.function.failed", data = { name = anything_but "f" } }',
    '{ type = "dalamb.rule.failed" }',
    '{ data = { n = 1 } }',
    '{ type = anything_but "dalamb.function.failed" }',
    '{ type = "dalamb.function.failed", topic = "events" }',
])
def test_a_call_whose_result_is_another_rules(check, on):
    warnings, notes = check(f'rule "a" {{ on = {on}, call = "f" }}')
    assert [w for w in warnings + notes if "feed itself" in w] == []


def test_no_loop(check):
    warnings, notes = check(
        emits("a", '{ type = "x" }', 'return { type = "y" }'),
        emits("b", '{ type = "y" }', 'return { type = "z" }'),
        emits("c", '{ type = { "z", suffix "w" } }', 'return nil'),
        emits("d", '{ type = "x", topic = "system" }', 'return { type = "x" }'))
    assert [w for w in warnings + notes if "feed itself" in w] == []


def test_a_rule_without_a_type_matches_what_it_emits(check):
    warnings, _ = check(emits("a", '{ data = { n = 1 } }', 'return { type = "x", data = { n = 1 } }'))
    assert len(warnings) == 1 and 'it emits "x", which it matches' in warnings[0]


def test_each_knot_is_told_once(check):
    rules = [emits(f"r{i}", '{ type = "x" }', 'return { { type = "x" }, { type = "y" } }')
             for i in range(20)]
    warnings, notes = check(*rules, emits("last", '{ type = "l" }', 'return { type = "l" }'))
    assert [w for w in warnings if "feed itself" in w] == [
        '1: rule "r0" may feed itself: it emits "x", which it matches. ' + ENDS,
        '21: rule "last" may feed itself: it emits "l", which it matches. ' + ENDS]
    assert not any("feed itself" in note for note in notes)


# --- what never matches -------------------------------------------------------------------------


@pytest.mark.parametrize("on, said", [
    ('{ type = "dalamb.function.suceeded" }', "dalamb writes no event of such a type"),
    ('{ type = prefix "dalamb.functions." }', "dalamb writes no event of such a type"),
    ('{ type = "dalamb.function.failed", data = { name = "h" } }', "that no rule calls"),
    ('{ type = prefix "dalamb.function.", data = { name = suffix "h" } }', "that no rule calls"),
    ('{ type = 5 }', "'type' is text in every event"),
    ('{ type = "x", source = numeric(">", 5) }', "'source' is text in every event"),
])
def test_rules_and_projections_that_never_match(check, on, said):
    warnings, _ = check(
        f'rule "a" {{ on = {on} }}',
        f'projection "p" {{ on = {on}, key = "subject", fold = function(s, e) return nil end }}')
    assert len(warnings) == 2
    assert warnings[0].startswith('1: rule "a" can never match: ') and said in warnings[0]
    assert warnings[1].startswith('2: projection "p" can never match: ') and said in warnings[1]


@pytest.mark.parametrize("on", [
    '{ type = "dalamb.function.failed", data = { name = "f" } }',
    '{ type = { "dalamb.function.suceeded", "dalamb.rule.failed" } }',
    '{ type = { "dalamb.function.suceeded", "x" } }',
    '{ type = "dalamb.app.loaded", data = { name = "h" } }',
    '{ type = "dalamb.outbox.checkpoint" }',
])
def test_rules_that_may_match(check, on):
    assert check(f'rule "a" {{ on = {on} }}')[0] == []


def test_a_view_that_nothing_feeds(check):
    projection = 'projection "p" { on = { type = "dalamb.typo" }, key = "subject", ' \
                 'fold = function(s, e) return nil end }'
    warnings, _ = check(
        projection, 'local function help(e) return view("p", e.subject) end',
        'rule "a" { on = { type = "x" }, when = function(e) return help(e) end }')
    assert warnings[1] == (
        '3: rule "a" reads projection "p" (rules/a.lua:1), which nothing ever feeds: there is never '
        'an entry')


@pytest.mark.parametrize("code, indexed", [
    ('return view("p", e.subject).n > 1', True),
    ('local p = view("p", e.subject) return p.n > 1', True),
    ('local p = view("p", e.subject or e.id)[1] return p', True),
    ('local p = view("p", e.subject) return p and p.n > 1', False),
    ('local p = view("p", e.subject) if not p then return false end return p.n > 1', False),
    ('return (view("p", e.subject) or { n = 0 }).n > 1', False),
    ('local p = view("p", e.data.key) local q = e.data return q.n and p', False),
    ('return tostring(view("p", e.subject)) and e.data.n', False),
])
def test_a_view_that_is_indexed_without_a_look(check, code, indexed):
    warnings, _ = check(PROJECTION, 'rule "a" { on = { type = "x" }, when = function(e)',
                        f"  {code}", "end }")
    assert warnings == ([
        '3: view("p", ...): a key has no entry before the projection\'s first event of it, and nil '
        'has no fields: look whether it is there first'] if indexed else [])


# --- what nobody uses ---------------------------------------------------------------------------


def test_a_projection_that_no_code_reads_is_a_note(check):
    warnings, notes = check(PROJECTION)
    assert warnings == []
    assert notes == ['1: projection "p" is read by no rule and no function: it is there for queries '
                     'only']


@pytest.mark.parametrize("reader", [
    'when = function(e) return view("p", "k") end',
    'emit = function(e) return { type = "y", data = view("p", "k") } end',
    'when = function(e) return view(e.data.name, "k") end',
])
def test_a_projection_that_is_read(check, reader):
    assert check(PROJECTION, f'rule "a" {{ on = {{ type = "x" }}, {reader} }}') == ([], [])


def test_a_projection_that_a_functions_input_reads(check):
    functions = FUNCTIONS.replace("return {}", 'return { p = view("p", e.subject) }')
    assert check(PROJECTION, functions=functions) == ([], [])


def test_a_function_that_no_rule_calls(check):
    check("", used='rule "used" { on = { type = "use" }, call = "f" }')
    result = dalamb("check", check.app)
    assert 'dalamb.lua:2: warning: func "g" is called by no rule' in result.err


# --- rules that are alike -----------------------------------------------------------------------


def test_equal_patterns(check):
    warnings, notes = check(
        'rule "a" { on = { type = "x", data = { n = { 1, 2 } } } }',
        'rule "b" { on = { data = { n = { 2, 1 } }, type = "x" } }',
        'rule "c" { on = { type = "x", data = { n = { 1, 2 } }, topic = "events" } }')
    assert warnings == []
    assert '2: rule "b" is on the same events as rule "a" (rules/a.lua:1)' in notes
    assert not any("rule \"c\" is on the same" in note for note in notes)


def test_equal_patterns_that_call_the_same(check):
    warnings, _ = check(
        'rule "a" { on = { type = "x" }, call = "f" }',
        'rule "b" { on = { type = "x" }, call = "g" }',
        'rule "c" { on = { type = "x" }, call = { "g" } }',
        'rule "d" { on = { type = "x" }, call = "f", when = function(e) return true end }')
    assert warnings == [
        '3: rule "c" is on the same events as rule "b" (rules/a.lua:2), and both call "g": it is '
        'called twice for them']


def test_shadowed(check):
    warnings, notes = check(
        'rule "narrow" { on = { type = "order.placed", data = { n = numeric(">", 5) } }, call = "f" }',
        'rule "wide" { on = { type = prefix "order." }, call = "f" }',
        'rule "other" { on = { type = "order.placed", data = { n = numeric(">", 7) } } }')
    assert warnings == [
        '1: rule "narrow" is shadowed: all its events are matched, too, by rule "wide" '
        '(rules/a.lua:2), and both call "f": it is called twice for them']
    assert len(notes) == 1 and re.match(
        r'3: rule "other" is shadowed: all its events are matched, too, by rule "(narrow|wide)"',
        notes[0])


# --- the command --------------------------------------------------------------------------------


def test_strict(check):
    check(PROJECTION, 'rule "a" { on = { type = "x" }, when = function() return view("p", "k") end }')
    assert dalamb("check", check.app, "--strict").status == DONE
    check(PROJECTION)
    assert dalamb("check", check.app, "--strict").status == DONE  # a note is none
    check(emits("a", '{ type = "x" }', 'return { type = "x" }'))
    assert dalamb("check", check.app).status == DONE
    strict = dalamb("check", check.app, "--strict")
    assert strict.status == NO and strict.out == ""
    assert strict.err.endswith("1 warning, and --strict takes none\n")
    assert "rules/a.lua:1: warning: rule \"a\" may feed itself" in strict.err
    assert dalamb("check", check.app, "--strict", "--format", "json").json["ok"] is False


def test_ten_thousand_rules(check):
    rules = [
        f'rule "r{i}" {{ on = {{ type = "t{i}", data = {{ total = numeric(">", {i}), c = {{ "x", "y{i}" }} }} }}, '
        f'emit = function(e) return {{ type = "t{i + 1}", data = {{ n = {i} }} }} end }}'
        for i in range(10000)]
    parts = {f"rules__r{p}_lua": "\n".join(rules[p:p + 2500]) for p in range(0, 10000, 2500)}
    assert check("", **parts) == ([], [])
