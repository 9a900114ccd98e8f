"""Which store a city's desk stands on: SQLite in the city's folder, or PostgreSQL where the settings name one. The one place that chooses.

The folder remembers where its desk is, so that nobody opens the city on an empty one by leaving a setting out.
"""

from pathlib import Path

from sqlalchemy.engine import make_url

from zhongshu.engines.desk_move import Moved, Tell, move
from zhongshu.engines.postgres_desk import PostgresDesk, fill
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.problem import declare
from zhongshu.settings import Settings

ELSEWHERE = declare(
    "desk.elsewhere",
    "conflict",
    zh=("这座城市的业务库在 {there}，设置里写的是 {here}。", "请用 ZS_DESK 给出它原来的业务库，或另开一座城市。"),
    en=("This city's desk is at {there}; the settings say {here}.", "Give its own desk by ZS_DESK, or open another city."),
)
NOWHERE = declare(
    "move.nowhere",
    "invalid",
    zh=("业务库现在在 {here}，设置文件里写的是 {there}：没有可搬的。", '请在设置文件里写 desk = "postgresql://…"，由 SQLite 搬过去。'),
    en=(
        "The desk is at {here}, and the settings file says {there}: there is nothing to move.",
        'Write desk = "postgresql://…" into the settings file; the move goes from SQLite to there.',
    ),
)
EMBEDDED, MARK, FILE, MOVED, DUMP = "desk.sqlite", "desk.at", "desk.sqlite", "desk.moved.sqlite", "desk.dump"


def open_desk(settings: Settings) -> Desk:
    """Open the desk of the city in the settings' folder; raises `desk.elsewhere` and what its store refuses."""
    _own(settings)
    if not settings.desk:
        return SqliteDesk(settings.data / FILE)
    desk = PostgresDesk(settings.desk)
    (settings.data / MARK).write_text(_shown(settings.desk), encoding="utf-8")
    return desk


def desk_file(settings: Settings) -> str:
    """Return the name of the desk's own file inside a backup."""
    return DUMP if settings.desk else FILE


def restore_desk(settings: Settings) -> None:
    """Bring an unpacked backup's desk to where the settings say; raises `desk.elsewhere` where the backup is of another kind of store."""
    dump = settings.data / DUMP
    if dump.exists() != bool(settings.desk):
        raise ELSEWHERE(there="PostgreSQL" if dump.exists() else EMBEDDED, here=_shown(settings.desk) or EMBEDDED)
    if settings.desk:
        fill(settings.desk, dump)
        dump.unlink()
        (settings.data / MARK).write_text(_shown(settings.desk), encoding="utf-8")


def move_desk(settings: Settings, target: Settings, tell: Tell) -> list[Moved]:
    """Move the desk of a city that nobody runs to where the target's settings say, and return each table; the old file stays beside it under another name.

    Raises `move.nowhere`, `move.not_empty`, `move.not_equal` and what the target's store refuses; then nothing was switched.
    """
    _own(settings)
    if settings.desk or not target.desk:
        raise NOWHERE(here=_shown(settings.desk) or EMBEDDED, there=_shown(target.desk) or EMBEDDED)
    desk = PostgresDesk(target.desk)
    try:
        moved = move(settings.data / FILE, desk, tell)
    finally:
        desk.close()
    (settings.data / MARK).write_text(_shown(target.desk), encoding="utf-8")
    for path in settings.data.glob(f"{FILE}*"):
        if path.name in {FILE, f"{FILE}-wal", f"{FILE}-shm"}:
            path.rename(path.with_name(path.name.replace(FILE, MOVED)))
    return moved


def _own(settings: Settings) -> None:
    mark: Path = settings.data / MARK
    there = mark.read_text("utf-8") if mark.exists() else EMBEDDED if (settings.data / FILE).exists() else ""
    here = _shown(settings.desk) or EMBEDDED
    if there and there != here:
        raise ELSEWHERE(there=there, here=here)


def _shown(url: str) -> str:
    """Return an address without who signs in and with which password."""
    return make_url(url).set(drivername="postgresql", username=None, password=None).render_as_string() if url else ""
