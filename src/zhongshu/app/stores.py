"""Which stores a city stands on: desk, journal and the warehouse's catalogue in its folder, or on the servers the settings name. The one place that chooses.

The folder remembers where each of them is, so that nobody opens the city on an empty one by leaving a setting out.
"""

import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from zhongshu.engines.catalogues import Catalogue, PostgresCatalogue, SqliteCatalogue
from zhongshu.engines.catalogues import copy as copy_catalogue
from zhongshu.engines.desk_move import Moved, Tell, move
from zhongshu.engines.ducklake import CATALOGUE, DuckLake
from zhongshu.engines.journal_move import clear_beginning, move_journal
from zhongshu.engines.nats_journal import NatsJournal, NatsReader
from zhongshu.engines.parquet_files import write_durably
from zhongshu.engines.postgres_desk import PostgresDesk, PostgresReader, fill
from zhongshu.engines.sqlite_desk import SqliteDesk
from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.area import show_area
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.problem import Problem, declare
from zhongshu.settings import Settings
from zhongshu.survey import City as About

ELSEWHERE = declare(
    "store.elsewhere",
    "conflict",
    zh=("这座城市的{what_zh}在 {there}，设置里写的是 {here}。", "请用 {setting} 给出它原来的所在，或另开一座城市。"),
    en=("This city's {what_en} is at {there}; the settings say {here}.", "Give its own by {setting}, or open another city."),
)
DESK_WANTED = declare(
    "restore.desk_wanted",
    "conflict",
    zh=(
        "这份备份里的业务库来自 PostgreSQL，设置里没有写要恢复到哪个库。",
        "请新建一个空的数据库，用 desk（设置文件，或 ZS_DESK）写明它，再恢复一次；journal 和 catalogue 写了的，放进那里的空库，没写的，放进文件夹。",
    ),
    en=(
        "The desk in this backup comes from PostgreSQL, and the settings name no database to bring it to.",
        "Make an empty database, name it by desk (settings file, or ZS_DESK) and restore again; journal and catalogue go into the empty stores that are named, else into the folder.",
    ),
)
DESK_IN_FOLDER = declare(
    "restore.desk_in_folder",
    "conflict",
    zh=("这份备份里的业务库是文件夹里的 SQLite，不能直接恢复到 {here}。", "请先不写 desk，恢复到文件夹，再用 zhongshu move --to 搬过去。"),
    en=(
        "The desk in this backup is SQLite in the folder; it cannot be brought to {here} at once.",
        "Restore it without the setting desk, then bring it there by zhongshu move --to.",
    ),
)
NOWHERE = declare(
    "move.nowhere",
    "invalid",
    zh=(
        "业务库、日志和数据仓的目录库都已经在设置文件 {file} 所写的地方：没有可搬的。",
        '请在设置文件里写 desk = "postgresql://…"、journal = "nats://…" 或 catalogue = "postgresql://…"。',
    ),
    en=(
        "Desk, journal and the warehouse's catalogue are where the settings file {file} says already: there is nothing to move.",
        'Write desk = "postgresql://…", journal = "nats://…" or catalogue = "postgresql://…" into it.',
    ),
)
BROKEN_OFF = declare(
    "move.broken_off",
    "conflict",
    zh=("上一次搬往 {there} 的移动中途断了。", "请用同一个设置文件再搬一次，它会收拾好再重新开始；确实要改搬到别处，请先清空那里，再删除城市文件夹里的 {file}。"),
    en=(
        "An earlier move to {there} broke off.",
        "Move to the same settings file again: it clears up and begins anew. To go elsewhere after all, empty what is there, then delete {file} from the city's folder.",
    ),
)
BACK = declare(
    "move.back",
    "unsupported",
    zh=("{what_zh}在 {there}：只能从城市的文件夹里搬出去，不能再搬动。", "要换地方，请先备份，再恢复到新的设置里。"),
    en=(
        "The {what_en} is at {there}: it can be moved out of the city's folder only, not on from there.",
        "To change places, back the city up and restore it under the new settings.",
    ),
)


@dataclass(frozen=True, slots=True)
class Store:
    """One of the three: what its setting is called, its file in the city's folder, its name for people, what its address loses when shown."""

    setting: str
    file: str
    zh: str
    en: str

    @property
    def mark(self) -> str:
        """Return the file that remembers where it is."""
        return f"{self.setting}.at"


DESK = Store("desk", "desk.sqlite", "业务库", "desk")
JOURNAL = Store("journal", "journal.sqlite", "日志", "journal")
LAKE = Store("catalogue", f"lake/{CATALOGUE}", "数据仓的目录库", "warehouse's catalogue")
STORES = (DESK, JOURNAL, LAKE)
BESIDE = "beside"
"""The role of a process that owns nothing."""
DUMP, INDEX, MOVING = "desk.dump", "journal.index.sqlite", "move.part"
"""MOVING: while a city is moved, where to, and whether all of it is there: what a move that was killed is finished or taken back by."""


def same_stores(settings: Settings) -> None:
    """See that the settings name the stores the city in their folder stands on; raises `store.elsewhere`."""
    for store in STORES:
        _own(settings, store)


def open_desk(settings: Settings) -> Desk:
    """Open the desk of the city in the settings' folder; raises what its store refuses."""
    if settings.role == BESIDE:
        return PostgresReader(settings.desk)
    desk = PostgresDesk(settings.desk) if settings.desk else SqliteDesk(settings.data / DESK.file)
    _note(settings, DESK)
    return desk


def open_journal(settings: Settings, about: About) -> SqliteJournal:
    """Open the journal; raises what its store refuses."""
    if settings.role == BESIDE:
        return NatsReader(settings.journal, settings.data / INDEX, show_area(about.code))
    journal = NatsJournal(settings.journal, settings.data / INDEX, show_area(about.code)) if settings.journal else SqliteJournal(settings.data / JOURNAL.file)
    _note(settings, JOURNAL)
    return journal


def open_lake(settings: Settings, about: About, *, replay: bool) -> DuckLake:
    """Open the warehouse; raises what its catalogue refuses."""
    beside = settings.role == BESIDE
    lake = DuckLake(settings.data / "lake", replay=replay, memory=settings.memory, catalogue=_catalogue(settings, about), beside=beside)
    _note(settings, LAKE)
    return lake


def _catalogue(settings: Settings, about: About) -> Catalogue:
    if not settings.catalogue:
        return SqliteCatalogue(settings.data / LAKE.file)
    return PostgresCatalogue(settings.catalogue, f"lake_{show_area(about.code)}")


def desk_file(settings: Settings) -> str:
    """Return the name of the desk's own file inside a backup."""
    return DUMP if settings.desk else DESK.file


def answers(desk: Desk) -> bool:
    """Tell whether a desk can be read now."""
    try:
        desk.read(lambda _: None)
    except Problem:
        return False
    return True


# bringing a city to its stores


def settle(settings: Settings, tell: Tell) -> None:
    """Bring an unpacked backup to where the settings say; raises `restore.desk_wanted`, `restore.desk_in_folder` where its desk is of another kind of store."""
    dump = settings.data / DUMP
    if dump.exists() != bool(settings.desk):
        raise DESK_WANTED() if dump.exists() else DESK_IN_FOLDER(here=_shown(settings, DESK))
    _carry(settings, tell, STORES if dump.exists() else (JOURNAL, LAKE))
    dump.unlink(missing_ok=True)
    for store in STORES:
        _note(settings, store)
        if _shown(settings, store) != store.file:
            for path in settings.data.glob(f"{store.file}*"):
                path.unlink()


def move_stores(settings: Settings, target: Settings, file: Path, tell: Tell) -> list[Moved]:
    """Move what a city that nobody runs has in its folder to where the target's settings say, and return what was moved; the old files stay beside under another name.

    Raises `move.nowhere`, `move.back`, `move.not_empty`, `move.not_equal` and what the target's stores refuse; then nothing was switched.
    """
    part, moved = settings.data / MOVING, list[Moved]()
    begun: dict[str, Any] = json.loads(part.read_text("utf-8")) if part.exists() else {"to": {}, "there": False}
    if any(_shown(target, store) != there for store in STORES if (there := begun["to"].get(store.setting))):
        raise BROKEN_OFF(there=", ".join(begun["to"].values()), file=part.name)
    leaving = [store for store in STORES if store.setting in begun["to"]]
    if not begun["there"]:
        leaving = _leaving(settings, target, file)
        if begun["to"]:
            _clear(target, leaving)
        _mark(part, target, leaving, there=False)
        moved = _carry(target, tell, leaving, again=bool(begun["to"]), undone=part.unlink)
        _mark(part, target, leaving, there=True)
    for store in leaving:
        _note(target, store)
        _put_aside(settings.data / store.file)
    part.unlink()
    return moved


def _leaving(settings: Settings, target: Settings, file: Path) -> list[Store]:
    """Return the stores that are to go. Raises `move.nowhere`, `move.back`."""
    same_stores(settings)
    for store in STORES:
        if (there := _shown(settings, store)) != store.file and there != _shown(target, store):
            raise BACK(what_zh=store.zh, what_en=store.en, there=there)
    leaving = [store for store in STORES if _shown(settings, store) == store.file != _shown(target, store)]
    if not leaving:
        raise NOWHERE(file=file)
    return leaving


def _mark(part: Path, target: Settings, leaving: list[Store], *, there: bool) -> None:
    write_durably(part, json.dumps({"to": {store.setting: _shown(target, store) for store in leaving}, "there": there}).encode())


def _clear(target: Settings, leaving: list[Store]) -> None:
    """Take back what a move of this city that was killed left at its target; what is not this city's is left. The desk goes over in one transaction: nothing of it is there, or all."""
    about = About.load(target.data)
    if LAKE in leaving and (there := PostgresCatalogue(target.catalogue, f"lake_{show_area(about.code)}")).folder() == f"{target.data / 'lake' / 'readings'}/":
        there.discard()
    if JOURNAL in leaving:
        clear_beginning(target.data / JOURNAL.file, target.journal, target.data / INDEX, show_area(about.code))


def _carry(settings: Settings, tell: Tell, which: Collection[Store], *, again: bool = False, undone: Callable[[], object] = lambda: None) -> list[Moved]:
    """Copy what is in the folder to the servers, the desk last: if one refuses, what was copied before it is removed again, and then `undone` is done."""
    about, moved, undo = About.load(settings.data), list[Moved](), list[Callable[[], object]]()
    try:
        if LAKE in which and settings.catalogue:
            source, there = SqliteCatalogue(settings.data / LAKE.file), _catalogue(settings, about)
            moved.append(Moved("lake catalogue", *copy_catalogue(source, there, settings.data / "lake" / "readings")))
            undo.append(there.discard)
        if JOURNAL in which and settings.journal:
            name = show_area(about.code)
            moved.append(move_journal(settings.data / JOURNAL.file, settings.journal, settings.data / INDEX, name, tell))
            undo.append(lambda: _discard(settings, name))
        if DESK in which and (dump := settings.data / DUMP).exists():
            fill(settings.desk, dump)
        elif DESK in which:
            held = PostgresDesk(settings.desk)
            try:
                moved += move(settings.data / DESK.file, held, tell, again=again)
            finally:
                held.close()
    except Exception:
        for each in (*undo, undone):
            each()
        raise
    return moved


def _discard(settings: Settings, name: str) -> None:
    journal = NatsJournal(settings.journal, settings.data / INDEX, name)
    journal.discard()
    journal.close()
    for path in settings.data.glob(f"{INDEX}*"):
        path.unlink()


def _put_aside(file: Path) -> None:
    """Give a store's file, which is no longer the city's, another name."""
    for path in file.parent.glob(f"{file.name}*"):
        if path.name in {file.name, f"{file.name}-wal", f"{file.name}-shm"}:
            shutil.move(path, path.with_name(path.name.replace(file.stem, f"{file.stem}.moved", 1)))


# where they are


def _own(settings: Settings, store: Store) -> None:
    mark, here = settings.data / store.mark, _shown(settings, store)
    there = mark.read_text("utf-8") if mark.exists() else store.file if (settings.data / store.file).exists() else ""
    if there and there != here:
        raise ELSEWHERE(what_zh=store.zh, what_en=store.en, there=there, here=here, setting=f"ZS_{store.setting.upper()}")


def _note(settings: Settings, store: Store) -> None:
    if (here := _shown(settings, store)) != store.file:
        write_durably(settings.data / store.mark, here.encode())


def _shown(settings: Settings, store: Store) -> str:
    """Return where the settings say a store is: its file in the folder, or an address without who signs in and with which password."""
    url = str(getattr(settings, store.setting))
    if not url:
        return store.file
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        return url.rpartition("@")[2]
    driver, query = address.drivername.partition("+")[0], {name: value for name, value in address.query.items() if store is not JOURNAL and name == "options"}
    return address.set(drivername=driver, username=None, password=None, query=query).render_as_string()
