"""Fixtures: engines on free ports and temporary data; what a machine lacks is skipped by name."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1])]

from neighbours.fixtures import (  # noqa: E402, F401
    broker,
    broker_folder,
    kafka,
    old_broker,
    own_broker,
    podman,
)
from support.apps import need  # noqa: E402
from support.engine import PROGRAM, ROOT, Engine, write_app  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


@pytest.fixture
def folder():
    """For an app and its data; a sandboxed function of root's runs as nobody, and must see it."""
    path = Path(tempfile.mkdtemp(prefix="dalamb-e2e-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def engine(request, folder):
    """engine(files or folder of an app, ...): a started engine; all are gone at the end."""
    engines = []

    def make(app, data=None, start=True, **more):
        if isinstance(app, dict):
            app = write_app(folder / ("app%d" % len(engines)), app)
        one = Engine(app, data or folder / ("data%d" % len(engines)), **more)
        engines.append(one)
        return one.start() if start else one

    yield make
    for one in engines:
        one.close()
        if getattr(request.node, "failed", False) and one.process:
            print("--- the engine on port %d said:\n%s" % (one.port, one.said()[-4000:]))


@pytest.fixture(scope="session")
def walls():
    """Skips where bubblewrap can't make namespaces."""
    need("bwrap")
    tried = subprocess.run(
        ["bwrap", "--unshare-all", "--ro-bind", "/", "/", "/bin/true"],
        capture_output=True,
        text=True,
    )
    if tried.returncode != 0:
        pytest.skip("bubblewrap can't make namespaces here: " + tried.stderr.strip())


@pytest.fixture(scope="session")
def vendored():
    """The folder with awslambdaric that ./dev puts beside the example's code."""
    path = ROOT / "examples/shop/functions/fraud-check/vendor"
    if not (path / "awslambdaric").is_dir():
        pytest.skip("there is no %s: ./dev test makes it" % path)
    return path


@pytest.fixture(scope="session")
def cache():
    """What is built or fetched once, beside the program."""
    path = PROGRAM.parent / "e2e"
    path.mkdir(exist_ok=True)
    return path
