"""What the command line does to a city: by itself where nobody runs the city, through its owner where somebody does."""

import errno
import json
import os
import shutil
import socket
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import shapely

from zhongshu.act import consume, consumed, relay
from zhongshu.app.assembly import DRAFT, Assembly, Stores, open_city
from zhongshu.app.installed import installed_packs
from zhongshu.app.retention import disagreements, shown_rules
from zhongshu.app.stores import desk_file, move_stores, settle
from zhongshu.engines.owner_lock import OwnerLock, holder, is_owned, owner_token
from zhongshu.govern import read_anchor
from zhongshu.govern import verify as verify_ledger
from zhongshu.judge import Values, cost
from zhongshu.kernel.area import Area, Level, show_area, unplaced
from zhongshu.kernel.clock import LiveClock
from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.problem import Problem, ProblemKind, declare
from zhongshu.kernel.reason import why
from zhongshu.sense import UNKNOWN_SOURCE, Pipe, read_file, receive_own
from zhongshu.settings import Settings, read
from zhongshu.survey import NOT_SURVEYED, Areas
from zhongshu.survey import City as About

OWNER_AWAY = declare(
    "owner.unreachable",
    "unavailable",
    zh=("正在运行这座城市的进程没有应答：{why}。", "请稍后再试，或停止它后重试。"),
    en=("The process that runs this city does not answer: {why}.", "Try again shortly, or stop it first."),
)
NOT_EMPTY = declare(
    "restore.not_empty",
    "conflict",
    zh=("{folder} 里已经有数据。", "请恢复到一个空目录。"),
    en=("{folder} holds data already.", "Restore into an empty folder."),
)
NO_FILE = declare(
    "file.missing",
    "unknown",
    zh=("没有文件 {path}。", "请检查路径。"),
    en=("There is no file {path}.", "Check the path."),
)

Tell = Callable[[str, int], None]
"""(what is being done, how many so far): progress for people."""
BARE = 980000000000000


def bare_city(folder: Path, zone: str = "UTC") -> None:
    """Make the least city there is, for data that comes before any survey: one area, one for what has no place, and the data's time zone."""
    world = shapely.box(-180, -90, 180, 90)
    rows = [Area(BARE, "未测绘城市", "Unsurveyed city"), Area(unplaced(BARE), "未定位", "Unplaced")]
    Areas(rows, [world, None]).save(folder)
    About("未测绘城市", "Unsurveyed city", BARE, zone, 0.0, 0.0, (-180.0, -90.0, 180.0, 90.0)).save(folder)


@contextmanager
def alone(settings: Settings) -> Iterator[tuple[Assembly, Pipe]]:
    """Own a city for one command: its parts, and a journal's writer that shows groups to the reader."""
    lock = OwnerLock(settings.data).take()
    try:
        parts = open_city(settings)
        pipe = Pipe(
            parts.journal,
            parts.intake,
            parts.stamp,
            parts.once,
            lambda e: parts.lake.show(e.table, e.offset) if e.table is not None else None,
            (settings.data, settings.disk_floor_mb << 20),
        )
        pipe.start()
        try:
            yield parts, pipe
        finally:
            pipe.close()
            parts.lake.commit()
            parts.close()
    finally:
        lock.release()


@contextmanager
def stores_alone(settings: Settings) -> Iterator[Stores]:
    """Own what a city stands on for one command, without putting the city together."""
    lock = OwnerLock(settings.data).take()
    try:
        with closing(Stores(settings, LiveClock())) as held:
            yield held
    finally:
        lock.release()


def ingest(settings: Settings, path: Path, source: str, start: str, tell: Tell) -> dict[str, int]:
    """Take a file in and return {accepted, quarantined, duplicates}; the same file again changes nothing."""
    if not path.is_file():
        raise NO_FILE(path=path)
    if is_owned(settings.data):
        counts: dict[str, int] = through_owner(settings, "ingest", {"path": str(path.absolute()), "source": source, "start": start}, tell)
        return counts
    if not (settings.data / "city.toml").exists():
        declared = next((s for pack in installed_packs() for s in pack.sources if s.name == source), None)
        if declared is None:
            raise UNKNOWN_SOURCE(source=source)
        settings.data.mkdir(parents=True, exist_ok=True)
        bare_city(settings.data, declared.zone or "UTC")
    with alone(settings) as (parts, pipe):
        counts = take_file(parts, pipe, path, source, start, tell)
        _settle_desk(parts, pipe, tell)
        return counts


def take_file(parts: Assembly, pipe: Pipe, path: Path, source: str, start: str, tell: Tell) -> dict[str, int]:
    """Read a file into the journal; what a repeated batch holds counts as duplicates."""
    from_source = parts.sources.get(source)
    if from_source is None:
        raise UNKNOWN_SOURCE(source=source)
    counts = {"accepted": 0, "quarantined": 0, "duplicates": 0}
    waiting: list[tuple[Batch, Future[Receipt]]] = []
    for batch in read_file(path, from_source, parts.intake, start):
        waiting.append((batch, pipe.submit(batch)))
        if len(waiting) > 4:  # noqa: PLR2004 (batches under way)
            _count(counts, waiting.pop(0))
            tell(path.name, sum(counts.values()))
    for each in waiting:
        _count(counts, each)
    tell(path.name, sum(counts.values()))
    return counts


def _count(counts: dict[str, int], sent: tuple[Batch, "Future[Receipt]"]) -> None:
    receipt = sent[1].result()
    counts["accepted"] += 0 if receipt.repeated else receipt.accepted
    counts["quarantined"] += 0 if receipt.repeated else receipt.quarantined
    counts["duplicates"] += receipt.duplicates + (receipt.accepted + receipt.quarantined if receipt.repeated else 0)


def _settle_desk(parts: Assembly, pipe: Pipe, tell: Tell) -> None:
    """Let the desk take the requests that came in, and send its steps' readings, before the city is let go."""
    done = 0
    for entry in parts.journal.read(parts.desk.read(consumed), "requests"):
        taken = consume(parts.office, entry.offset, entry.documents)
        done += taken.new + taken.known + taken.closed
        tell("cases", done)
    source = parts.sources["desk"]
    relay.run(parts.desk, lambda batch, rows: pipe.submit(receive_own(parts.intake, source, rows, batch)).result())


def through_owner(settings: Settings, command: str, arguments: dict[str, Any], tell: Tell) -> Any:  # noqa: ANN401 (what the command gives)
    """Have the owner do a command; progress comes back line by line."""
    url = holder(settings.data).get("url", "")
    try:
        headers = {"Authorization": f"Bearer {owner_token(settings.data)}"}
        with httpx.stream("POST", f"{url}/api/owner/{command}", json=arguments, headers=headers, timeout=None, trust_env=False) as answer:  # noqa: S113 (long work)
            for line in answer.iter_lines():
                said = json.loads(line)
                if "code" in said:
                    raise _said(said)
                if "done" in said:
                    return said["done"]
                tell(said["what"], said["count"])
    except (httpx.HTTPError, OSError, ValueError) as error:
        raise OWNER_AWAY(why=str(error) or type(error).__name__) from error
    raise OWNER_AWAY(why="it broke off")


def _said(document: dict[str, Any]) -> Problem:
    """Return a problem that the owner told, in the words it told it in."""
    words = [str(document.get(lang, document)[what]).replace("{", "{{").replace("}", "}}") for what in ("sentence", "remedy") for lang in ("zh", "en")]
    return Problem(ProblemKind(str(document["code"]), "invalid", *words))


def wiring(parts: Assembly) -> list[str]:
    """Return how the city is wired, a line each: packs, sources, vital signs with their cells, rules, and what was refused."""
    lines = [f"pack {pack.name}: {len(pack.properties)} properties, {len(pack.sources)} sources" for pack in parts.packs]
    lines += [f"source {s.name} {s.zh}: {s.kind}, {type(s.mapping).__name__ if s.mapping else 'native'}, version {s.version[:8]}" for s in parts.sources.values()]
    for indicator in parts.watch.indicators.values():
        needs = cost(indicator, parts.registry, parts.judge.properties)
        name = indicator.name.get("zh", "")
        lines.append(f"{indicator.code} {name} [{indicator.unit}] {needs.cells:,} cells · {needs.bytes:,} bytes · {len(indicator.bands)} bands · version {indicator.version[:8]}")
    lines += [f"rule {rule.code} {rule.name.get('zh', '')}: {rule.indicator}, opens {rule.opens or 'a finding'}" for held in parts.watch.rules.values() for rule in held]
    lines += shown_rules(parts)
    return lines + [f"refused {problem.sentence('zh')} {problem.sentence()} {problem.remedy()}" for problem in parts.refused]


def recompute(parts: Assembly, level: Level, at: int, indicator: str = "") -> dict[str, Values]:
    """Compute one sign, or without a name every sign, for the areas of a level from the record alone.

    At a time of one's choice with all that is known now, or (0) at the last boundary as it was known then. Many signs share one scan of what they read.
    """
    explainer, when = parts.explainer, at or parts.watch.memory.at
    if indicator:
        return {indicator: explainer.recompute(explainer.indicator(indicator, when), level, when, hindsight=at > 0)}
    known = [sign for sign in explainer.in_force(when).values() if level in sign.levels]
    return explainer.recompute_all(known, when, hindsight=at > 0, levels=(level,))


def shown(parts: Assembly, values: dict[str, Values]) -> list[dict[str, Any]]:
    """Return signs' values as rows for people."""
    return [
        {
            "indicator": code,
            "area": show_area(int(c)),
            "name": parts.areas.name(int(c)),
            "value": None if v != v else float(v),  # noqa: PLR0124 (NaN)
            "level": str(s),
            "readings": int(n),
        }
        for code, of in values.items()
        for c, v, s, n in zip(of.codes, of.value, of.status, of.count, strict=True)
    ]


def checked(parts: Stores, tell: Tell, *, mend: bool) -> dict[str, list[str]]:
    """Return what is not whole (`wrong`) and what was written anew before (`mended`): files of the warehouse whose readings are still in the journal."""
    tell("repair" if mend else "lake", 0)
    mended = parts.lake.repair(parts.journal.between) if mend else []
    return {"mended": mended, "wrong": verify(parts, tell)}


def verify(parts: Stores, tell: Tell) -> list[str]:
    """Read everything there is and return what is not whole, one sentence each."""
    tell("lake", 0)
    wrong = parts.lake.verify()
    tell("journal", 0)
    wrong += [f"journal: {line}" for line in _missing(parts)]
    tell("desk", 0)
    wrong += [f"desk: {line}" for line in parts.desk.verify()]
    tell("ledger", 0)
    wrong += _seen("ledger", lambda: _ledger_faults(parts)) + _seen("retention", lambda: disagreements(parts))
    tell("evidence", 0)
    return wrong + [f"evidence: {line}" for line in parts.evidence.verify()]


def _missing(parts: Stores) -> list[str]:
    """Return what is not whole of the journal. What went to the warehouse while it was read is not missing: a fault is what a second look finds too."""
    found = parts.journal.verify(parts.lake.offset())
    again = parts.journal.verify(parts.lake.offset()) if found else []
    return [line for line in found if line in again]


def _seen(what: str, look: Callable[[], list[str]]) -> list[str]:
    """Return what a look finds; where a store is too damaged for it, that."""
    try:
        return look()
    except Problem as problem:
        return [f"{what}: {problem.sentence()}"]
    except (ValueError, LookupError) as error:  # of a line that was changed; what it holds is not told
        return [f"{what}: it cannot be read ({type(error).__name__})"]


def _ledger_faults(parts: Stores) -> list[str]:
    parts.ledger.flush()
    wrong = [f"ledger: {line}" for line in parts.desk.read(lambda conn: verify_ledger(conn, read_anchor(parts.folder / "ledger.anchor")))]
    return wrong if parts.ledger.whole else [*wrong, "ledger: it did not agree with its anchor when the city was opened"]


def need_port(host: str, port: int) -> None:
    """Raise `up.port_taken` where somebody listens there already: before anything is made or opened."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PORT_TAKEN(host=host, port=port) from None


def need_city(folder: Path) -> None:
    """Raise `survey.missing`, naming where it was looked for, where a folder holds no city: so that nothing is left there."""
    if not (folder / "city.toml").exists():
        raise NOT_SURVEYED(name=folder / "city.toml")


def backup(parts: Assembly, target: Path, tell: Tell) -> None:
    """Write one file that holds the whole city, while it is in use.

    Each copy holds at least what those before it refer to: the anchor, then the warehouse, the desk, the journal, and the photographs. From the warehouse to the
    journal nothing is committed, trimmed or forgotten, so that nothing acknowledged is in none of them. Raises `backup.no_folder`.
    """
    if not target.parent.is_dir():
        raise NO_FOLDER(folder=target.parent)
    with tempfile.TemporaryDirectory(dir=parts.folder, prefix=DRAFT) as held:
        folder, anchor = Path(held), parts.folder / "ledger.anchor"
        parts.ledger.flush()
        if anchor.exists():
            shutil.copy2(anchor, folder)

        def desk_and_journal() -> None:
            tell("desk", 0)
            parts.desk.backup(str(folder / desk_file(parts.settings)))
            tell("journal", 0)
            parts.journal.backup(folder / "journal.sqlite")

        tell("lake", 0)
        parts.lake.backup(folder / "lake", desk_and_journal)
        partial = target.with_suffix(".part")
        with tarfile.open(partial, "w") as archive:
            for name in ("city.toml", "format.toml", "sources.json", "connectors.toml", "retention.toml", "survey", "map", "evidence", "twin", "forecasts"):
                if (parts.folder / name).exists():
                    archive.add(parts.folder / name, name)
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)
        partial.rename(target)


def restore(source: Path, settings: Settings, tell: Tell) -> None:
    """Unpack a backup into an empty folder, and bring it to where the settings say: into empty stores."""
    folder = settings.data
    if folder.exists() and any(folder.iterdir()):
        raise NOT_EMPTY(folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(source) as archive:
            _need_end(source)
            archive.extractall(folder, members=_plain(archive))  # noqa: S202 (what is not a plain file of the folder is refused before)
    except (tarfile.TarError, OSError) as error:
        shutil.rmtree(folder)
        raise BAD_BACKUP(path=source, **why("it is no backup" if "could not be opened" in str(error) else error, "它不是一份备份")) from error
    try:
        settle(settings, tell)
    except Problem:
        shutil.rmtree(folder)
        raise


def _need_end(source: Path) -> None:
    """Raise TarError where an archive does not end as one that was written to its end does; the library reads one that was cut off at a header without a word."""
    with source.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * tarfile.BLOCKSIZE))
        if size % tarfile.RECORDSIZE or any(file.read()):
            message = "unexpected end of data"
            raise tarfile.TarError(message)


def _plain(archive: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Return an archive's files and folders; raises TarError where anything in it is something else, or would lie outside (Python before 3.11.4 has no filter for that)."""
    members = archive.getmembers()
    for member in members:
        path = Path(member.name)
        if not (member.isfile() or member.isdir()) or path.is_absolute() or ".." in path.parts:
            message = f"{member.name} is no file of a city"
            raise tarfile.TarError(message)
        member.mode, member.uid, member.gid, member.uname, member.gname = 0o755 if member.isdir() else 0o644, os.getuid(), os.getgid(), "", ""
    return members


def move(settings: Settings, to: Path, tell: Tell) -> list[str]:
    """Move a city that nobody runs onto the stores of another settings file; return a line for each table, compared before the switch."""
    target = read({"settings": to, "data": settings.data})
    lock = OwnerLock(settings.data).take()
    try:
        moved = move_stores(settings, target, to, tell)
    finally:
        lock.release()
    return [f"{one.table}: {one.rows:,} rows, sha256 {one.sha256[:16]} equal" for one in moved] or ["上一次中断的移动已完成 the move that broke off is finished"]


PORT_TAKEN = declare(
    "up.port_taken",
    "conflict",
    zh=("{host} 的端口 {port} 已有别的程序在用。", "请换一个端口（--port），或先停掉那个程序。"),
    en=("Port {port} of {host} is in use by another program.", "Give another one (--port), or stop that program first."),
)
NO_FOLDER = declare(
    "backup.no_folder",
    "invalid",
    zh=("没有目录 {folder}，备份无处可写。", "请先建这个目录，或换一个。"),
    en=("There is no folder {folder} to write the backup to.", "Make it first, or name another."),
)
BAD_BACKUP = declare(
    "restore.unreadable",
    "invalid",
    zh=("备份文件 {path} 读不了：{why_zh}。", "请换一份备份。"),
    en=("The backup {path} cannot be read: {why_en}.", "Use another backup."),
)
