"""A tiny made city, made once for all tests of the survey."""

from pathlib import Path

import pytest

from zhongshu.survey import make

PEOPLE, SEED = 20_000, 7


@pytest.fixture(scope="session")
def yunting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a city of 20,000."""
    folder = tmp_path_factory.mktemp("yunting")
    make(folder, PEOPLE, SEED)
    return folder
