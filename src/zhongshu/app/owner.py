"""The owner: the one process that runs a city, and its threads: journal, pulse, desk, keeper, server; in a sandbox its life beside them."""

import asyncio
import logging
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError

from zhongshu.act import SYSTEM, centre, consume, consumed, finding_ended, relay, sign_normal, sweep, take_finding
from zhongshu.app.assembly import Assembly
from zhongshu.app.commands import Tell, backup, checked, recompute, shown, take_file, wiring
from zhongshu.app.duties import bring_table
from zhongshu.app.foresight import Foresight
from zhongshu.app.links import Downlink, Uplink
from zhongshu.app.neighbours import Neighbours
from zhongshu.app.people import grant, make_token, make_user
from zhongshu.app.recomputing import level_named, recompute_past
from zhongshu.app.retention import Retention
from zhongshu.app.screens import Screens, draw, first_lines
from zhongshu.app.seats import seat_accounts, seat_tokens
from zhongshu.app.serving import serve
from zhongshu.app.streams import keep_streams, latest
from zhongshu.app.telemetry import Telemetry
from zhongshu.app.telling import seen_of
from zhongshu.engines.nats_journal import NatsJournal
from zhongshu.engines.owner_lock import TOKEN_FILE, OwnerLock
from zhongshu.govern import Grant, Party
from zhongshu.judge import Outcome, Pulse, record
from zhongshu.kernel.area import show_area
from zhongshu.kernel.bus import News
from zhongshu.kernel.clock import DAY, GRID, MINUTE, parse_clock, rfc3339
from zhongshu.kernel.finding import Finding, Status
from zhongshu.kernel.journal import Entry
from zhongshu.kernel.problem import Problem
from zhongshu.kernel.reading import Readings, from_table
from zhongshu.sense import Feed, FolderReader, MqttReader, Pipe, connect, receive_own
from zhongshu.serve.routes import build
from zhongshu.settings import Settings, secret

LONGEST_CATCH_UP = 10 * MINUTE
_log = logging.getLogger(__name__)


class Owner:
    """A running city."""

    def __init__(self, settings: Settings) -> None:
        """Take the lock, open every part, and stand where the city stood."""
        self.settings = settings
        self.url = f"http://{settings.host}:{settings.port}"
        self.lock = OwnerLock(settings.data).take(self.url)
        self.parts = parts = Assembly(settings, parse_clock(settings.clock))
        self.pipe = Pipe(parts.journal, parts.intake, parts.stamp, parts.once, self._deliver, (settings.data, settings.disk_floor_mb << 20))
        self.neighbours = self._line()
        settle = self.pipe.settle if self.neighbours is None else self.neighbours.settled
        self.pulse = Pulse(parts.clock, parts.live, parts.watch, settle, self._tell, self._played if parts.clock.mode == "replay" else None, parts.journal.head())
        self.city = parts.city(self.pipe)
        self.feeds: list[FolderReader | MqttReader | Feed | Uplink | Downlink] = [FolderReader(settings.data / "inbox", parts.sources, parts.intake, self.pipe.submit)]
        self._connect()
        self._requests: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[tuple[Outcome, Any] | None] = queue.SimpleQueue()
        self.screens = Screens(parts.hub)
        self._saved = 0.0
        self._brought = parts.journal.counts()
        self._commits: deque[tuple[int, int]] = deque()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.city.commands = {
            "ingest": self._ingest,
            "recompute": self._recompute,
            "recompute_past": lambda given, tell: recompute_past(parts, given, tell),
            "verify": self._verify,
            "backup": self._backup,
            "token": self._token,
            "user": self._user,
            "grant": lambda given, _: grant(parts, given),
            "table": lambda given, _: bring_table(parts, given),
            "explain": lambda _given, _tell: wiring(parts),
        }
        self.city.foresight = self.foresight = Foresight(parts, settings.forecast_s, settings.run_limit_s)
        self.telemetry = self._told() if settings.telemetry else None
        self._stand()
        self.city.proof = {
            "confirmed": sum(row["accepted"] for row in parts.journal.counts().values()),
            "recovered": parts.recovered["recovered"],
            "duplicates": self._doubles(),
            "pid": os.getpid(),
            "started": rfc3339(time.time_ns() // 1000),
        }

    def _doubles(self) -> int:
        """Count readings that stand twice in the record under one key and known time: there must be none."""
        table = self.parts.lake.query(
            "SELECT count(*) - count(DISTINCT (source, entity, property, valid, known)) AS n FROM readings WHERE known > $since", {"since": self.parts.clock.now() - DAY}
        )
        return int(table["n"][0].as_py())

    def _stand(self) -> None:
        """Put the cells where the watch last stood, then hand on what became known since; after a long pause, stand at now."""
        parts, memory = self.parts, self.parts.watch.memory
        now = parts.clock.now() // GRID * GRID
        if parts.clock.mode == "replay" or not 0 <= now - memory.at <= LONGEST_CATCH_UP:
            memory.at = now
            parts.live.restore(now)
            return
        parts.live.restore(memory.at)
        self._tell(parts.watch.stand())
        table = parts.lake.query('SELECT * FROM versions WHERE known > $at ORDER BY "offset"', {"at": memory.at})
        for group in from_table(table, parts.registry.sources, parts.registry.entities, parts.registry.properties, parts.registry.units):
            self.pulse.take(group)

    def _played(self, after: int, until: int) -> list[Readings]:
        """Return what the record holds of an interval of valid time, for a replay."""
        table = self.parts.lake.query('SELECT * FROM readings WHERE valid > $after AND valid <= $until ORDER BY "offset"', {"after": after, "until": until})
        words = self.parts.registry
        return list(from_table(table, words.sources, words.entities, words.properties, words.units))

    def _connect(self) -> None:
        """Join what readings come from and go to, where the settings and the folder say so."""
        settings, parts = self.settings, self.parts
        if settings.mqtt:
            self.feeds.append(MqttReader(settings.mqtt, f"zhongshu-{show_area(parts.about.code)}", parts.sources, parts.intake, self.pipe.submit))
        connected, self.city.feeds = connect(settings.data, parts.sources, parts.intake, self.pipe.submit, partial(secret, settings.data))
        self.feeds += connected
        if settings.links:
            self.feeds.append(Downlink(settings.links, self.pipe, parts.intake, parts.sources, parts.add_source))
        if settings.uplink:
            link = Uplink(settings.uplink, settings.uplink_mb, settings.uplink_what, parts.lake, parts.registry, settings.data)
            self.feeds.append(link)
            self.city.uplink = lambda: (link.held, link.limit, link.behind())

    def _line(self) -> Neighbours | None:
        """Return the line to the processes beside this one, where the city stands on NATS."""
        parts = self.parts
        if not isinstance(parts.journal, NatsJournal):
            return None
        line = Neighbours(parts.journal.line, show_area(parts.about.code), parts.journal.last, self.pipe, parts.registry)
        line.pass_on(parts.hub, parts.identity)
        return line

    def _told(self) -> Telemetry:
        """Measure and trace what a reading and a step pass through."""
        told, parts = Telemetry(self.city, self.settings.telemetry.removeprefix("on")), self.parts
        for thing, name, span in (
            (parts.journal, "append", "journal.append"),
            (parts.watch, "step", "watch.step"),
            (parts.desk, "_group", "desk.group"),
            (parts.lake, "commit", "lake.commit"),
            (parts.lake, "merge", "lake.merge"),
        ):
            told.trace(thing, name, span)
        return told

    # what becomes durable

    def _deliver(self, entry: Entry) -> None:
        if entry.readings is not None and entry.table is not None:
            self.parts.lake.show(entry.table, entry.offset)
            self.pulse.take(entry.readings)
        elif entry.kind == "requests":
            self._requests.put(entry)
        if self.neighbours is not None:
            self.neighbours.kept()

    def _clerk(self) -> None:
        """Take requests to the desk, in the journal's order, from where the desk left off."""
        self._insist("clerk", self._catch_up)
        while (waiting := self._requests.get()) is not None:
            self._insist("clerk", lambda entry=waiting: self._consume(entry))  # type: ignore[misc]

    def _catch_up(self) -> None:
        for entry in self.parts.journal.read(self.parts.desk.read(consumed), "requests"):
            self._consume(entry)

    def _consume(self, entry: Entry) -> None:
        taken = consume(self.parts.office, entry.offset, entry.documents)
        for refused in taken.refused:
            _log.warning("request.refused %s %s", refused.external, refused.code)

    def _insist(self, name: str, do: Callable[[], object]) -> None:
        """Do something until it is done: a store that is away comes back. What cannot be done at all is told, and stays in the journal."""
        while True:
            try:
                do()
            except Exception as error:  # noqa: BLE001 (one that cannot be taken must not stop the others)
                if not _passes(error):
                    _log.exception("%s.failed", name)
                    return
                _log.warning("%s.waits %s", name, error)
                if self._stop.wait(1):
                    return
            else:
                return

    # what the pulse brings

    def _tell(self, outcome: Outcome) -> None:
        """Save findings with the watch's memory, tell open screens, and hand findings to the desk."""
        parts = self.parts
        self.screens.take(outcome)
        if outcome.findings or time.monotonic() - self._saved > 5:  # noqa: PLR2004 (seconds)
            self._saved = time.monotonic()
            memory = parts.watch.memory.save()
            self._outcomes.put((outcome, memory))

    def _keep_outcomes(self) -> None:
        """Take what the pulse found to the desk, in its order, for as long as it takes."""
        while (found := self._outcomes.get()) is not None:
            outcome, memory = found
            self._insist("findings", lambda o=outcome, m=memory: self.parts.desk.write(lambda conn: record.keep(conn, o, m)))  # type: ignore[misc]
            self._say(list(zip([f.area for f in outcome.findings], record.documents(outcome.findings), strict=True)))
            for finding in outcome.opened:
                self._insist("leads", lambda f=finding: self._open_lead(f))  # type: ignore[misc]
            for finding in outcome.closed:
                self._insist("leads", lambda id_=finding.id: self.parts.office.write(SYSTEM, lambda deed: finding_ended(deed, id_)))  # type: ignore[misc]

    def _say(self, told: list[tuple[int, dict[str, Any]]]) -> None:
        """Tell open screens of findings that are kept: whoever asks for them now finds them."""
        for area, document in told:
            self.parts.hub.publish(News("finding", area, document))

    def _open_lead(self, finding: Finding) -> None:
        parts = self.parts
        rule = next(r for held in parts.watch.rules.values() for r in held if r.code == finding.rule)
        if rule.opens == "lead":
            seen = seen_of(finding, rule, parts.watch.indicators[finding.indicator], parts.areas, parts.registry)
            parts.office.write(SYSTEM, lambda deed: take_finding(deed, finding, seen, file_it=rule.auto_file))

    # what time brings

    def _keeper(self) -> None:
        """Look after the warehouse. Merging is long: what people wait for goes on beside it."""
        self._keep((self.settings.commit_s, self._commit), (self.settings.merge_s, self._merge), (10.0, Retention(self.parts).turn), (900.0, self._streams))

    def _rounds(self) -> None:
        """Relay, sweep, tell the time and draw the lines."""
        self._keep((1.0, self._relay), (1.0, self._look_after), (1.0, self._beat), (15.0, self._lines))

    def _keep(self, *work: tuple[float, Callable[[], object]]) -> None:
        """Do each at its rhythm (seconds); a failure is told and tried again."""
        due = [time.monotonic() + rhythm for rhythm, _ in work]
        while not self._stop.wait(0.1):
            for i, (rhythm, do) in enumerate(work):
                if time.monotonic() >= due[i]:
                    due[i] = time.monotonic() + rhythm
                    name = do.__name__.strip("_")
                    try:
                        do()
                        self.city.failing.discard(name)
                    except Exception:  # noqa: BLE001 (told, and tried again at the next turn)
                        self.city.failing.add(name)
                        _log.exception("keeper.failed %s", name)

    def _commit(self) -> None:
        offset = min(self.parts.lake.commit(), self._consumed())
        self._note_intake(offset)
        upto = self._kept(offset)
        self.pipe.do(lambda: self.parts.journal.trim(upto))

    def _kept(self, offset: int) -> int:
        """Return up to where the journal may forget: it keeps the last readings the warehouse has, so that a damaged file can be written anew."""
        if not self._commits or offset > self._commits[-1][0]:
            self._commits.append((offset, sum(row["accepted"] for row in self._brought.values())))
        while len(self._commits) > 1 and self._commits[-1][1] - self._commits[1][1] >= self.settings.journal_keep:
            self._commits.popleft()
        last, total = self._commits[0]
        return last if self._commits[-1][1] - total >= self.settings.journal_keep else 0

    def _note_intake(self, offset: int) -> None:
        """Leave the ledger's line of what each source brought since the last commit."""
        counts = self.parts.journal.counts()
        for source, row in counts.items():
            before = self._brought.get(source, {})
            brought = {k: row[k] - before.get(k, 0) for k in ("accepted", "quarantined", "duplicates")}
            if any(brought.values()):
                self.parts.ledger.note_read("system", "source", source, {**brought, "offset": offset}, action="intake")
        self._brought = counts

    def _consumed(self) -> int:
        """Return the offset up to which the journal's requests are taken: its head where none waits."""
        waits = next(iter(self.parts.journal.read(done := self.parts.desk.read(consumed), "requests")), None)
        return done if waits is not None else self.parts.journal.head()

    def _relay(self) -> None:
        source = self.parts.sources["desk"]
        relay.run(self.parts.desk, lambda batch, rows: self.pipe.submit(receive_own(self.parts.intake, source, rows, batch)).result(60), now=self.parts.clock.now)

    def _look_after(self) -> None:
        """Count limits that ran out, and let signs that are normal again pass the checks that wait for them."""
        office = self.parts.office
        office.write(SYSTEM, sweep)
        office.write(SYSTEM, centre.sweep)
        for indicator, area in self._checks:
            values = self.parts.watch.latest.get(indicator)
            place = None if values is None else values.find(area)
            if values is not None and values.since is not None and place is not None and values.status[place] == Status.GREEN:
                since = int(values.since[place])
                office.write(SYSTEM, lambda deed, i=indicator, a=area, s=since: sign_normal(deed, i, a, s))  # type: ignore[misc]

    def _lines(self) -> None:
        draw(self.city.sparks, self.parts.watch.latest, self.parts.clock.now())

    def _beat(self) -> None:
        """Tell open screens the time, how far the city is behind it, and what came in; see which cases wait for an instrument."""
        parts = self.parts
        now = parts.clock.now()
        parts.hub.publish(
            News("clock", 0, {"now": rfc3339(now), "speed": parts.clock.speed, "delay_ms": max(0, (now - parts.watch.memory.at) // 1000) if parts.clock.mode == "live" else None})
        )
        counts = {name: row["accepted"] for name, row in parts.journal.counts().items()}
        parts.hub.publish(News("reading", 0, {"total": sum(counts.values()), "by_source": counts}))
        self._checks = parts.desk.read(_waiting_checks)

    _checks: frozenset[tuple[str, int]] = frozenset()

    def _merge(self) -> None:
        if len(self.parts.lake.files()) >= self.settings.merge_files:
            self.parts.lake.merge()

    def _streams(self) -> None:
        """Keep what the next start would otherwise have to read the whole warehouse for."""
        keep_streams(self.parts.folder, self.parts.registry, self.pipe.do(lambda: latest(self.parts.lake, self.parts.once)).result(60))

    # commands of this machine's user, while the city runs

    def _ingest(self, given: dict[str, Any], tell: Tell) -> dict[str, int]:
        return take_file(self.parts, self.pipe, Path(given["path"]), given["source"], given.get("start", ""), tell)

    def _recompute(self, given: dict[str, Any], _: Tell) -> list[dict[str, Any]]:
        return shown(self.parts, recompute(self.parts, level_named(given["level"]), given["at"], given["indicator"]))

    def _verify(self, given: dict[str, Any], tell: Tell) -> dict[str, list[str]]:
        return checked(self.parts, tell, mend=given["repair"])

    def _backup(self, given: dict[str, Any], tell: Tell) -> str:
        backup(self.parts, Path(given["path"]), tell)
        return str(given["path"])

    def _token(self, given: dict[str, Any], _: Tell) -> str:
        return make_token(self.parts, given["name"], given["role"], given.get("area"))

    def _user(self, given: dict[str, Any], _: Tell) -> str:
        return make_user(self.parts, given)

    # running

    def start(self) -> None:
        """Start every thread but the server's."""
        self.pipe.start()
        self.pulse.start()
        for name, run in (("clerk", self._clerk), ("findings", self._keep_outcomes), ("keeper", self._keeper), ("rounds", self._rounds)):
            thread = threading.Thread(target=run, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        for feed in self.feeds:
            feed.start()
        self._own_token()
        parts = self.parts
        recalled = (parts.explainer, parts.clock, parts.about.code, self.city.sparks, self._stop)
        self._threads.append(sparks := threading.Thread(target=first_lines, args=recalled, name="sparks", daemon=True))
        sparks.start()
        if self.neighbours is not None:
            self._threads.append(self.neighbours.listen(parts.ledger))
        self.foresight.start()

    def _own_token(self) -> None:
        """Leave a token for commands on this machine, readable by this user only."""
        identity = self.parts.identity
        held = next((p for p in identity.parties() if p["account"] == "owner"), None)
        id_ = (
            held["id"]
            if held
            else identity.add_party(Party("owner", "本机命令", "Commands on this machine", (Grant("admin", self.parts.about.code),), kind="service"), actor="system")
        )
        secret = identity.renew_token(id_, "owner", actor="system")
        path = self.settings.data / TOKEN_FILE
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(secret)

    def serve(self) -> None:
        """Serve until told to stop."""
        app = build(self.city, self.settings.data)
        if self.parts.about.sandbox and self.settings.loopback:
            self._live_in()
        serve(app if self.telemetry is None else self.telemetry.around(app), self.settings)

    def _live_in(self) -> None:
        """Let the sandbox's simulated people and devices in, each with an account of its own."""
        module = next((p.module for p in self.parts.packs if p.name == "sandbox"), None)
        if module is None:
            return
        accounts = seat_accounts(module.SEATS, self.parts.areas)
        self.parts.identity.add_demo(accounts)
        tokens = seat_tokens(module.SEATS, self.parts.identity, self.parts.about.code)
        about = {"time_zone": self.parts.about.time_zone, "code": show_area(self.parts.about.code), "accounts": {s.name: s.name for s in module.SEATS}}
        life = module.Sandbox(self.url, tokens, about, engines=self.foresight.live())
        self.city.life, self.city.seats = life, {s.name: s.name for s in module.SEATS if s.shown}
        threading.Thread(target=lambda: asyncio.run(life.run()), name="sandbox", daemon=True).start()

    def stop(self) -> None:
        """Write what waits, and let go of the city."""
        self._stop.set()
        for feed in self.feeds:
            feed.stop()
        if self.city.life is not None:
            self.city.life.stop()  # type: ignore[attr-defined]
        self.foresight.stop()
        self.pulse.stop()
        if self.neighbours is not None:
            self.neighbours.stop()
        self._requests.put(None)
        self._outcomes.put(None)
        for thread in self._threads:
            thread.join(timeout=30)
        self.pipe.close()
        if self.telemetry is not None:
            self.telemetry.close()
        self._note_intake(self.parts.lake.commit())
        keep_streams(self.parts.folder, self.parts.registry, latest(self.parts.lake, self.parts.once))
        self.parts.close()
        self.lock.release()


def _waiting_checks(conn: Any) -> frozenset[tuple[str, int]]:  # noqa: ANN401 (a SQLAlchemy connection)
    rows = conn.exec_driver_sql("SELECT indicator, area FROM case_file WHERE step = 'check' AND check_mode = 'instrument' AND mark = '' AND indicator != ''")
    return frozenset((row[0], row[1]) for row in rows)


def _passes(error: Exception) -> bool:
    """Tell whether what failed is a store that is away or full, and not what was brought to it."""
    if isinstance(error, Problem):
        return error.kind.sort in {"busy", "full", "unavailable"}
    return isinstance(error, OSError | OperationalError | InterfaceError)
