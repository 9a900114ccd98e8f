"""The city's salt: a secret of its own beside the desk, the same when the city is opened again, read by its user alone, and in no backup."""

import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest

from zhongshu.app import Owner, backup
from zhongshu.serve.door import salted
from zhongshu.settings import read
from zhongshu.survey import make

pytestmark = pytest.mark.journey


def opened(folder: Path, work: Any) -> Any:
    held = Owner(read({"data": str(folder), "port": "0"}))
    held.start()
    try:
        return work(held)
    finally:
        held.stop()


def test_the_salt_is_the_city_s_own_and_stays_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    make(folder, 20_000, 7)
    copy = tmp_path / "copy.tar.gz"

    def first(held: Owner) -> bytes:
        backup(held.parts, copy, lambda *_: None)
        return held.city.salt

    salt = opened(folder, first)
    path = folder / "ledger.salt"
    assert len(salt) == 32 and path.read_bytes() == salt
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(copy) as archive:
        assert not [name for name in archive.getnames() if "salt" in name]
    assert opened(folder, lambda held: held.city.salt) == salt
    assert salted(salt, "某人") == salted(salt, "某人") != salted(bytes(32), "某人")
