"""dalamb test: verdicts, choices, coverage, JUnit, --watch, --record."""

import json
import subprocess
import xml.etree.ElementTree

import pytest
from cli_support import (  # pylint: disable=unused-import
    DONE, NO, PROGRAM, UNREACHABLE, USAGE, dalamb, environment, running, wait_for, write,
)

RULES = """\
rule "large" {
  on   = { type = "order.placed", data = { total = numeric(">=", 100), country = { "FR", "DE" } } },
  when = function(event)
    local seen = view("totals", event.data.customer)
    if seen and seen.total > 1000 then
      return false
    end
    return true
  end,
  call = "check",
}

rule "echo" {
  on   = { type = "order.echoed" },
  emit = function(event)
    return { type = "order.echo", subject = event.subject, data = { again = event.data } }
  end,
}

projection "totals" {
  on   = { type = "order.placed" },
  key  = "data.customer",
  init = { total = 0 },
  fold = function(state, event)
    state.total = state.total + event.data.total
    return state
  end,
}
"""

TESTS = """\
test "a large order is checked" {
  events = { { type = "order.placed", data = { customer = "c", total = 200, country = "FR" } } },
  expect = { call("check"), view("totals", "c", { total = 200 }) },
}

test "a small one is not" {
  events = { { type = "order.placed", data = { customer = "c", total = 20, country = "FR" } } },
  expect = { no_call() },
}
"""

FAILING = """\
test "<wrong> & \\"odd\\" \\7" {
  events = { { type = "order.placed", data = { customer = "c", total = 200, country = "FR" } } },
  expect = {
    call("check", { id = "other" }),
    view("totals", "c", { total = 201 }),
  },
}
"""


@pytest.fixture(name="shop")
def a_shop(tmp_path):
    (tmp_path / "shop/functions/check").mkdir(parents=True)
    return write(tmp_path / "shop", rules__orders_lua=RULES, tests__orders_test_lua=TESTS,
                 dalamb_lua='func "check" { command = { "true" }, sandbox = false }\n')


def order(number, total, customer="c", country="FR"):
    return {"specversion": "1.0", "type": "order.placed", "id": f"o{number}", "source": "/t",
            "data": {"customer": customer, "total": total, "country": country}}


# --- verdicts -----------------------------------------------------------------------------------


def test_statuses(shop, tmp_path):
    result = dalamb("test", shop)
    assert result.status == DONE
    assert result.out.splitlines()[:2] == ["ok   a large order is checked", "ok   a small one is not"]
    assert "2 passed, 0 failed (" in result.out
    write(shop, tests__wrong_test_lua=FAILING)
    assert dalamb("test", shop).status == NO
    write(shop, tests__wrong_test_lua="test 5")
    broken = dalamb("test", shop)
    assert broken.status == NO and "tests/wrong_test.lua:1: " in broken.err
    assert dalamb("test", shop, shop).status == USAGE
    (tmp_path / "empty").mkdir()
    none = dalamb("test", tmp_path / "empty")
    assert none.status == NO and "tests/NAME_test.lua" in none.err


def test_a_failure_says_where_and_what_differs(shop):
    write(shop, tests__wrong_test_lua=FAILING)
    result = dalamb("test", shop)
    assert "tests/wrong_test.lua:4: call(\"check\"): it happened, but differs" in result.out
    assert "        id: expected \"other\", found \"test-1\"" in result.out
    assert "tests/wrong_test.lua:5: view(\"totals\", \"c\"): it differs" in result.out
    assert "        total: expected 201, found 200" in result.out


def test_one_test_leaves_nothing_for_the_next(shop):
    same = TESTS.split("\n\n", maxsplit=1)[0]
    write(shop, tests__again_test_lua="\n".join(
        same.replace("checked", f"checked {i}") for i in range(50)))
    assert dalamb("test", shop).status == DONE


def test_a_thousand_tests(shop):
    one = TESTS.split("\n\n", maxsplit=1)[0]
    write(shop, tests__many_test_lua="\n".join(
        one.replace("is checked", f"is checked {i}") for i in range(1000)))
    result = dalamb("test", shop, "--format", "json")
    assert result.json["passed"] == 1002 and result.json["failed"] == 0


# --- choices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("only, count", [
    ("large", 1), ("a * is not", 1), ("a *", 2), ("orders_test", 2), ("tests/*.lua", 2), ("*", 2)])
def test_only(shop, only, count):
    assert len(dalamb("test", shop, "--only", only, "--format", "json").json["tests"]) == count


def test_only_what_is_not_there(shop):
    result = dalamb("test", shop, "--only", "nowhere")
    assert result.status == NO and "nowhere" in result.err


def test_a_folder_or_a_file_of_tests_is_an_app(shop):
    write(shop, tests__wrong_test_lua=FAILING)
    assert dalamb("test", shop / "tests").status == NO
    one = dalamb("test", shop / "tests/orders_test.lua")
    assert one.status == DONE and "2 passed" in one.out
    assert dalamb("test", "tests/orders_test.lua", folder=shop).status == DONE
    assert dalamb("test", "tests", "--only", "large", folder=shop).status == DONE
    assert dalamb("test", "orders_test.lua", folder=shop / "tests").status == DONE
    assert "no such folder" in dalamb("test", "nowhere", folder=shop).err


# --- coverage -----------------------------------------------------------------------------------


def test_cover(shop):
    result = dalamb("test", shop, "--cover")
    assert result.status == DONE
    said = result.out[result.out.index("not covered:"):].splitlines()
    assert said[:5] == [
        "not covered:",
        'rules/orders.lua:1: rule "large" is refused by its guard in no test',
        'rules/orders.lua:1: rule "large": no test has data.country fail',
        'rules/orders.lua:13: rule "echo" is matched by no test',
        "rules/orders.lua:6: never runs",
    ]
    assert said[5] == "rules/orders.lua:16: never runs"
    assert "  rules           1 of 2 (50 %)" in said
    assert "  projections     1 of 1 (100 %)" in said
    assert "  pattern fields  3 of 5 (60 %)" in said
    assert "  lines           5 of 7 (71 %)" in said


def test_cover_of_lines_and_fields_as_json(shop):
    covered = dalamb("test", shop, "--cover", "--format", "json").json["coverage"]
    large, echo = covered["rules"]
    assert (large["passed"], large["refused"], echo["passed"]) == (1, 0, 0)
    fields = {f["field"]: (f["held"], f["failed"], f["covered"]) for f in large["fields"]}
    assert fields == {"data.country": (2, 0, False), "data.total": (1, 1, True),
                      "type": (2, 0, True)}
    assert covered["projections"][0]["folded"] == 2
    assert covered["files"] == [
        {"file": "rules/orders.lua", "ran": [4, 5, 8, 25, 26], "missed": [6, 16]}]


def test_what_is_covered_is_not_complained_of(shop):
    write(shop, tests__more_test_lua="""\
test "more" {
  given  = { view("totals", "rich", { total = 5000 }) },
  events = {
    { type = "order.placed", data = { customer = "rich", total = 200, country = "FR" } },
    { type = "order.placed", data = { customer = "c", total = 200, country = "IT" } },
    { type = "order.echoed", data = 1 },
  },
  expect = { no_call(), emit("order.echo", { data = { again = 1 } }) },
}
""")
    result = dalamb("test", shop, "--cover")
    assert "not covered:\ncovered:\n" in result.out
    assert result.out.count("(100 %)") == 4


# --- JUnit --------------------------------------------------------------------------------------


def test_junit(shop, tmp_path):
    write(shop, tests__wrong_test_lua=FAILING)
    file = tmp_path / "junit.xml"
    assert dalamb("test", shop, "--junit", file).status == NO
    suites = xml.etree.ElementTree.parse(file).getroot()
    assert suites.tag == "testsuites"
    assert (suites.get("name"), suites.get("tests"), suites.get("failures"),
            suites.get("errors")) == ("shop", "3", "1", "0")
    first, second = suites
    assert (first.get("name"), first.get("tests")) == ("tests/orders_test.lua", "2")
    case = first[1]
    assert (case.get("name"), case.get("classname"), case.get("file"), case.get("line")) == (
        "a small one is not", "tests.orders_test", "tests/orders_test.lua", "6")
    assert float(case.get("time")) >= 0 and len(case) == 0
    wrong = second[0]
    assert wrong.get("name") == "<wrong> & \"odd\" \ufffd"
    assert wrong[0].tag == "failure" and wrong[0].get("message") == "call(\"check\"): it happened, but differs"
    assert "tests/wrong_test.lua:5: view(" in wrong[0].text
    assert "total: expected 201, found 200" in wrong[0].text


def test_junit_of_an_app_that_does_not_load(shop, tmp_path):
    write(shop, rules__wrong_lua='rule "x" { on = 5 }\n')
    file = tmp_path / "junit.xml"
    assert dalamb("test", shop, "--junit", file).status == NO
    suites = xml.etree.ElementTree.parse(file).getroot()
    assert suites.get("errors") == "1"
    case = suites[0][0]
    assert (case.get("file"), case.get("line"), case[0].tag) == ("rules/wrong.lua", "1", "error")


def test_junit_that_can_not_be_written(shop):
    result = dalamb("test", shop, "--junit", shop / "nowhere/junit.xml")
    assert result.status == UNREACHABLE and "nowhere/junit.xml" in result.err


# --- watch --------------------------------------------------------------------------------------


def test_watch_runs_again_at_each_change(shop):
    process = subprocess.Popen(
        [str(PROGRAM), "test", str(shop), "--watch", "--format", "json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
    try:
        assert json.loads(process.stdout.readline())["passed"] == 2
        assert "waiting" in process.stderr.readline()
        write(shop, tests__wrong_test_lua=FAILING)
        assert "tests/wrong_test.lua changed" in process.stderr.readline()
        assert json.loads(process.stdout.readline())["failed"] == 1
        assert "waiting" in process.stderr.readline()
        write(shop, rules__more_lua='rule "x" { on = 5 }\n')  # does not load: no line of JSON
        assert "rules/more.lua changed" in process.stderr.readline()
        assert "rules/more.lua:1: " in process.stderr.readline()
        assert "waiting" in process.stderr.readline()
        (shop / "rules/more.lua").unlink()
        assert "rules/more.lua changed" in process.stderr.readline()
        assert json.loads(process.stdout.readline())["failed"] == 1
        assert "waiting" in process.stderr.readline()
        (shop / "lib").mkdir()
        assert "lib changed" in process.stderr.readline()
        assert json.loads(process.stdout.readline())["failed"] == 1
        assert "waiting" in process.stderr.readline()
        write(shop, lib__more_lua="return 1")
        assert "lib/more.lua changed" in process.stderr.readline()
    finally:
        process.kill()
        process.communicate()


# --- record -------------------------------------------------------------------------------------


def ndjson_file(path, *events):
    path.write_text("".join(json.dumps(e) + "\n" for e in events))
    return path


def test_record_a_file(shop, tmp_path):
    file = ndjson_file(tmp_path / "bad-day.ndjson", order(1, 200), order(2, 2),
                       {"type": "order.echoed", "id": "e", "source": "/t", "subject": "s", "data": "x\n"})
    result = dalamb("test", shop, "--record", file)
    assert result.status == DONE, result
    assert "1 passed, 0 failed" in result.out and "3 events recorded in" in result.err
    text = (shop / "tests/bad-day_test.lua").read_text()
    assert 'test "bad-day" {' in text and 'id = "o1"' in text
    assert '\t\tcall("check", { id = "o1" }),\n' in text
    assert '\t\temit("order.echo", { subject = "s", data = { again = "x\\n" } }),\n' in text
    assert '\t\tview("totals", "c", { total = 202 }),\n' in text
    assert "given" not in text
    assert dalamb("test", shop).status == DONE


def test_record_overwrites_nothing(shop, tmp_path):
    file = ndjson_file(tmp_path / "e.ndjson", order(1, 200))
    assert dalamb("test", shop, "--record", file, "--name", "mine").status == DONE
    first = (shop / "tests/mine_test.lua").read_bytes()
    again = dalamb("test", shop, "--record", file, "--name", "mine")
    assert again.status == NO and "tests/mine_test.lua is there already" in again.err
    assert (shop / "tests/mine_test.lua").read_bytes() == first
    assert dalamb("test", shop, "--record", file, "--name", "other").status == DONE
    assert (shop / "tests/other_test.lua").read_bytes() == first.replace(b'"mine"', b'"other"')


def test_record_many_events_beside_the_test(shop, tmp_path):
    file = ndjson_file(tmp_path / "many.ndjson", *(order(i, i, f"c{i % 3}") for i in range(300)))
    assert dalamb("test", shop, "--record", file).status == DONE
    assert 'events = "many.ndjson",' in (shop / "tests/many_test.lua").read_text()
    lines = (shop / "tests/many.ndjson").read_text().splitlines()
    assert len(lines) == 300 and json.loads(lines[0])["event"]["id"] == "o0"
    assert dalamb("test", shop, "--only", "many").status == DONE


@pytest.mark.parametrize("number", ["0.1234567890123456789", "123456789012345678.5"])
def test_record_what_lua_can_not_hold_beside_the_test(shop, tmp_path, number):
    file = tmp_path / "exact.ndjson"
    file.write_text(json.dumps(order(1, 5)).replace("5", number) + "\n")
    dalamb("test", shop, "--record", file)
    assert number in (shop / "tests/exact.ndjson").read_text()


def test_record_a_running_engine(shop, tmp_path):
    with running(shop, tmp_path / "data") as engine:
        for i, total in enumerate([600, 600, 300, 200]):
            engine("emit", "--file", "-", stdin=json.dumps(order(i, total)) + "\n")
        lines = engine("tail", "--since", "1", "--type", "order.placed", "--format", "json").lines
        last = lines[-1]["position"]
        url = ("--url", engine.url)
        result = dalamb("test", shop, "--record", f"{last}..{last}", "--name", "last", *url)
        assert result.status == DONE and "1 passed" in result.out, result
        text = (shop / "tests/last_test.lua").read_text()
        assert '\tgiven = {\n\t\tview("totals", "c", { total = 1500 }),\n' in text
        assert '\t\tno_call(),\n' in text and '\t\tview("totals", "c", { total = 1700 }),\n' in text
        one = dalamb("test", shop, "--record", last.rpartition("/")[2], *url)
        assert one.status == DONE, one
        name = f"recorded-{last.rpartition('/')[2]}"
        assert (shop / f"tests/{name}_test.lua").read_text() == text.replace("last", name)
        every = dalamb("test", shop, "--record", "-1h..", "--name", "every", *url)
        assert every.status == DONE, every
        assert "given" not in (shop / "tests/every_test.lua").read_text()
        none = dalamb("test", shop, "--record", "99999..", "--name", "none", *url)
        assert none.status == NO and "there is no event" in none.err
    stopped = dalamb("test", shop, "--record", f"{last}..{last}", "--name", "stopped",
                     "--data", tmp_path / "data")
    assert stopped.status == DONE, stopped
    assert (shop / "tests/stopped_test.lua").read_text() == text.replace("last", "stopped")


def test_record_of_another_topic_keeps_it(shop, tmp_path):
    file = ndjson_file(tmp_path / "e.ndjson", {
        "position": "raw/3/17", "appended": "2026-01-02T03:04:05Z", "event": order(1, 200)})
    assert dalamb("test", shop, "--record", file).status == DONE
    assert '{ position = "raw/3/17", event = ' in (shop / "tests/e_test.lua").read_text()


@pytest.mark.parametrize("words, status, said", [
    (("--record", "nonsense"), USAGE, "neither a range nor a file"),
    (("--record", "5..x"), USAGE, "neither a range nor a file"),
    (("--name", "x"), USAGE, "belong to --record"),
    (("--record", "1..2", "--watch"), USAGE, "no --watch"),
    (("--record", "1..2", "--url", "http://127.0.0.1:1"), UNREACHABLE, "could not reach"),
    (("--record", "1..2"), UNREACHABLE, "there is no log"),
])
def test_record_refuses(shop, words, status, said):
    result = dalamb("test", shop, *words)
    assert result.status == status and said in result.err


def test_record_refuses_a_name_that_is_a_path(shop, tmp_path):
    file = ndjson_file(tmp_path / "e.ndjson", order(1, 200))
    assert dalamb("test", shop, "--record", file, "--name", "../x").status == USAGE
    file.write_text("{}\n")
    result = dalamb("test", shop, "--record", file)
    assert result.status == NO and "e.ndjson:1: " in result.err
