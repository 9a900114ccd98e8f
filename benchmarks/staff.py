"""The simulated staff of a desk: who they are, how they ask, and what they do with a case at each place of its way, by the dice. Knows no day's plan."""

import hashlib
import heapq
import itertools
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from zhongshu.act import SYSTEM, relay, sweep
from zhongshu.app import Owner
from zhongshu.govern import Grant, Party
from zhongshu.kernel.area import Level, at_level
from zhongshu.kernel.clock import HOUR, MINUTE, SECOND, FrozenClock, rfc3339
from zhongshu.sense import receive_own

Doc = dict[str, Any]
VERB_DELAY = {"take": 8, "handle": 50, "feedback": 6, "check_pass": 25, "check_fail": 25, "close": 9, "dispatch": 4, "rule": 40, "uphold": 10, "reject": 10}
"""Minutes it takes someone to come to a step, about."""


@dataclass(frozen=True)
class Size:
    """How much happens on the day."""

    voices: int = 3000
    leads: int = 400
    disputes: int = 60
    people: int = 100_000
    rounds: int = 1
    """Minutes between two rounds of what time alone brings about."""


class WrongError(Exception):
    """Something the desk should have taken was refused, or should have refused was taken."""


@dataclass
class Staff:
    """Whoever acts is drawn from the dice, what happens next stands in a queue by its time; the same on every run."""

    owner: Owner
    clock: FrozenClock
    http: httpx.AsyncClient
    size: Size
    dice: random.Random = field(default_factory=lambda: random.Random(2026))
    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    disputes: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    quick: Counter[str] = field(default_factory=Counter)
    photo: str = ""
    _queue: list[tuple[int, int, Any]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=itertools.count)
    _tokens: dict[tuple[str, str, int], str] = field(default_factory=dict)
    _swept: int = 0

    # who, and by what door

    def _token(self, role: str, unit: str = "", area: int = 0, tail: str = "") -> str:
        area, key = area or self.owner.parts.about.code, (role + tail, unit, area)
        if key not in self._tokens:
            identity, name = self.owner.parts.identity, f"{role}{tail}-{hashlib.sha256(f'{unit}{area}'.encode()).hexdigest()[:8]}"
            held = identity.add_party(Party(name, f"模拟{role}{tail}", f"Simulated {role}{tail}", (Grant(role, area),), unit, kind="service"), actor="day")
            self._tokens[key] = identity.issue_token(held, name, actor="day")[1]
        return self._tokens[key]

    async def ask(self, token: str, method: str, url: str, allow: tuple[int, ...] = (), **sent: Any) -> Doc:
        """Send a request as someone, and return its document; anything but what is allowed breaks the day off."""
        answer = await self.http.request(method, url, headers={"authorization": f"Bearer {token}"}, **sent)
        self.counts[f"{method} {answer.status_code // 100}xx"] += 1
        if answer.status_code >= 300 and answer.status_code not in allow:
            message = f"{rfc3339(self.clock.at)} {method} {url} {sent} → {answer.status_code} {answer.text[:400]}"
            raise WrongError(message)
        document: Doc = answer.json()
        if answer.status_code >= 300:
            self.refused[str(document["code"])] += 1
            document["refused"] = True
        return document

    def later(self, minutes: float, do: Any) -> None:
        """Put something into the queue, so many minutes from now, give or take a half."""
        wait = max(1, int(minutes * (0.5 + self.dice.random()) * MINUTE)) + 11 * SECOND
        heapq.heappush(self._queue, (self.clock.at + wait, next(self._number), do))

    def at(self, moment: int, do: Any) -> None:
        """Put something into the queue at a time."""
        heapq.heappush(self._queue, (moment, next(self._number), do))

    async def run(self, until: int) -> None:
        """Let the time pass up to a moment: at every round what time alone brings about is done, each quarter of an hour the history is handed over."""
        while self._queue and self._queue[0][0] <= until:
            moment, _, do = heapq.heappop(self._queue)
            self._pass(moment)
            await do()
        self._pass(until)
        self.clock.at = until + HOUR  # nothing may be taken back any more
        self._relay()

    def _pass(self, moment: int) -> None:
        step = self.size.rounds * MINUTE
        while self._swept + step <= moment:
            self._swept += step
            self.clock.at = max(self.clock.at, self._swept)
            self.counts["by time alone"] += self.owner.parts.office.write(SYSTEM, sweep)
            if self._swept // MINUTE % 15 == 0:
                self._relay()
        self.clock.at = max(self.clock.at, moment)

    def _relay(self) -> None:
        parts, source = self.owner.parts, self.owner.parts.sources["desk"]
        relay.run(parts.desk, lambda batch, rows: self.owner.pipe.submit(receive_own(parts.intake, source, rows, batch)).result(60), now=self.clock.now)

    def begin(self, case: str) -> None:
        if len(self.disputes) < self.size.disputes:
            self.disputes.add(case)
        self.later(4, lambda: self.work(case))

    # the cases' way

    def crew(self, case: Doc) -> str:
        """Return a token of whoever works for the unit that holds a case: of its street, or the department's officer."""
        street = at_level(int(case["area"]), Level.STREET)
        return self._token("department", case["unit"]) if int(hashlib.sha256(case["id"].encode()).hexdigest(), 16) % 3 == 0 else self._token("handler", case["unit"], street)

    def reason(self, case: Doc, verb: str, what: str = "") -> Doc:
        """Return a reason as the city lists it, else in words."""
        offered = next((each for each in case["verbs"] if each["verb"] == verb), None)
        listed = [row for row in (offered or {}).get("reasons", ()) if row["verb"] in {verb, what}]
        return {"reason": "按实际情况"} | ({"code": self.dice.choice(listed)["code"]} if listed else {})

    async def do(self, token: str, case: Doc, verb: str, **given: Any) -> Doc:
        """Do one verb on a case by the version that was seen; who comes late is told, and looks again."""
        done = await self.ask(token, "POST", f"/api/cases/{case['id']}/{verb}", json={"version": case["version"]} | given, allow=(409,))
        self.counts["steps"] += not done.get("refused", False)
        self.counts[verb] += not done.get("refused", False)
        return done

    async def work(self, id_: str) -> None:
        """Look at a case as whoever it waits for, do what the dice say, and come again."""
        case = await self.ask(self._token("duty_officer"), "GET", f"/api/cases/{id_}")
        place = (case["step"], case["mark"])
        if place[0] in {"void", "imported"} or (id_ in self.again and place[0] == "closed"):
            return
        move = {
            ("file", ""): self.filed,
            ("dispatch", ""): self.sent,
            ("dispatch", "returned"): self.reviewed,
            ("dispatch", "disputed"): self.ruled,
            ("handle", ""): self.signed,
            ("handle", "taken"): self.handled,
            ("feedback", ""): self.told,
            ("check", ""): self.checked,
            ("check", "passed"): self.closed,
            ("closed", ""): self.ended,
        }.get(place, self.paused)
        verb = await move(case, self.dice.random())
        self.later(VERB_DELAY.get(verb, 15), lambda: self.work(id_))

    async def filed(self, case: Doc, _: float) -> str:
        done = await self.do(self._token("acceptor"), case, "file")
        return "" if done.get("refused") else "dispatch"

    async def sent(self, case: Doc, draw: float) -> str:
        dispatcher, mine = self._token("dispatcher"), case
        if draw < 0.01 and case["id"] not in self.disputes:
            return "rule" if not (await self.do(dispatcher, mine, "dispute", **self.reason(mine, "dispute"))).get("refused") else ""
        if draw < 0.03:
            await self.pause(case)
            return ""
        row = next((each for each in self.classes if each["class"] == case["class"]), None)
        unit = mine["suggestion"]["unit"] if mine["suggestion"] else row["unit"] if row else "dept-hotline"
        done = await self.do(dispatcher, mine, "dispatch", unit=unit)
        if not done.get("refused") and self.dice.random() < 0.02:
            self.clock.at += 3 * SECOND
            await self.do(dispatcher, done, "undo")
        return "take"

    async def pause(self, case: Doc) -> None:
        """Let it stand still for a listed reason: 挂账, 缓办, 待补正."""
        verb, officer = self.dice.choice(("park", "defer", "supplement")), self._token("duty_officer")
        until = rfc3339(self.clock.at + self.dice.randint(20, 240) * MINUTE)
        await self.do(officer, case, verb, until=until, **self.reason(case, verb))

    async def paused(self, case: Doc, draw: float) -> str:
        if draw < 0.3:
            await self.do(self._token("duty_officer"), case, "resume")
        return ""

    async def signed(self, case: Doc, draw: float) -> str:
        crew = self.crew(case)
        if draw >= 0.12 and case["id"] not in self.disputes:
            await self.do(crew, case, "take")
            return "handle"
        mine = await self.ask(crew, "GET", f"/api/cases/{case['id']}")
        if case["id"] in self.disputes and case["rejected"]:
            self.disputes.discard(case["id"])
            self.disputes.add(f"done {case['id']}")
            return "rule" if not (await self.do(crew, mine, "object", **self.reason(mine, "object"))).get("refused") else ""
        if case["id"] in self.disputes or draw < 0.08:
            done = await self.do(crew, mine, "return", **self.reason(mine, "return"))
            return "uphold" if not done.get("refused") else ""
        return "handle"  # over the signing limit it is signed for by itself

    async def reviewed(self, case: Doc, draw: float) -> str:
        verb = "reject" if case["id"] in self.disputes or draw < 0.4 else "uphold"
        await self.do(self._token("dispatcher"), case, verb, **({"reason": "仍由该单位承办"} if verb == "reject" else {}))
        return "take" if verb == "reject" else "dispatch"

    async def ruled(self, case: Doc, _: float) -> str:
        row = next((each for each in self.classes if each["class"] == case["class"]), None)
        await self.do(self._token("duty_officer"), case, "rule", unit=row["unit"] if row else "dept-hotline", note="会商纪要：按目录承办", **self.reason(case, "rule"))
        return "take"

    async def handled(self, case: Doc, draw: float) -> str:
        crew = self.crew(case)
        if (tasks := [task for task in case["tasks"] if task["state"] in {"sent", "arrived"}]) and draw < 0.95:
            await self.tasks(case, tasks)
            return ""
        first = case["id"] not in self.quick
        if draw >= 0.18 or not first:
            await self.do(crew, case, "handle", evidence=[self.photo], note="已处置")
            return "feedback"
        mine = await self.ask(crew, "GET", f"/api/cases/{case['id']}")
        if draw < 0.05:
            self.quick[case["id"]] += 1
            await self.do(crew, mine, "whistle", unit="dept-road" if mine["unit"] == "dept-emergency" else "dept-emergency", **self.reason(mine, "whistle"))
            return ""
        if draw < 0.15 and case["due"]:
            self.quick[case["id"]] += 1
            await self.leave(case, mine, crew)
            return ""
        return "uphold" if not (await self.do(crew, mine, "return", **self.reason(mine, "return"))).get("refused") else ""

    async def leave(self, case: Doc, mine: Doc, crew: str) -> None:
        """Ask for more time; it is given, given in another form, or denied."""
        until = rfc3339(self.clock.at + 30 * HOUR)
        asked = await self.do(crew, mine, "ask", what="extend", until=until, **self.reason(mine, "ask", "extend"))
        if asked.get("refused"):
            return
        dispatcher = self._token("dispatcher")
        seen = await self.ask(dispatcher, "GET", f"/api/cases/{case['id']}")
        if self.dice.random() < 0.3:
            await self.do(dispatcher, seen, "deny", **self.reason(seen, "deny"))
        elif self.dice.random() < 0.5 or case["limit"] == "overdue":
            await self.pause(await self.ask(self._token("duty_officer"), "GET", f"/api/cases/{case['id']}"))
        else:
            await self.do(dispatcher, seen, "extend", until=max(until, rfc3339(self.clock.at + 60 * HOUR)), **self.reason(seen, "extend"))

    async def tasks(self, case: Doc, tasks: list[Doc]) -> None:
        """Let every unit that was given a task arrive and do it; a few decline."""
        for task in tasks:
            unit, url = self._token("department", task["unit"]), f"/api/cases/{case['id']}/tasks/{task['id']}"
            if self.dice.random() < 0.03:
                await self.ask(unit, "POST", f"{url}/decline", json={"reason": "人手不足"}, allow=(409,))
                continue
            if task["state"] == "sent":
                await self.ask(unit, "POST", f"{url}/arrive", json={}, allow=(409,))
            choices = {one["name"]: self.dice.choice(one["options"])["value"] for one in task["choices"]}
            done = await self.ask(unit, "POST", f"{url}/done", json={"note": "已完成", "evidence": [self.photo], "choices": choices}, allow=(409,))
            self.counts["tasks done"] += not done.get("refused", False)

    async def told(self, case: Doc, _: float) -> str:
        await self.do(self.crew(case), case, "feedback", evidence=[self.photo], note="已反馈")
        return "check_pass"

    async def checked(self, case: Doc, draw: float) -> str:
        if "self_handled" not in case["flags"] and draw < 0.08:
            await self.do(self._token("checker"), case, "check_fail", **self.reason(case, "check_fail"))
            return "take"
        await self.do(self._token("checker"), case, "check_pass")
        return "close"

    async def closed(self, case: Doc, _: float) -> str:
        await self.do(self._token("acceptor"), case, "close", answer="已办结，感谢反映")
        return ""

    async def ended(self, case: Doc, draw: float) -> str:
        """Let who reported say how it ended; what was not solved is opened again, once."""
        self.again.add(case["id"])
        voices = [voice for voice in case["voices"] if voice.get("text")]
        if draw < 0.04:
            acceptor = await self.ask(self._token("acceptor"), "GET", f"/api/cases/{case['id']}")
            done = await self.do(self._token("acceptor"), acceptor, "reopen", **self.reason(acceptor, "reopen"))
        elif voices and draw < 0.25:
            voice = voices[0]
            who = self._token("citizen", tail=str(int(voice["text"].split("第")[1].split("号")[0]) % 50))
            verb = "unsolved" if draw < 0.1 else "solved"
            done = await self.ask(who, "POST", f"/api/requests/{voice['id']}/{verb}", json={}, allow=(409,))
            self.counts[verb] += not done.get("refused", False)
        return "dispatch"
