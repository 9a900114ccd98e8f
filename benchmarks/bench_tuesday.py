"""A Tuesday: one day of a city's desk by simulated staff through the public API, by a clock that is set; then everything is reckoned up from the history."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from staff import Doc, Size, Staff
from table import Table, head

import zhongshu.app.owner as owning
from zhongshu.act import SYSTEM, Seen, take_finding
from zhongshu.act import classes as classes_of
from zhongshu.app import Owner
from zhongshu.kernel.area import Level
from zhongshu.kernel.clock import DAY, HOUR, MINUTE, FrozenClock, to_us
from zhongshu.kernel.finding import Finding, Status
from zhongshu.serve.routes import ROUTES, build
from zhongshu.settings import read
from zhongshu.survey import make

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from journeys.reckoning import Reckoned, reckon
from journeys.streets import png

START = to_us(datetime(2026, 6, 30, tzinfo=ZoneInfo("Asia/Shanghai")))
"""A Tuesday's midnight."""
EARLY = frozenset({"answer", "transfer", "refuse"})
KINDS = ("answer", "transfer", "refuse", "alone", "event")


class Day(Staff):
    """The day as it is laid out: who calls when, what devices find, where patrols pass, and how an acceptor settles what is heard."""

    async def plan(self) -> None:
        """Lay out the day: when people call, what devices find, where patrols pass, when shifts change."""
        parts, dice, size = self.owner.parts, self.dice, self.size
        self._swept = self.clock.at
        self.areas = [a for a in parts.areas.at(Level.STREET) if a.lon is not None and a.population]
        self.classes = parts.office.read(lambda conn: classes_of(conn, self.clock.now()))
        self.photo = (await self.ask(self._token("acceptor"), "POST", "/api/evidence", files={"file": ("a.png", png(1), "image/png")}))["sha256"]
        events = [(dice.choice(self.areas), dice.choice(self.classes), START + int(dice.random() * 20 * HOUR)) for _ in range(max(1, size.voices // 30))]
        for i in range(size.voices):
            kind = KINDS[i % len(KINDS)]
            moment = START + int(min(dice.betavariate(2.2, 2.2), 0.999) * 22 * HOUR)
            place, row = dice.choice(self.areas), dice.choice(self.classes)
            if kind == "event":
                place, row, begun = events[i // len(KINDS) % len(events)]
                moment = begun + int(dice.random() * 50 * MINUTE)
            self.at(moment, lambda k=kind, p=place, r=row, n=i: self.voice(k, p, r, n))
        for i in range(size.leads):
            moment = START + int(dice.random() * 20 * HOUR)
            self.at(moment, (lambda n=i: self.finding(n)) if i % 2 else (lambda n=i: self.patrol(n)))
        if served := any(route.url == "/api/duty/handover/{id}/sign" for route in ROUTES):
            await self.shift("-night", "-night")  # the first officer opens the watch
        for hour, out, in_ in () if not served else ((8, "-night", ""), (20, "", "-night")):
            self.at(START + hour * HOUR, lambda o=out, i=in_: self.shift(o, i))

    async def shift(self, out: str, in_: str) -> None:
        """Hand the watch over, with two signatures; who signs it out cannot sign it in."""
        first, second = self._token("duty_officer", tail=out), self._token("duty_officer", tail=in_)
        sheet = await self.ask(first, "POST", "/api/duty/handover", json={"memo": "交班 · handing over"})
        if out != in_:
            own = await self.ask(first, "POST", f"/api/duty/handover/{sheet['id']}/sign", json={}, allow=(403, 409))
            self.counts["shifts changed"] += own.get("refused", False)
        await self.ask(second, "POST", f"/api/duty/handover/{sheet['id']}/sign", json={})

    # what comes in

    def point(self, place: Any) -> tuple[float, float]:
        return place.lon + self.dice.uniform(-2, 2) / 4000, place.lat + self.dice.uniform(-2, 2) / 4000

    async def voice(self, kind: str, place: Any, row: Doc, number: int) -> None:
        """Take a call down: someone says something, and an acceptor answers, puts through, refuses, or sees to it that it becomes a case."""
        lon, lat = (place.lon, place.lat) if kind == "event" else self.point(place)
        words = f"{row['zh']}，第{number}号来电反映"
        told = await self.ask(self._token("citizen", tail=str(number % 50)), "POST", "/api/requests", json={"text": words, "lon": lon, "lat": lat, "class": row["class"]})
        self.counts[f"voices: {kind}"] += 1
        self.later(3 if kind in EARLY else 8, lambda: self.hear(kind, told["id"]))

    async def hear(self, kind: str, voice: str) -> None:
        """Do what an acceptor does with a voice; what was settled on the telephone leaves its lead no case."""
        acceptor = self._token("acceptor")
        held = await self.ask(acceptor, "GET", f"/api/requests/{voice}")
        if kind in EARLY:
            given = {"answer": {"answer": "已当场答复"}, "transfer": {"unit": "110"}, "refuse": {"code": "other-authority"}}[kind]
            done = await self.ask(acceptor, "POST", f"/api/requests/{voice}/{kind}", json=given, allow=(409,))
            if not done.get("refused") and kind == "answer":
                self.later(90, lambda: self.call(voice))
            self.counts[f"voices settled: {kind}"] += not done.get("refused", False)
        lead = held["lead"]
        if not lead or lead in self.seen:
            return
        self.seen.add(lead)
        if kind in EARLY and self.dice.random() < 0.8:
            await self.dismiss(lead)
            return
        await self.confirm(lead)

    async def dismiss(self, lead: str) -> None:
        """Call a lead nothing, and answer whoever else had joined it: a lead that is dismissed leaves their voices to be answered one by one."""
        done = await self.ask(self._token("acceptor"), "POST", f"/api/leads/{lead}/false_alarm", json={}, allow=(409,))
        for voice in () if done.get("refused") else done["heard"]:
            if voice["state"] == "received":
                await self.ask(self._token("acceptor"), "POST", f"/api/requests/{voice['id']}/answer", json={"answer": "现场未发现问题"}, allow=(409,))

    async def call(self, voice: str) -> None:
        """Call back who was answered; some do not pick up, and whom the answer did not help is answered again."""
        verb, given = ("missed", {}) if self.dice.random() < 0.2 else ("call_back", {"result": self.dice.choice(("solved", "unsolved")), "satisfied": self.dice.randint(1, 5)})
        done = await self.ask(self._token("acceptor"), "POST", f"/api/requests/{voice}/{verb}", json=given, allow=(409,))
        if not done.get("refused") and given.get("result") == "unsolved":
            self.later(20, lambda: self.ask(self._token("acceptor"), "POST", f"/api/requests/{voice}/answer", json={"answer": "已再次联系，当场解决"}, allow=(409,)))

    async def confirm(self, lead: str) -> None:
        """File a lead, or find that it was nothing."""
        if self.dice.random() < 0.03:
            await self.dismiss(lead)
            return
        done = await self.ask(self._token("acceptor"), "POST", f"/api/leads/{lead}/confirm", json={}, allow=(409,))
        if not done.get("refused") and done["case"]:
            self.begin(done["case"])

    async def finding(self, number: int) -> None:
        """Let a rule hold somewhere: its lead is opened as the owner opens it."""
        place, row = self.dice.choice(self.areas), self.dice.choice(self.classes)
        found = Finding(f"tuesday-{number}", "DR-TEST", "1", "DR02", place.code, Status.ORANGE, self.clock.at, 1.0)
        seen = Seen(row["class"], f"{row['zh']}（体征）", f"{row['en']} (sign)", *self.point(place))
        lead, _ = self.owner.parts.office.write(SYSTEM, lambda deed: take_finding(deed, found, seen))
        self.counts["leads: findings"] += 1
        self.later(6, lambda: self.confirm(lead["id"]))

    async def patrol(self, number: int) -> None:
        """Let a collector see something: most is reported, some is put right on the spot."""
        place, row, handled = self.dice.choice(self.areas), self.dice.choice(self.classes), number % 6 == 0
        lon, lat = self.point(place)
        body = {"class": row["class"], "title_zh": row["zh"], "title_en": row["en"], "area": f"{place.code:015d}", "lon": lon, "lat": lat, "handled": handled}
        case = await self.ask(self._token("collector", area=place.code), "POST", "/api/cases", json=body | ({"evidence": [self.photo]} if handled else {}))
        self.counts["leads: patrols"] += 1
        self.later(8, lambda: self.work(case["id"]))


@contextmanager
def desk(folder: Path, clock: FrozenClock) -> Iterator[Owner]:
    """Open a city as its owner, by a clock that is set, and without the threads that act by the wall's time."""
    known, owning.parse_clock = owning.parse_clock, lambda _: clock
    try:
        owner = Owner(read({"data": str(folder), "port": "0", "commit_s": "1"}))
    finally:
        owning.parse_clock = known
    owner.pipe.start()
    owner.pulse.start()
    for feed in owner.feeds:
        feed.start()
    try:
        yield owner
    finally:
        owner.stop()


def tuesday(folder: Path, size: Size) -> tuple[Day, Reckoned, float]:
    """Make a city, let the day pass, and reckon it up; return the day, the reckoning, and how many seconds of the wall it took."""
    make(folder, size.people, 7)
    clock = FrozenClock(START)
    with desk(folder, clock) as owner:

        async def pass_() -> Day:
            transport = httpx.ASGITransport(build(owner.city, folder))
            async with httpx.AsyncClient(transport=transport, base_url="http://city.example", timeout=60) as http:
                day = Day(owner, clock, http, size)
                await day.plan()
                await day.run(START + DAY - 1)
                return day

        begun = time.monotonic()
        day = asyncio.run(pass_())
        took = time.monotonic() - begun
        owner.parts.lake.commit()
        return day, reckon(owner.parts), took


def main() -> None:
    """Run the day and print what it cost and what it came to."""
    head()
    share = float(os.environ.get("BENCH_SHARE", "1"))
    size = Size(round(3000 * share), round(400 * share), round(60 * share))
    table, folder = Table(), Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        day, out, took = tuesday(folder / "city", size)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    lines = sum(out.lines.values())
    table.add(
        f"a Tuesday: {size.voices:,} voices, {size.leads} leads, {size.disputes} disputes",
        f"{took:.0f} s of the wall",
        f"{lines / took:,.0f} lines of history/s, {day.counts['steps'] / took:,.0f} steps/s",
    )
    for name, value in out.from_history.items():
        table.add(name, f"{out.from_relay[name]:,} by the readings", f"{value:,} by the history")
    table.add("not in order", str(len(out.wrong)), "promise: none")
    print(
        json.dumps(
            {"day": dict(sorted(day.counts.items())), "refused": dict(day.refused), "lines": dict(sorted(out.lines.items())), "checked": out.checked}, ensure_ascii=False, indent=1
        )
    )
    for line in out.wrong[:20]:
        print(line)


if __name__ == "__main__":
    main()
