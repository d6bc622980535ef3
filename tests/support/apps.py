"""Apps for tests: functions in Python, and what a machine needs for them."""

import json
import shutil

import pytest

from support.engine import PROGRAM, ROOT

RUNTIME = (ROOT / "tests/support/runtime.py").read_text()
SANITIZED = "san" in PROGRAM.parent.name  # memory is not what it will be


def function(name, code, sandbox=False, **fields):
    """The files of a function in Python, and its declaration with these fields (Lua text)."""
    declared = "".join("  %s = %s,\n" % field for field in fields.items())
    command = '{ "/usr/bin/python3", "-I", "-S", "app.py" }'
    declaration = 'func "%s" {\n  command = %s,\n  sandbox = %s,\n%s}\n'
    return {
        "functions/%s/app.py" % name: RUNTIME + code + "\n\nserve(handler)\n",
        "functions/%s.lua"
        % name: declaration
        % (name, command, "true" if sandbox else "false", declared),
    }


def lua(value):
    """As a string in Lua."""
    return json.dumps(str(value))


def need(tool):
    found = shutil.which(tool)
    if not found:
        pytest.skip("there is no " + tool)
    return found
