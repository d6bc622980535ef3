"""The power is cut under load: what was not synced is gone."""

import pytest
from campaign import POWER_LOSSES
from checker import INVARIANTS

# These look into the state that a kill leaves; a power cut sets it back, as it may.
OF_KILLS = {"committed_first", "orphans", "retries_kept", "tries_listed"}


@pytest.mark.parametrize("invariant", [name for name in INVARIANTS if name not in OF_KILLS])
def test_power(cut_off, invariant):
    assert not cut_off.complaints.get(invariant)


def test_power_was_cut(cut_off):
    assert len(cut_off.evidence.kills) == POWER_LOSSES
    assert len(cut_off.evidence.acks) > 10 * POWER_LOSSES
