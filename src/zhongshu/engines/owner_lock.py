"""One process owns a city: a lock on its folder, with who holds it; and the version of everything in the folder."""

import contextlib
import fcntl
import json
import os
import secrets
import tomllib
from pathlib import Path
from typing import Any, Self

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

OWNED = declare(
    "city.owned",
    "conflict",
    zh=("这座城市正由进程 {pid} 运行（{url}）。", "请通过它操作，或先停止它。"),
    en=("This city is being run by process {pid} at {url}.", "Work through it, or stop it first."),
)
NEWER = declare(
    "city.newer",
    "unsupported",
    zh=("城市数据的格式是第 {found} 版，本程序只认识到第 {ours} 版。", "请使用较新的程序。"),
    en=("The city's data has format {found}; this program knows up to {ours}.", "Use a newer program."),
)

UNWRITABLE = declare(
    "city.unwritable",
    "unavailable",
    zh=("不能写入城市的文件夹 {folder}：{why_zh}。", "请检查磁盘是否只读或已满，以及运行程序的用户有没有写入的权限。"),
    en=("The city's folder {folder} cannot be written: {why_en}.", "See whether the disk is read-only or full, and whether the user who runs the program may write there."),
)

FORMAT = 1
TOKEN_FILE = "owner.token"  # noqa: S105 (a file's name)
SALT_FILE = "ledger.salt"


class OwnerLock:
    """Held from opening to closing; the system lets go of it when the process dies."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; nothing is taken yet."""
        self.folder, self._file = folder, folder / "owner.lock"
        self._handle: int | None = None

    def take(self, url: str = "") -> Self:
        """Take the lock or raise `city.owned`, `city.unwritable`; check the format, and write it where there is none."""
        try:
            return self._take(url)
        except OSError as error:
            self.release()
            raise UNWRITABLE(folder=self.folder, **why(error)) from error

    def _take(self, url: str) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            self._handle = None
            held = holder(self.folder)
            raise OWNED(pid=held.get("pid", "?"), url=held.get("url", "")) from None
        (self.folder / "owner.json").write_text(json.dumps({"pid": os.getpid(), "url": url, "format": FORMAT}))
        self._check_format()
        return self

    def _check_format(self) -> None:
        path = self.folder / "format.toml"
        if path.exists():
            found = int(tomllib.loads(path.read_text()).get("format", 0))
            if found > FORMAT:
                self.release()
                raise NEWER(found=found, ours=FORMAT)
        else:
            path.write_text(f"format = {FORMAT}\njournal = 1\nlake = 1\ndesk = 1\n")

    def release(self) -> None:
        """Let go."""
        if self._handle is not None:
            with contextlib.suppress(OSError):
                (self.folder / "owner.json").unlink(missing_ok=True)
            os.close(self._handle)
            self._handle = None


def holder(folder: Path) -> dict[str, Any]:
    """Return who says to hold a city, or {}."""
    try:
        held: dict[str, Any] = json.loads((folder / "owner.json").read_text())
    except (OSError, ValueError):
        return {}
    return held


def is_owned(folder: Path) -> bool:
    """Tell whether some process holds the lock now."""
    if not (folder / "owner.lock").exists():
        return False
    handle = os.open(folder / "owner.lock", os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def city_salt(folder: Path) -> bytes:
    """Return the secret by which words sought are digested for the ledger; made once, readable by this user only, kept beside the desk and in no backup."""
    path = folder / SALT_FILE
    if not path.exists():
        draft = path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    return path.read_bytes()


def owner_token(folder: Path) -> str:
    """Return the token by which commands on this machine speak to the owner; readable by its user only."""
    return (folder / TOKEN_FILE).read_text().strip()
