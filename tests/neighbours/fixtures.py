"""Fixtures: one broker and one container engine for all tests of a run; skipped, by name, where a
machine can't have them."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from neighbours import broker as brokers
from neighbours import podman as podmans
from support.mounts import enter_namespace


@pytest.fixture(scope="session")
def broker_folder():
    path = Path(tempfile.mkdtemp(prefix="dalamb-kafka-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def skip_without_broker(jars=brokers.JARS):
    why = brokers.missing(jars)
    if why:
        pytest.skip(why)


@pytest.fixture(scope="session")
def broker(broker_folder):
    """Shared: each test has topics of its own, and nobody ends it (for that: own_broker)."""
    skip_without_broker()
    one = brokers.Broker(broker_folder / "shared", secure=True, java=brokers.QUICK)
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture(scope="session")
def old_broker(broker_folder):
    """Shared as well, of Kafka's line before the newest."""
    skip_without_broker(brokers.OLD_JARS)
    one = brokers.Broker(
        broker_folder / "old", secure=True, java=brokers.QUICK, jars=brokers.OLD_JARS
    )
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def own_broker(broker_folder, request):
    """For one test, which may do anything with it."""
    skip_without_broker()
    one = brokers.Broker(broker_folder / request.node.name, java=brokers.QUICK)
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture(scope="session")
def kafka(broker):
    """A client of the shared broker."""
    from neighbours.kafka import Kafka

    return Kafka(broker.address)


@pytest.fixture(scope="session")
def podman():
    """A container engine that has run a container. It sees the mounts of the engines that tests
    start, though other tests enter a mount namespace: it is entered before."""
    why = podmans.missing()
    if why:
        pytest.skip(why)
    with contextlib.suppress(OSError):
        enter_namespace()
    one = podmans.Podman()
    try:
        try:
            one.start().probe()
        except (podmans.Failed, OSError, AssertionError) as error:
            pytest.skip("podman can't run a container here: %s" % error)
        yield one
        one.remove()
    finally:
        one.close()
