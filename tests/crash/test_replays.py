"""The state is derived: deleted, it is folded again from the log, to the same bytes."""

import shutil
import time

import pytest
from campaign import lines_of
from support.engine import inspect

REPLAYS = 10


@pytest.fixture(scope="module")
def first(killed):
    """The digest of the state that has been through all the kills."""
    return inspect("digest", killed.campaign.engine.data)


@pytest.mark.parametrize("replay", range(REPLAYS))
def test_replay(killed, first, replay):
    campaign = killed.campaign
    engine, tries = campaign.engine, len(lines_of(campaign.journal))
    shutil.rmtree(engine.data / "state")
    if replay % 2:  # it is cut short, and goes on
        engine.launch()
        time.sleep(0.02 * replay)
        engine.kill()
    engine.start()
    engine.drain()
    assert engine.stop() == 0
    assert inspect("digest", engine.data) == first
    assert len(lines_of(campaign.journal)) == tries, "a function was called again"
