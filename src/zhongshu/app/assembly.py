"""How a city is put together, in the order in which a reading meets its parts."""

import json
import logging
import shutil
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from zhongshu.act import VERBS, Deed, Office, bring_in, deploy_playbook, taught
from zhongshu.act import load as load_duties
from zhongshu.app.installed import Installed, installed_packs
from zhongshu.app.rhythms import Rhythms
from zhongshu.app.stores import BESIDE, answers, open_desk, open_journal, open_lake, same_stores
from zhongshu.app.streams import recall_streams, remember
from zhongshu.engines.evidence_files import EvidenceFiles
from zhongshu.engines.live_cells import LiveCells
from zhongshu.engines.nats_journal import NatsReader
from zhongshu.engines.owner_lock import city_salt
from zhongshu.engines.sentence_vectors import chosen
from zhongshu.govern import Guard, Identity, Ledger, Looks, Policy
from zhongshu.judge import Explainer, Judge, Statics, Watch, heard_sql, panes_sql, read_packs, record, watched, within_limit
from zhongshu.kernel.area import Codes, Level, show_area
from zhongshu.kernel.clock import Clock, LiveClock, Stamp
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.live import CellSpec
from zhongshu.kernel.rollup import RollUp
from zhongshu.sense import Intake, Once, Pipe, Registry, Source, from_document
from zhongshu.serve.city import City
from zhongshu.serve.live import Hub
from zhongshu.settings import Settings
from zhongshu.survey import Areas, Entities, Place, Roads
from zhongshu.survey import City as About

_log = logging.getLogger(__name__)
LOOKUP = "SELECT a.i, r.ticks FROM asked a JOIN readings r ON r.source = a.source AND r.entity = a.entity AND r.property = a.property AND r.valid = a.valid WHERE r.valid BETWEEN {low} AND {high}"
DRAFT = "backup-"
"""How the folder of a backup under way is called inside the city's; what a crash left of one goes when the city is opened."""
SYSTEM = Principal("system", "系统", (), "internal")


class Stores:
    """What a city stands on, open: enough to see whether it is whole, also where so much is damaged that it cannot be put together."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Open journal, warehouse, desk and evidence, where the settings say they stand; the caller holds the lock."""
        self.settings, self.folder, self.clock = settings, settings.data, clock
        for left in self.folder.glob(f"{DRAFT}*") if settings.role != BESIDE else ():
            shutil.rmtree(left)
        self.about = About.load(self.folder)
        same_stores(settings)
        self.journal = open_journal(settings, self.about)
        self.lake = open_lake(settings, self.about, replay=clock.mode == "replay")
        self.desk = open_desk(settings)
        self.evidence = EvidenceFiles(self.folder / "evidence")

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, open; beside the owner, what is looked at is told to it."""
        if not isinstance(self.journal, NatsReader):
            return Ledger(self.desk, self.folder / "ledger.anchor")
        line, name = self.journal.line, show_area(self.about.code)
        return Looks(self.desk, lambda told: line.call(line.stream.publish(f"zs.{name}.look", json.dumps(told).encode())))

    def close(self) -> None:
        """Close in the opposite order."""
        if "ledger" in vars(self):
            self.ledger.close()
        self.desk.close()
        self.journal.close()
        self.lake.close()


class Assembly(Stores):
    """The parts of one city, made in order. `deliver` is told every durable group."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Open everything in the folder; the caller holds the lock."""
        folder = settings.data
        # packs
        self.packs: list[Installed] = installed_packs()
        properties = {p.name: p for pack in self.packs for p in pack.properties}
        # survey
        self.areas = Areas.load(folder)
        self.place = Place.open(self.areas, folder)
        entities = Entities.load(folder).rows if (folder / "survey" / "entities.parquet").exists() else ()
        # engines
        super().__init__(settings, clock)
        self.lake.recall()
        # govern
        policies = [p.policy for p in self.packs if p.policy is not None]
        self.guard = Guard(Policy(policies), verbs={verb: (word.zh, word.en) for verb, word in VERBS.items()})
        self.identity = Identity(self.desk, self.ledger, loopback=settings.loopback, demo_password=settings.demo_password)
        # sense
        self.registry = Registry(self.about.code, properties.values(), entities)
        for entry in self.journal.read(0, "entities"):
            for document in entry.documents:
                self.registry.register(from_document(document))
        self.sources: dict[str, Source] = {s.name: s for pack in self.packs for s in pack.sources} | self._kept_sources()
        self.sources["desk"] = Source("desk", "案件环节", "Case steps", "city", entities="register", zone=self.about.time_zone)
        self.intake = Intake(self.registry, clock, self.place.locate)
        self.stamp = Stamp(clock, self.journal.last_known() if clock.mode == "live" else 0)
        self.once = Once(self._recorded)
        self.recovered = self._recover()
        # judge
        self._people_at = {lv: {a.code: a.population for a in self.areas.at(lv) if a.population} for lv in Level}
        self._codes_at = {lv: np.array(sorted(a.code for a in self.areas.at(lv)), np.int64) for lv in Level}
        self._facets: tuple[int, pa.Table] = (-1, pa.table({}))
        self.judge = Judge(properties, Statics(self.registry, self._people), ZoneInfo(self.about.time_zone), self._codes)
        indicators, rules = read_packs(((p.name, p.folder) for p in self.packs), properties, self.about.code if self.about.sandbox else 1)
        indicators, self.refused = within_limit(indicators, self.registry, properties)
        for problem in self.refused:
            _log.warning("%s", problem.sentence())
        self.live = LiveCells(list(properties.values()), self.registry, self.registry.sources.names, self.registry.entities.numbers, self._reload, self._heard)
        for indicator in indicators:
            self.live.declare(indicator.specs(), max(watched(indicator, rules), default=Level.CITY))
        self.watch = Watch(self.judge, self.live, indicators, rules, self.desk.read(record.recall), Rhythms(self.registry, self.once, self.sources))
        self.explainer = Explainer(
            self.judge,
            self.watch,
            lambda sql, known: self.lake.query(sql, tables={"facets": self.facets()}, known=known),
            RollUp(properties, self.registry, self.registry.sources.names, self.registry.entities.numbers),
        )
        # act
        self.hub = Hub()
        self.zone = ZoneInfo(self.about.time_zone)
        self.office = Office(self.desk, self.hub, clock, self.zone, lambda principal: self.ledger.witness_of(principal.id))
        self.office.staff = self.identity.staff
        if settings.role != BESIDE:
            self.office.write(SYSTEM, self._bring_playbooks)
            for pack in self.packs:
                self._bring_duties(pack)
        self.office.assistant = self.office.read(lambda connection: taught(connection, clock.now(), chosen(settings.classifier)))

    def _bring_playbooks(self, deed: Deed) -> None:
        """Deploy every pack's playbooks, before any pack's table names one; what is there already stays as it is."""
        for pack in self.packs:
            for name, drawn in pack.playbooks.items():
                deploy_playbook(deed, f"{pack.name}/{name}", drawn)

    def _bring_duties(self, pack: Installed) -> None:
        """Bring in what a pack says of duties: its catalogue and its tables; what is there already stays as it is."""

        def work(deed: Deed) -> None:
            if pack.duties:
                load_duties(deed, pack.name, pack.duties)
            for kind, body in pack.tables.items() if self.about.sandbox or not pack.fictional else ():
                bring_in(deed, kind, f"pack:{pack.name}", body, write=True)

        self.office.write(SYSTEM, work)

    def city(self, pipe: Pipe) -> City:
        """Return what handlers may reach."""
        return City(
            self.folder,
            self.about,
            self.areas,
            {t.name: t for p in self.packs for t in p.types},
            self.clock,
            self.zone,
            self.registry,
            self.sources,
            self.intake,
            pipe,
            self.journal,
            self.lake,
            self.desk,
            self.office,
            self.evidence,
            self.watch,
            self.explainer,
            self.guard,
            self.identity,
            self.ledger,
            self.hub,
            self.settings.loopback,
            self.about.sandbox,
            add_source=self.add_source,
            roads=Roads(self.folder),
            salt=city_salt(self.folder),
            reached={name: told for name, told in (("journal", self.journal.reached), ("desk", lambda: answers(self.desk))) if getattr(self.settings, name)},
            lessons={one.id: one for pack in self.packs for one in pack.lessons} if self.about.sandbox else {},
            samples={name: drawn for pack in self.packs for name, drawn in pack.samples.items()},
        )

    def facets(self) -> pa.Table:
        """Return every entity's facets as rows (entity, name, text, number), made again when entities were added."""
        rows = self.registry.rows
        if self._facets[0] != len(rows):
            flat = [(e.id, k, v) for e in rows for k, v in e.facets.items()]
            self._facets = (
                len(rows),
                pa.table(
                    {
                        "entity": pa.array([f[0] for f in flat], pa.string()),
                        "name": pa.array([f[1] for f in flat], pa.string()),
                        "text": pa.array([f[2] if isinstance(f[2], str) else None for f in flat], pa.string()),
                        "number": pa.array([float(f[2]) if isinstance(f[2], int | float) else None for f in flat], pa.float64()),
                    }
                ),
            )
        return self._facets[1]

    def add_source(self, source: Source) -> None:
        """Keep a source that was registered by hand."""
        row = source.describe() | {"rhythm": source.rhythm, "future": source.future, "past": source.past}
        path = self.folder / "sources.json"
        held = json.loads(path.read_text()) if path.exists() else {}
        held[source.name] = {k: row[k] for k in ("name", "zh", "en", "owner", "kind", "zone", "entities", "rhythm", "future", "past", "grade")}
        part = path.with_suffix(".part")
        part.write_text(json.dumps(held, ensure_ascii=False, indent=1))
        part.rename(path)
        self.sources[source.name] = source

    def _kept_sources(self) -> dict[str, Source]:
        path = self.folder / "sources.json"
        return {name: Source(**row) for name, row in json.loads(path.read_text()).items()} if path.exists() else {}

    def _recorded(self, asked: pa.Table) -> pa.Table:
        valid = np.asarray(asked["valid"])
        return self.lake.query(LOOKUP.format(low=int(valid.min()), high=int(valid.max())), tables={"asked": asked})

    def _recover(self) -> dict[str, int]:
        """Show the reader what the journal has and the lake has not; remember every stream's latest time."""
        found = groups = 0
        for entry in self.journal.read(self.lake.offset(), "readings"):
            if entry.table is not None:
                self.lake.show(entry.table, entry.offset)
                found, groups = found + len(entry.table), groups + 1
        remember(recall_streams(self.folder, self.lake), self.once, self.registry)
        return {"recovered": found, "groups": groups}

    def _reload(self, spec: CellSpec, first: int, last: int, known: int) -> pa.Table:
        return self.lake.query(panes_sql(spec, first, last, self.judge.properties), tables={"facets": self.facets()}, known=known)

    def _heard(self, since: int) -> dict[str, int]:
        return {row["property"]: row["high"] for row in self.lake.query(heard_sql(since)).to_pylist()}

    def _people(self, level: Level) -> dict[int, int]:
        return self._people_at[level]

    def _codes(self, level: Level) -> Codes:
        return self._codes_at[level]


def open_city(settings: Settings, clock: Clock | None = None) -> Assembly:
    """Open a city's parts, for a command that holds the lock."""
    return Assembly(settings, clock or LiveClock())
