"""The shapes of the API's answers, a row each, and how the specification says them. It knows names and types; no handler and no store.

A shape is written as a person would: `name: type, …`. A type is `str`, `int`, `num`, `bool`, `time` (RFC 3339, UTC), `area` (15 digits), `any`,
another shape's name, `[type]` for a list, `{type}` for an object of such values; `?` behind a type means it may be null, behind a name that it may be absent.
"""

import json
import re
from typing import Any

Schema = dict[str, Any]
_PLAIN: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "any": {},
    "time": {"type": "string", "format": "date-time"},
    "area": {"type": "string", "pattern": "^[0-9]{15}$"},
}
_COUNTS = "accepted: int, quarantined: int, duplicates: int"
_NAMES = "name_zh: str, name_en: str"
_CASE = (
    "id: str, number: str, class: str, class_zh: str, class_en: str, title_zh: str?, title_en: str?, address: str?, area: area, area_name_zh: str, area_name_en: str, lon: num?, lat: num?, "
    "source: str, step: str, step_zh: str, step_en: str, mark: str, holder: str?, holder_zh: str?, holder_en: str?, unit: str?, opened: time, due: time?, closed: time?, late: bool, level: str?, "
    "finding: str?, lead: str?, indicator: str?, version: int, flags: [str], person: str?, person_name_zh: str?, person_name_en: str?"
)
_VITAL = "indicator: str, area: area, value: num?, unit: str, level: str, native: str?, band: Band?, as_of: time?, age_s: num?, owner: str"
_INDICATOR = (
    "code: str, name_zh: str, name_en: str, unit: str, decimals: int, owner: str, theme: str, formula_zh: str, formula_en: str, declared: str, sql: str, bands: [Band], levels: [str], "
    "stale_after_s: num?, version: str, pack: str"
)
_INCIDENT = (
    "id: str, number: str, theme: str, theme_zh: str, theme_en: str, title_zh: str, title_en: str, state: str, state_zh: str, state_en: str, areas: [area], places: [any], parties: [any], "
    "mode: str?, drill: bool, happened: time, opened: time, closed: time?, version: int"
)

_RUN = (
    "id: str, scenario: str, state: str, progress: num, waits: int, seed: int, asked_by: str, began: time?, known: time?, until: time?, ended: time?, engines: {str}, outcomes: {num}, "
    "sights: {str}, start: [StartGap], notes: [any], took_s: num?, times_real: num?, engine_s: {num}, readings: int, problem: any"
)

SHAPES: dict[str, str] = {
    "Scenarios": "items: [Scenario], next: str?, models: [any], levers: [Lever], outcomes: [Outcome], installed: bool, may: [str]",
    "Scenario": "id: str, question: str, name: str, case: str, hours: num, step: str, spinup: str, seed: int, models: {str}, wishes: [any], changes: int, cost: num, made: time, made_by: str, "
    "chosen: str, reason: str, decided: time?, decided_by: str, made_by_name_zh: str, made_by_name_en: str, decided_by_name_zh: str, decided_by_name_en: str, runs: [Run]",
    "Lessons": "items: [Lesson], next: str?, running: Attempt?, attempts: [Attempt], may: bool",
    "Lesson": "id: str, zh: str, en: str, about_zh: str, about_en: str, lasts: str, lasts_s: int, tasks: int, seats: [str], playable: bool",
    "Attempt": "attempt: int, lesson: str, zh: str, en: str, begun: time, begun_by: str, begun_by_name_zh: str, begun_by_name_en: str, ended: time?, points: num, of: int, lasts_s: int, left_s: num, "
    "tasks: [LessonTask], deeds: [LessonDeed]",
    "LessonTask": "id: str, zh: str, en: str, link: str, within_s: num, points: int, earned: num, state: str, took_s: num?, by: str, by_name_zh: str, by_name_en: str, subject: str, line: int?",
    "LessonDeed": "line: int, at: time, after_s: num, actor: str, actor_name_zh: str, actor_name_en: str, deed: str, zh: str, en: str, subject: str, link: str",
    "Run": _RUN,
    "RunTold": f"{_RUN}, scenario_of: Scenario, seconds: [num], series: any, exchanges: Exchanges, skill: [Skill]",
    "Exchanges": "items: [Exchange], next: int?, total: int",
    "Exchange": "second: num, by: str, model: str, set: str, object: str, value: num, because: [any]",
    "StartGap": "property: str, unit: str, entities: int, measured: int, mean: num?, rms: num?",
    "Lever": "id: str, zh: str, en: str, target: str, draws: str, metres: num, nearest: bool, value: num, after: num, unit: str, gives: str, asks: bool, low: num, high: num, shares: bool, lasts: bool",
    "Outcome": "id: str, zh: str, en: str, unit: str, what: str, source: any, op: str, value: num, reckon: str, over: str, factor: num, better: str, decimals: int",
    "Beside": "run: Run, with: Run, outcomes: [BesideRow], cost: num, cost_with: num, series: any",
    "BesideRow": "id: str, zh: str, en: str, unit: str, decimals: int, value: num?, with: num?, difference: num?, better: str",
    "ForeseenVitals": "items: [ForeseenVital], next: str?, at: time, known: time",
    "ForeseenVital": "indicator: str, area: area, value: num?, unit: str, level: str",
    "ForeseenSeries": "indicator: str, area: area, points: [any], known: time",
    "GeoJson": "type: str, features: [any], crs?: str",
    "Skill": "engine: str, property: str, unit: str, from_s: num, to_s: num, event: num?, n: int, bias: num, rmse: num, rmse_persistence: num?, events: int, hit_rate: num?, false_alarms: num?",
    "Model": "name: str, engine: str, version: str, model: str, file: str, sha256: str, crs: str, taken: {int}, guessed: [any], refused: [any], objects: {int}, inputs: {str}, observed: {str}",
    "Problem": "code: str, status: int, sentence: str, remedy: str, zh: Said, en: Said, faults?: [Fault]",
    "Fault": "at: str, zh: Said, en: Said",
    "Said": "sentence: str, remedy: str",
    "Health": "status: str, version: str, clock: Clock, readings: AllCounts, journal: JournalState",
    "Ready": "ready: bool, wrong: [str]",
    "Running": "ready: bool, items: [Measure], failing: [str], version: str, started: time?",
    "Measure": "name: str, zh: str, en: str, unit: str, value: num, limit: num, least: bool, outside: bool, well: bool, remedy_zh: str, remedy_en: str",
    "Clock": "mode: str, speed: num, now: time",
    "Counts": _COUNTS,
    "AllCounts": f"{_COUNTS}, by_source: {{Counts}}",
    "JournalState": "head: int, lake: int, snapshot: int",
    "City": f"{_NAMES}, code: area, population: int, time_zone: str, centre: [num], bounds: [num], sandbox: bool, clock: Clock, devices: int, indicators: int, map: str?, crs: str, attribution: str?",
    "Session": "principal: Principal?",
    "Principal": f"id: str, account: str, {_NAMES}, unit: str, demo: bool, roles: [Role]",
    "Role": "role: str, area: area",
    "DemoAccounts": "accounts: [DemoAccount]",
    "DemoAccount": f"account: str, {_NAMES}, unit: str, role: str, area: area, password: str",
    "AreaRow": f"code: area, {_NAMES}, level: str, centre: [num]?, geometry?: any",
    "Area": f"code: area, {_NAMES}, level: str, centre: [num]?, official: str?, population: int?, parent: str?, children: [AreaRow], geometry: any",
    "Entity": f"id: str, type: str, {_NAMES}, area: area, lon: num?, lat: num?, owner: str?, grade: int, facets: any",
    "Sources": "items: [Source], next: str?, refused: [RefusedFeed]",
    "RefusedFeed": "name: str, feed: Feed",
    "Source": "name: str, zh: str, en: str, owner: str, kind: str, zone: str, entities: str, interval: str, grade: int, licence: str, rhythm_s: num, future_s: num, past_s: num?, mapping: str?, "
    "mapping_version: str, counts: Counts, last_known: time?, feed: Feed?",
    "Feed": "kind: str, every_s: num, failing: bool, last_success: time?, last_error: FeedError?, rows: int, quarantined: int, lag_s: num?",
    "FeedError": "code: str, at: time, zh: Said, en: Said",
    "Receipt": f"batch: str, {_COUNTS}, offset: int, repeated: bool",
    "Mending": f"mended: bool, batch: str, {_COUNTS}, offset: int, repeated: bool",
    "BadRow": "id: int, batch: str, row: int, code: str, raw: str, cut: bool, known: time, mended: bool, sentence_zh?: str, sentence_en?: str, remedy_zh?: str, remedy_en?: str",
    "Reading": "source: str, entity: str, property: str, valid: time, known: time, value: num?, unit: str, raw: num?, raw_unit: str?, flags: [str], area: area, offset: int",
    "Band": "source: any, steps: [Step], valid_from: str?, valid_to: str?, place: str?, by: str?, period: any",
    "Step": "level: str, op: str, value?: num?, native?: str?, facet?: str?",
    "Indicator": _INDICATOR,
    "Vital": f"{_VITAL}, spark: [any], last_action: any, finding: str?, acknowledged: bool",
    "Explained": f"{_VITAL}, {_INDICATOR}, area_name_zh: str, area_name_en: str, live: Live?, recomputed: Recomputed?, window: Window?, contributing: [Contributing], readings: Readings, "
    "flags: {int}, findings: [Finding], cases: [any], journal: any, ledger: any, spark: [any]",
    "Live": "value: num?, at: time?",
    "Recomputed": "value: num?, at: time?, equal: bool",
    "Window": "from: time, to: time",
    "Contributing": f"area: area, {_NAMES}, value: num?, level: str",
    "Readings": "items: [Reading], next: str?",
    "ReadingsAndHours": "items: [Reading], hourly: [Hour], next: str?",
    "Hour": "source: str, entity: str, property: str, area: area, from: time, to: time, count: int, mean: num?, low: num?, high: num?, first: num?, last: num?, unit: str, latest: time?, rolled_up: bool",
    "Series": "items: [Point], next: str?, rolled_up_before: time?",
    "Point": "at: time, value: num?, level: str",
    "Finding": "id: str, rule: str, rule_zh: str, rule_en: str, version: str, indicator: str, area: area, area_name_zh: str, area_name_en: str, level: str, value: num?, unit: str, opened: time, "
    "changed: time, closed: time?, evidence: any, acknowledged_by: str?, lead: str?, case: str?",
    "Lead": "id: str, number: str, kind: str, source: str, class: str, title_zh: str?, title_en: str?, address: str?, area: area, area_name_zh: str, area_name_en: str, lon: num?, lat: num?, level: str?, "
    "indicator: str?, finding: str?, state: str, state_zh: str, state_en: str, of: str?, opened: time, ended: time?, case: str?, links: [Link], suggested: [Link], may: [str], voices: int, heard: [Voice], flags: [str], version: int",
    "Link": "id: int, lead: str?, number: str?, title_zh: str?, title_en: str?, case: str?, request: str?, kind: str, reason_zh: str, reason_en: str, by: str?, at: time",
    "Voice": "id: str, number: str, source: str?, class: str?, text: str?, address: str?, lon: num?, lat: num?, channel: str?, photos: [any]?, state: str?, area: area, created: time",
    "Life": "id: str, number: str, class: str?, text: str?, address: str?, area: area, created: time, state: str, state_zh: str, state_en: str, answer: str?, answered: time?, closed: time?, "
    "transferred: str, calls: int, satisfied: int?, outcome: str, version: int, lead: str?, case_id: str?, area_name_zh: str, area_name_en: str, case_number: str?, case_step: str?",
    "Caller": "number: str, caller: str",
    "Proposed": "classes: [any], knowledge: [any]",
    "Assisted": "since: time, adoption: any, first_dispatch: any",
    "Taken": "id: str, number: str, follow: str?",
    "Request": "id: str, number: str, text: str?, area: area, created: time, answer: str?, answered: time?, case: any, result: any, waiting: any, earlier: any, notices: [any], proposed?: [any], knowledge?: [any], links?: [any], may?: [any], together?: int, heard?: [Voice], joined?: [Link], lead_may?: [str], by?: str, caller?: str",
    "FamilyLink": "id: str, made: time, revoked: time?, secret?: str",
    "Shared": "number: str, area: area, area_name_zh: str, area_name_en: str, class_zh: str, class_en: str, created: time, state: str, state_zh: str, state_en: str, answer: str, answered: time?, "
    "waiting: any, case: any, result: any, until: time?",
    "CaseRow": f"{_CASE}, voices: int",
    "Cases": "items: [CaseRow], next: str?, counts: CaseCounts",
    "CaseCounts": "received: int, open: int, overdue: int, closed: int",
    "Case": f"{_CASE}, voices: [Voice], history: [Done], verbs: [Verb], suggestion: any, clocks: any, tasks: [Task], playbook: any, holdings: [Holding], rulings: [any], chain: Chain?, links: [Link], lead_may: [str]",
    "Chain": "unit: str, unit_zh: str, unit_en: str, supervision: str, basis: str, below: bool",
    "Done": "seq: int, verb: str, verb_zh: str, verb_en: str, actor: str, actor_name: str?, at: time, reason: str?, evidence: [File], from_step: str?, to_step: str?, person: str?",
    "Colleagues": "items: [Colleague]",
    "Colleague": "id: str, name_zh: str, name_en: str, open: int",
    "File": "sha256: str, content_type: str, url: str, taken: time?, lon: num?, lat: num?",
    "Verb": "verb: str, zh: str, en: str, needs: [str], shortcut: str?, aside: bool, reasons: [any]",
    "Task": "id: str, kind: str, kind_zh: str, kind_en: str, key: str, title_zh: str, title_en: str, unit: str, unit_zh: str, unit_en: str, state: str, state_zh: str, state_en: str, "
    "needs: [str], checklist: [str], choices: [any], made: time, due: time?, arrived: time?, ended: time?, late: bool, verbs: [any]",
    "Holding": "part: str, holder: str, charged: str, from: time, to: time?, due: time?, spent_s: int, late: bool",
    "Classes": "items: [Class]",
    "Class": "class: str, zh: str, en: str, unit: str, unit_zh: str, unit_en: str, limit: any, check_mode: str, sample: int, danger: bool, basis: str, basis_en: str, condition: str, condition_en: str, picture: str, picture_url: str",
    "Playbooks": "items: [Playbook]",
    "Playbook": "key: str, version: str, name_zh: str, name_en: str, source: str, parties: [str], tasks: int",
    "Tables": "items: [TableKind]",
    "TableKind": "kind: str, zh: str, en: str, columns: [str], key: [str], rows: int",
    "TableRows": "items: [any]",
    "TableDiff": "kind: str, source: str, lines: [str], applied: bool, new: int, changed: int, ended: int, same: int",
    "Evaluation": "object: str, from: time, to: time, area: area, measures: [any], items: [Evaluated], left_out: [any], weights: [any]",
    "Evaluated": "name: str, name_zh: str, name_en: str, values: any, before: any, year: any, score: num?, cases: int",
    "Behind": "items: [any]",
    "Warning": "id: str, number: str, source: str, issuer: str, external: str, status: str, message: str, hazard: str, hazard_en: str, colour: str, colour_zh: str, colour_en: str, "
    "title_zh: str, title_en: str, text_zh: str, text_en: str, areas: [area], shapes: [any], onset: time, expires: time?, ended: time?, ended_by: str, taken: time, in_force: bool, drill: bool, "
    "version: int",
    "Response": "id: str, number: str, theme: str, level: str, title_zh: str, title_en: str, ordered_by: str, basis: str, text_zh: str, text_en: str, areas: [area], started: time, "
    "ended: time?, drill: bool, version: int",
    "Warnings": "items: [Warning], next: str?, verbs: [str]",
    "Responses": "items: [Response], next: str?, verbs: [str]",
    "Incidents": "items: [IncidentRow], next: str?, verbs: [str]",
    "Modes": "items: [Mode], next: str?, sampling: [Sampling], verbs: [str], mine: [str]",
    "Mode": "id: str, number: str, theme: str, theme_zh: str, theme_en: str, level: str, title_zh: str, title_en: str, basis: str, response: str?, state: str, state_zh: str, state_en: str, "
    "areas: [area], incident: str?, drill: bool, proposed: time, decided: time?, ended: time?, effects: [ModeEffect], restored: [Restored], version: int",
    "ModeEffect": "effect: str, zh: str, en: str, items: [any]",
    "Restored": "effect: str, what: str, zh: str, en: str",
    "Sampling": "type: str, zh: str, en: str, every_s: int?, areas: [area], mode: str, number: str, basis: str",
    "Duty": "in_charge: any, on_duty: [Turn], coming: any, roster: [Turn], waiting: any, draft: Sheet, may: [str]",
    "Turn": "theme: str, shift: str, post: str, post_zh: str, post_en: str, name: str, name_en: str, account: str, phone: str, from: time, to: time",
    "Sheet": "at: time, open: CasesOf, near: CasesOf, overdue: CasesOf, parts_overdue: CasesOf, voices: CasesOf, warnings: [Warning], responses: [Response], modes: [Mode], "
    "incidents: [IncidentRow], reports: [Report], silent: [any], instructions: [Instruction], orders: [Order], roster: [Turn], waiting_voices: Waiting, memo: str",
    "CasesOf": "count: int, items: [any]",
    "Waiting": "count: int, oldest: time?",
    "Handover": "id: str, number: str, state: str, state_zh: str, state_en: str, outgoing: str, outgoing_name: str, incoming: str, incoming_name: str, expected: str, signed_out: time, "
    "signed_in: time?, memo: str, document: any, digest: str, first: bool, version: int",
    "Instruction": "id: str, number: str, leader: str, leader_name: str, text: str, case: str, case_number: str, area: area, made: time, until: time?, late: bool, "
    "step?: str, step_zh?: str, step_en?: str, open?: bool, closed?: time?",
    "IncidentRow": _INCIDENT,
    "Incident": f"{_INCIDENT}, orders: [Order], reports: [Report], log: [Logged], cases: [any], supplies: [any], unfinished: [Unfinished], verbs: [any]",
    "Unfinished": "kind: str, id: str, number: str, zh: str, en: str",
    "Order": "id: str, number: str, incident: str, task: str, title_zh: str, title_en: str, unit: str, unit_zh: str, unit_en: str, basis: str, basis_en: str, state: str, state_zh: str, state_en: str, "
    "note: str, drill: bool, sent: time, due: time?, read: time?, accepted: time?, ended: time?, late: bool, verbs: [any], version: int",
    "Report": "id: str, number: str, incident: str, kind: str, kind_zh: str, kind_en: str, state: str, state_zh: str, state_en: str, text_zh: str, text_en: str, sent_to: str, made: time, "
    "due: time?, sent: time?, late: bool, drill: bool, version: int, incident_zh?: str, incident_en?: str",
    "Logged": "seq: int, kind: str, number: str, verb: str, verb_zh: str, verb_en: str, about_zh: str, about_en: str, actor: str, actor_name: str, actor_name_zh: str, actor_name_en: str, note: str, reason: str, unit: str, at: time, drill: bool",
    "Review": "number: str, title_zh: str, title_en: str, drill: bool, moments: [Moment], gaps: [any], limits: [any], timeline: [any], sections: any",
    "Moment": "key: str, zh: str, en: str, at: time?",
    "Brief": "date: str, of: str, title: any, figures: [Figure], districts: [any], topics: [any], warnings: [Warning], responses: [Response], incidents: [IncidentRow], signs: [any], todo: any, "
    "instructions: [Instruction], holding: [Held], sections: any, summary: any",
    "Held": "noun: str, id: str, title_zh: str, title_en: str, who: str, from: time, until: time?, over: bool, state_zh: str, state_en: str",
    "Figure": "what: str, zh: str, en: str, value: int, day_before: int, week_before: int, day_change: num?, week_change: num?",
    "Evidence": "sha256: str, content_type: str, size: int, url: str",
    "Story": "started: bool, started_at: time?, phase: str, steps: [StoryStep], rain: any, phone: Phone?, seats: [Seat]",
    "StoryStep": "key: str, zh: str, en: str, at: time?, link: str?",
    "Phone": "case: str?, state: str, photo: str?",
    "Seat": "seat: str, zh: str, en: str, account: str?, taken_by_robot: bool",
    "Proof": "confirmed?: int, recovered?: int, duplicates?: int, pid?: int, started?: time, head: int, lake: int, ledger: LedgerState",
    "LedgerState": "lines: int, hash: str, whole: bool",
    "LedgerLine": "seq: int, at: int, actor: str, action: str, kind: str, subject: str?, detail: str?, prev: str, hash: str",
}
"""Every named shape. More fields may come; those that stand here stay."""

_FIELD = re.compile(r"([a-z_0-9]+)(\??): (.+)")


def schema(words: str) -> Schema:
    """Return the JSON schema of a type; `page of X` is `{items: [X], next}`."""
    if words.startswith("page of "):
        return {
            "type": "object",
            "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": schema(words.removeprefix("page of "))},
                "next": {"description": "what `after` is for the next page; null at the end", "type": ["string", "integer", "null"]},
            },
        }
    if words.endswith("?"):
        held = schema(words[:-1])
        return held | {"type": [held["type"], "null"]} if "type" in held else {"anyOf": [held, {"type": "null"}]} if held else held
    if words.startswith("["):
        return {"type": "array", "items": schema(words[1:-1])}
    if words.startswith("{"):
        return {"type": "object", "additionalProperties": schema(words[1:-1])}
    return dict(_PLAIN[words]) if words in _PLAIN else {"$ref": f"#/components/schemas/{words}"}


def fields(shape: str) -> list[tuple[str, str, bool]]:
    """Return a shape's fields: name, type in words, whether it is always there."""
    found = [_FIELD.fullmatch(part) for part in shape.split(", ")]
    return [(match[1], match[3], not match[2]) for match in found if match is not None]


def components() -> dict[str, Schema]:
    """Return every shape as a named schema."""
    return {
        name: {"type": "object", "required": [n for n, _, always in fields(shape) if always], "properties": {n: schema(words) for n, words, _ in fields(shape)}}
        for name, shape in SHAPES.items()
    }


def answer(gives: str) -> Schema:
    """Return what the specification says of a good answer: a shape, or a media type."""
    if "/" in gives:
        return {"description": "As it is kept or told", "content": {gives: {"schema": {"type": "string"}}}}
    return {"description": "Well", "content": {"application/json": {"schema": schema(gives)}}}


def _bodies_apart(spec: dict[str, Any]) -> dict[str, Any]:
    """Give a body that is named like an answer's shape a name of its own."""
    held = spec.get("components", {}).get("schemas", {})
    for name in SHAPES.keys() & held.keys():
        spec = json.loads(json.dumps(spec).replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{name}Body"'))
        held = spec["components"]["schemas"]
        held[f"{name}Body"] = held.pop(name)
    return spec


def reword(spec: dict[str, Any], rows: list[tuple[str, str, str, int]]) -> dict[str, Any]:
    """Complete a specification: the rows' answers (method, address, shape, status), problems, and no sentence said twice."""
    spec = _bodies_apart(spec)
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= components()
    for method, url, gives, status in rows:
        said = spec["paths"][url][method.lower()]
        told = said.get("description", "").strip()
        said["description"] = told.removeprefix(said["summary"]).strip()
        if not said["description"]:
            del said["description"]
        said["responses"] = {str(status): answer(gives)} | {code: row for code, row in said["responses"].items() if code not in {"200", "202", "422", str(status)}}
        for parameter in said.get("parameters", []):
            if parameter["name"] == "limit":
                parameter["schema"]["minimum"] = 1
    return spec
