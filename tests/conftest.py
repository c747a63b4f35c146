"""What every test starts from, however the suite was started."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from schemathesis.pytest.plugin import SchemathesisFunction

from tests.support.postgres import Cluster, running_cluster

# A script's shell starts what runs in its background with SIGINT ignored; nohup ignores SIGHUP. The programs that
# tests start would inherit that and never hear a test's Ctrl-C. They don't inherit a handler, so one that does
# nothing leaves the suite as deaf as it was and lets its programs hear.
for _signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, lambda *_: None)

# The suite tries the same cases on every machine, so that red means changed; `pytest --hypothesis-profile=explore`
# looks for new ones. A machine that is busy with something else is no fault of the code's.
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("explore"), derandomize=True, database=None)
settings.load_profile("suite")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test needs an id of its own: of several that share one, xdist runs one and says nothing of the others.

    The ids of schemathesis 4 end before the call that is tested, since pytest 9.2 takes no brackets from a name.
    """
    for item in items:
        if isinstance(item, SchemathesisFunction) and item._id.params is None:
            item._id = item._id.with_params(item.operation_label)
    shared = [node_id for node_id, n in Counter(item.nodeid for item in items).items() if n > 1]
    if shared:
        raise pytest.UsageError(f"several tests share an id, so most of them would not run: {shared}")


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for all tests of this process; who wants to stop it uses `running_cluster`."""
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres_url(postgres_cluster: Cluster) -> Iterator[str]:
    """``store.url`` of an empty database."""
    database = postgres_cluster.make_database()
    yield postgres_cluster.url(database)
    postgres_cluster.drop_database(database)
