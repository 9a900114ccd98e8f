"""A what-if asked of a running city: it starts from the record, its forecast is read by the same signs, options are compared and one is chosen, and in the end it is held against what came."""

import re
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import models
import pytest

from zhongshu.app.twin import Asked, import_model
from zhongshu.survey import Entities, make

from .city import Running, running, token

pytestmark = [pytest.mark.journey]
MINUTES = 20
RAIN = 60.0


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small made city with one sewer under its first underpass, whose manhole the underpass's sensor looks into."""
    if missing := [name for name in ("swmm", "wntr") if find_spec(name) is None]:
        pytest.skip(f"no {', '.join(missing)}: pip install 'zhongshu[twin]'")
    folder = tmp_path_factory.mktemp("town") / "DATA"
    make(folder, 5000, 7, lambda _: None)
    sensor = sensors(folder)[0]
    text = models.SEWER.replace("J1 100 0\n", f"J1 {sensor.lon} {sensor.lat}\n").replace("J2 200 0\n", f"J2 {sensor.lon + 0.01} {sensor.lat}\n")
    text = text.replace("O1 300 0", f"O1 {sensor.lon + 0.02} {sensor.lat}\n\n[SYMBOLS]\nG1 {gauge(folder).lon} {gauge(folder).lat}")
    (path := folder.parent / "sewers.inp").write_text(text, "utf-8")
    import_model(folder, path, Asked("swmm", "sewers", crs="cgcs2000"))
    return folder


def sensors(folder: Path) -> list[Any]:
    """Return the level sensors of underpasses."""
    return [e for e in Entities.load(folder).rows if e.type == "WaterLevelSensor" and e.facets["kind"] == "underpass"]


def gauge(folder: Path) -> Any:
    """Return the first rain gauge."""
    return next(e for e in Entities.load(folder).rows if e.type == "RainGauge")


class Desk:
    """Someone at a desk of the running city."""

    def __init__(self, city: Running, secret: str) -> None:
        """Sit down."""
        self.http = httpx.Client(base_url=city.url, headers={"Authorization": f"Bearer {secret}"}, timeout=30, trust_env=False)
        self.spec = self.http.get("/openapi.json").json()

    def ask(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        """Ask, and see that the answer is as it should be."""
        answer = self.http.request(method, path, **more)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        self.check(method, path.partition("?")[0], answer)
        return answer.json()

    def check(self, method: str, path: str, answer: httpx.Response) -> None:
        """See that an answer has the shape the specification declares."""
        paths = sorted(self.spec["paths"], key=lambda each: each.count("{"))
        declared = next(each for each in paths if method.lower() in self.spec["paths"][each] and re.fullmatch(re.sub(r"{\w+}", "[^/]+", each), path))
        content = self.spec["paths"][declared][method.lower()]["responses"][str(answer.status_code)].get("content", {})
        if "application/json" in content:
            whole = content["application/json"]["schema"] | {"components": self.spec["components"]}
            wrong = [f"{list(e.instance_path)} {e.message}"[:200] for e in jsonschema_rs.validator_for(whole).iter_errors(answer.json())]
            assert not wrong, f"{method} {path}: {wrong[:5]}"

    def through(self, scenario: str, state: str = "done") -> dict[str, Any]:
        """Run a scenario to its end."""
        run = self.ask("POST", f"/api/scenarios/{scenario}/runs", 202, json={})
        for _ in range(600):
            told: dict[str, Any] = self.ask("GET", f"/api/runs/{run['id']}")
            if told["state"] not in {"queued", "running"}:
                break
            time.sleep(0.1)
        assert told["state"] == state, told
        return told


@pytest.fixture(scope="module")
def city(town: Path) -> Any:
    """Return the town as it runs, with an hour of rain behind it."""
    secret = token(town, "duty_officer", "officer")
    writer = token(town, "source_writer:sandbox.devices", "devices")
    with running(town) as city:
        now, id_ = time.time(), gauge(town).id
        rows = [{"entity": id_, "property": "RainGauge.intensity", "time": round((now - back * 60) * 1000), "value": RAIN} for back in range(55, 0, -1)]
        rows += [{"entity": sensors(town)[0].id, "property": "WaterLevelSensor.depth", "time": round((now - 60) * 1000), "value": 2.0}]
        city.send("sandbox.devices", "rain", rows, writer)
        yield Desk(city, secret)


def test_a_what_if_starts_from_the_record_and_is_read_by_the_same_signs(city: Desk, town: Path) -> None:
    offered = city.ask("GET", "/api/scenarios")
    assert [row["role"] for row in offered["models"]] == ["sewers"] and {"rain", "gate", "pump_truck"} <= {row["id"] for row in offered["levers"]} and offered["installed"]
    calm = city.ask("POST", "/api/scenarios", json={"name": "照此下去", "hours": MINUTES / 60, "step": "1m", "spinup": "50m"})
    wish = {"lever": "rain", "amount": 200.0, "until": f"{MINUTES}m", "cost": 0}
    storm = city.ask("POST", "/api/scenarios", json={"name": "再下 200 毫米", "question": calm["id"], "hours": MINUTES / 60, "step": "1m", "spinup": "50m", "wishes": [wish]})
    ran, wet = city.through(calm["id"]), city.through(storm["id"])
    assert ran["engines"]["sewers"].startswith("SWMM") and ran["seed"] == 0 and ran["began"] <= ran["known"]
    start = next(row for row in ran["start"] if row["property"] == "WaterLevelSensor.depth")
    assert start["entities"] >= 1 and start["measured"] == 1
    assert ran["readings"] == MINUTES * sum(row["entities"] for row in ran["start"]) and wet["outcomes"]["flooded"] >= 1 > ran["outcomes"]["flooded"]
    assert next(line["value"] for line in wet["exchanges"]["items"] if line["by"] == "change") == pytest.approx(200 / (MINUTES / 60))

    area = f"{sensors(town)[0].area // 10**6 * 10**6:015d}"
    now = {row["indicator"]: row for row in city.ask("GET", f"/api/vitals?area={area}")["items"]}
    ahead = {row["indicator"]: row for row in city.ask("GET", f"/api/runs/{wet['id']}/vitals?area={area}&at={MINUTES * 60}")["items"]}
    assert ahead and all(ahead[code]["unit"] == now[code]["unit"] for code in ahead)
    assert any(row["level"] in {"red", "orange", "yellow"} for row in ahead.values()), ahead
    assert "IN01" in now and "IN01" not in ahead, "of eleven types of devices one is foreseen: how many are heard from is not"
    code = next(code for code, row in ahead.items() if row["level"] in {"red", "orange", "yellow"})
    line = city.ask("GET", f"/api/runs/{wet['id']}/vitals/{code}/{area}")["points"]
    assert len(line) == MINUTES and line[-1][1] == ahead[code]["value"] and line[-1][2] == ahead[code]["level"]
    shown = city.ask("GET", f"/api/runs/{wet['id']}/map?at={MINUTES * 60}")["features"]
    assert {"outcome": "flooded", "name": "J1", "model": "sewers"} in [f["properties"] for f in shown]

    beside = city.ask("GET", f"/api/runs/{wet['id']}/compare?with={ran['id']}")
    flooded = next(row for row in beside["outcomes"] if row["id"] == "flooded")
    assert flooded["difference"] >= 1 and flooded["better"] == "with"
    city.ask("GET", f"/api/runs/{wet['id']}/compare?with={wet['id']}", 400)

    chosen = city.ask("POST", f"/api/scenarios/{calm['id']}/choose", json={"run": ran["id"], "reason": "雨要停了"})
    assert chosen["chosen"] == ran["id"] and chosen["reason"] == "雨要停了"
    city.ask("POST", f"/api/scenarios/{calm['id']}/choose", 409, json={"run": wet["id"], "reason": "不是它的"})
    listed = city.ask("GET", f"/api/scenarios?question={calm['id']}")["items"]
    assert [row["name"] for row in listed] == ["再下 200 毫米", "照此下去"] and [bool(row["chosen"]) for row in listed] == [False, True]


def test_what_is_wrong_is_said_and_the_city_goes_on(city: Desk) -> None:
    for body, code in (
        ({"wishes": [{"lever": "flood"}]}, "twin.no_lever"),
        ({"wishes": [{}]}, "twin.bad_wish"),
        ({"wishes": [{"lever": "rain", "amount": "much"}]}, "twin.bad_wish"),
        ({"wishes": [{"lever": "rain", "amount": 1, "until": "later"}]}, "time.unreadable"),
        ({"wishes": [{"lever": "rain", "amount": 9000}]}, "twin.bad_amount"),
        ({"wishes": [{"lever": "gate", "amount": 0, "at": {"type": "Point", "coordinates": [0, 0]}}]}, "twin.nothing_meant"),
        ({"wishes": [{"lever": "gate", "amount": 0, "at": {"type": "Point", "coordinates": "here"}}]}, "twin.bad_shape"),
        ({"wishes": [{"lever": "gate", "amount": 0}]}, "twin.bad_shape"),
        ({"change": [{"set": "sewers:gage.rain", "value": 1, "unit": "kg"}]}, "twin.units_mixed"),
        ({"models": {"sewers": "nowhere"}}, "twin.unknown_model"),
        ({"step": "1h"}, "twin.bad_scenario"),
    ):
        told = city.ask("POST", "/api/scenarios", 404 if code == "twin.unknown_model" else 400, json={"name": "x", **body})
        assert told["code"] == code, told
    unknown = city.ask("POST", "/api/scenarios", json={"name": "unknown object", "hours": 0.2, "change": [{"set": "sewers:link.setting", "of": ["C9"], "value": 0, "unit": "1"}]})
    told = city.through(unknown["id"], "failed")
    assert told["problem"]["code"] == "twin.unknown_object" and "C9" in told["problem"]["en"]["sentence"]
    city.ask("GET", "/api/runs/none", 404)
    assert city.ask("GET", "/health")["status"]


def test_a_run_is_stopped_and_says_so(city: Desk) -> None:
    long = city.ask("POST", "/api/scenarios", json={"name": "long", "hours": 160, "step": "1m", "spinup": "1m"})
    run = city.ask("POST", f"/api/scenarios/{long['id']}/runs", 202, json={"seed": 5})
    for _ in range(200):
        if (told := city.ask("GET", f"/api/runs/{run['id']}"))["progress"] > 0:
            break
        time.sleep(0.05)
    assert told["state"] == "running" and told["seed"] == 5
    waits = city.ask("POST", f"/api/scenarios/{long['id']}/runs", 202, json={})
    assert waits["state"] == "queued" and waits["waits"] == 1
    assert city.ask("POST", f"/api/runs/{waits['id']}/stop", json={})["state"] == "stopped"
    city.ask("POST", f"/api/runs/{run['id']}/stop", json={})
    for _ in range(200):
        if (told := city.ask("GET", f"/api/runs/{run['id']}"))["state"] != "running":
            break
        time.sleep(0.05)
    assert told["state"] == "stopped", told


def test_who_may_not_is_refused(city: Desk, town: Path) -> None:
    assert city.ask("GET", "/api/skill")["items"] == []
    assert city.ask("GET", "/api/models")["items"][0]["name"] == "sewers"
    assert city.ask("GET", "/api/models/sewers")["features"]
    nobody = httpx.post(f"{city.http.base_url}/api/scenarios", json={"name": "x"}, trust_env=False)
    assert nobody.status_code in {401, 403}
