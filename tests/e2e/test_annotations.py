"""What `dalamb init` tells editors: dalamb.d.lua and .luarc.json."""

import json
import shutil
import subprocess

import pytest

from cli_support import (  # noqa: F401 (a fixture)
    DONE, NO, ROOT, UNREACHABLE, USAGE, a_fresh_app, dalamb, write,
)


def copy_of(example, folder):
    shutil.copytree(ROOT / "examples" / example, folder, ignore=shutil.ignore_patterns("vendor", "data"))
    return folder


def test_init_tells_editors_of_all_that_rule_files_may_use(fresh):
    text = (fresh / "dalamb.d.lua").read_text()
    assert text.startswith("---@meta\n")
    for word in ("rule", "projection", "test", "func", "http", "log", "limits", "github", "containers", "app"):
        assert f"\nfunction {word}(" in text
    for line in ("---@field timeout? string|number How long one invocation may take. Default: `10s`.",
                 '---@field kind? "embedded"|"kafka" ', "---@class (exact) dalamb.log.topics\n"):
        assert line in text
    assert "(null)" not in text
    settings = json.loads((fresh / ".luarc.json").read_text())
    assert settings["runtime.version"] == "Lua 5.4"
    assert settings["runtime.builtin"]["os"] == "disable"
    assert dalamb("check", fresh).status == DONE


def test_annotations_are_refreshed_in_an_app_that_is_there(tmp_path):
    app = copy_of("shop", tmp_path / "shop")
    before = {path: path.read_bytes() for path in app.rglob("*") if path.is_file()}
    assert dalamb("init", "--annotations", app).status == DONE
    text = (app / "dalamb.d.lua").read_text()
    assert (app / ".luarc.json").is_file()
    (app / "dalamb.d.lua").write_text("-- old\n")
    (app / ".luarc.json").write_text("{}\n")
    assert dalamb("init", app, "--annotations").status == DONE
    assert (app / "dalamb.d.lua").read_text() == text
    assert (app / ".luarc.json").read_text() == "{}\n", "the settings are their people's"
    assert {path: path.read_bytes() for path in before} == before


def test_annotations_are_for_an_app(tmp_path):
    result = dalamb("init", "--annotations", tmp_path)
    assert result.status == NO and "is no app" in result.err
    assert list(tmp_path.iterdir()) == []
    assert dalamb("init", "--annotations").status == USAGE
    (tmp_path / "rules").mkdir()
    (tmp_path / "dalamb.d.lua").mkdir()
    assert dalamb("init", "--annotations", tmp_path).status == UNREACHABLE


# --- with a language server, where there is one -------------------------------------------------


def complaints(app):
    """What EmmyLua's checker or LuaLS says of the files of an app."""
    if shutil.which("emmylua_check"):
        command = ["emmylua_check", str(app)]
    elif shutil.which("lua-language-server"):
        command = ["lua-language-server", f"--check={app}", "--checklevel=Warning", f"--logpath={app}/../log"]
    else:
        pytest.skip("no emmylua_check and no lua-language-server")
    said = subprocess.run(command, capture_output=True, text=True, timeout=300).stdout
    report = app.parent / "log/check.json"
    said += report.read_text() if report.exists() else ""
    return [line for line in said.splitlines() if "warning" in line.lower() or "error" in line.lower()]


@pytest.mark.parametrize("example", ["shop", "github"])
def test_a_language_server_finds_nothing_wrong(tmp_path, example):
    app = copy_of(example, tmp_path / "app")
    dalamb("init", "--annotations", app)
    assert complaints(app) == []


def test_a_language_server_finds_what_is_wrong(fresh):
    assert complaints(fresh) == []
    for wrong in ('rule "x" { call = "greet" }', 'rule "x" { on = { type = "a" }, call = 5 }',
                  'rule "x" { on = { type = prefix(5) }, call = "greet" }',
                  'rule "x" { on = { type = "a" }, call = "greet", on_error = "explode" }',
                  'local x = string.frobnicate("x")\nreturn x',
                  'projection "p" { on = { type = "a" }, key = "id", version = "2", fold = function(s) return s end }'):
        write(fresh, rules__wrong_lua=wrong)
        assert complaints(fresh) != [], wrong
