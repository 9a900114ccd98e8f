"""The guard: least privilege by role and area, one function for a list and for one thing, and packs kept to their own types."""

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.act import LEAD_ROWS, ROWS, TASK_ROWS
from zhongshu.govern import (
    ACTIONS,
    KINDS,
    PLACELESS,
    ROLES,
    VERBS,
    Catalogue,
    Grading,
    Guard,
    PackPolicy,
    Policy,
    admit,
    check_pack,
    guest,
    unfold,
    visible,
    withheld_types,
)
from zhongshu.govern.guard import merged
from zhongshu.kernel.area import interval, within
from zhongshu.kernel.grade import ANONYMOUS, EVERYWHERE, Principal
from zhongshu.kernel.problem import Problem

CITY, OTHER_CITY = 990100_000_000_000, 980100_000_000_000
DISTRICT, OTHER_DISTRICT = 990101_000_000_000, 990102_000_000_000
STREET, OTHER_STREET = 990101_001_000_000, 990101_002_000_000
AREAS = (CITY, DISTRICT, OTHER_DISTRICT, STREET, OTHER_STREET, STREET + 1_000, STREET + 1_001, OTHER_STREET + 7_003, OTHER_CITY)

PACKS = (
    PackPolicy(
        "pumps",
        """
        @id("guest-writes-pumps") permit(principal in Role::"guest", action == Action::"read", resource == Type::"PumpLog");
        @id("no-valves") forbid(principal in Role::"handler", action == Action::"read", resource == Type::"GasValve");
        @id("acceptor-sees-more") permit(principal in Role::"acceptor", action == Action::"read", resource == Type::"PumpLog");
    """,
        frozenset({"PumpLog"}),
    ),
)


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(Policy())


@pytest.fixture(scope="module")
def packed() -> Guard:
    return Guard(Policy(PACKS))


def someone(*roles: tuple[str, int], unit: str = "", id_: str = "p-1") -> Principal:
    return Principal(id_, "派遣员 甲", roles, "session", unit)


# What each role may do, written out beside the policy: (role, action, kind, verb) → allowed

CENTRE = {"warning", "response", "mode", "incident", "duty", "report", "scenario", "lesson"}
READS = {
    "anonymous": {"health", "city", "session", "table", "follow"},
    "guest": {"area", "entity", "indicator", "vital", "reading", "finding", "lead", "case", "evidence", "story"} | CENTRE - {"duty"},
    "citizen": {"area", "indicator", "vital", "finding", "story", "request", "case", "evidence", "warning", "response"},
    "steward": {"area", "entity", "indicator", "vital", "reading", "finding", "story", "source", "quarantine", "ledger", "running"} | CENTRE,
    "department": {"area", "entity", "indicator", "vital", "reading", "finding", "story", "case", "evidence"} | CENTRE,
    "source_writer": set[str](),
    "admin": set(KINDS),
    "handler": {"area", "entity", "indicator", "vital", "reading", "finding", "story", "case", "evidence"} | CENTRE,
    "collector": {"area", "entity", "indicator", "vital", "reading", "finding", "story", "lead", "case", "request", "evidence"} | CENTRE,
    **{
        role: {"area", "entity", "indicator", "vital", "reading", "finding", "story", "lead", "case", "request", "evidence", "evaluation"}
        | CENTRE
        | ({"running"} if role in {"duty_officer", "leader"} else set())
        for role in ("acceptor", "dispatcher", "duty_officer", "leader", "checker")
    },
}
WRITES = {
    "anonymous": set[str](),
    "guest": set[str](),
    "citizen": {"request", "evidence"},
    "steward": {"source", "quarantine", "table"},
    "source_writer": {"reading", "request"},
    "admin": {"source", "reading", "request", "entity", "table"},
    "dispatcher": {"scenario", "evidence", "case"},
    "handler": {"evidence", "case"},
    "department": {"scenario", "evidence"},
    "checker": {"evidence"},
    "acceptor": {"scenario", "request", "lead", "case", "evidence"},
    "duty_officer": {"scenario", "lead", "case", "evidence", "warning", "response", "mode", "incident"},
    "leader": {"scenario"},
    "collector": {"lead", "case", "request", "evidence"},
}
CHAIN = {"pass_down", "sign_for", "send_back", "take_up"}
HANDLES = {"delivered", "read", "take", "handle", "feedback", "return", "object", "ask", "whistle", "launch", "arrive", "done", "decline"}
CASE_VERBS = {
    "acceptor": {"verify", "file", "void", "close", "place", "acknowledge", "urge", "make_safe", "reopen"},
    "dispatcher": {"dispatch", "recall", "place", "acknowledge", "uphold", "reject", "dispute", "extend", "deny", "urge", "escalate", "make_safe", "launch"} | CHAIN,
    "duty_officer": CHAIN
    | {
        *("verify", "file", "dispatch", "recall", "void", "close", "park", "resume", "place", "acknowledge", "defer", "supplement", "uphold", "reject"),
        *("dispute", "rule", "extend", "deny", "urge", "supervise", "escalate", "make_safe", "reopen", "launch", "exclude", "include"),
    },
    "handler": HANDLES,
    "department": HANDLES | {"assign"},
    "checker": {"check_pass", "check_fail"},
    "collector": {"verify", "check_pass", "check_fail"},
}
LEAD_VERBS = {
    "acceptor": {"confirm", "false_alarm", "duplicate", "place", "unlink", "reopen"},
    "duty_officer": {"confirm", "false_alarm", "duplicate", "place", "unlink", "reopen"},
    "dispatcher": {"false_alarm", "duplicate", "place", "unlink", "reopen"},
}


HOTLINE = {"answer", "transfer", "refuse", "receive", "call_back", "missed"}
REQUEST_VERBS = {"acceptor": HOTLINE, "dispatcher": {"answer", "transfer"}, "duty_officer": HOTLINE, "checker": {"call_back", "missed"}, "citizen": {"solved", "unsolved"}}


COMMANDS = {"log", "order", "link", "party", "place", "unlink", "unparty", "unplace", "report", "send", "close", "cancel"}
RECEIPTS = {"read", "accept", "done", "decline"}
CENTRE_VERBS: dict[str, dict[str, set[str]]] = {
    "response": {"duty_officer": {"change", "end"}, "leader": {"change", "end"}},
    "mode": {"duty_officer": {"end"}, "leader": {"approve", "refuse", "end"}},
    "incident": {"duty_officer": COMMANDS, "leader": {"log", "order", "send"}, "handler": RECEIPTS, "department": RECEIPTS},
    "duty": {"duty_officer": {"hand_over", "sign"}, "leader": {"hand_over", "sign", "instruct"}},
    "lesson": {role: {"begin", "end"} for role in ("acceptor", "dispatcher", "duty_officer", "leader", "department")},
    "scenario": {role: {"run", "choose", "stop"} for role in ("acceptor", "dispatcher", "duty_officer", "leader", "department")},
}


def holder(role: str) -> Principal:
    if role == "anonymous":
        return ANONYMOUS
    return someone(("source_writer:gauges" if role == "source_writer" else role, CITY))


@pytest.mark.parametrize("role", ["anonymous", *ROLES])
def test_each_role_is_permitted_what_the_table_says_and_no_more(guard: Guard, role: str) -> None:
    who = holder(role)
    assert {kind for kind in KINDS if guard.scope(who, "read", kind)} == READS[role] | READS["anonymous"]
    assert {kind for kind in KINDS if guard.scope(who, "write", kind)} == WRITES[role] | {"session", "voice"}
    assert {verb for verb in VERBS["case"] if guard.scope(who, "act", "case", verb=verb)} == CASE_VERBS.get(role, set())
    assert {verb for verb in VERBS["lead"] if guard.scope(who, "act", "lead", verb=verb)} == LEAD_VERBS.get(role, set())
    assert {verb for verb in VERBS["request"] if guard.scope(who, "act", "request", verb=verb)} == REQUEST_VERBS.get(role, set())
    for kind, verbs in CENTRE_VERBS.items():
        assert {verb for verb in VERBS[kind] if guard.scope(who, "act", kind, verb=verb)} == verbs.get(role, set()), kind
    assert bool(guard.scope(who, "act", "finding")) == (role in LEAD_VERBS)
    manages = {"admin": set(KINDS) - {"ledger"}, "steward": {"source", "quarantine"}}.get(role, set())
    assert {kind for kind in KINDS if guard.scope(who, "manage", kind)} == manages


def test_the_guard_permits_the_moves_that_the_table_of_cases_gives_a_role(guard: Guard) -> None:
    for kind, rows in (("case", (*ROWS, *TASK_ROWS)), ("lead", LEAD_ROWS)):
        for verb in VERBS[kind]:
            named = {role for row in rows if row.verb == verb for role in row.roles} & set(ROLES)
            assert set(guard.able("act", kind, verb)) == named, (kind, verb)


def test_unknown_words_permit_nothing(guard: Guard) -> None:
    admin = someone(("admin", CITY))
    assert not guard.scope(admin, "destroy", "case")
    assert not guard.scope(admin, "read", "weather")
    assert not guard.scope(someone(("mayor", CITY)), "read", "case")
    assert not guard.scope(someone(("dispatcher", CITY)), "act", "case", verb="dance")


def test_an_area_s_role_reaches_its_area_and_no_further(guard: Guard) -> None:
    handler = someone(("handler", STREET))
    assert guard.scope(handler, "read", "case").areas == (interval(STREET),)
    assert guard.require(handler, "read", "case", STREET + 1_001)
    for elsewhere in (OTHER_STREET, DISTRICT, CITY, OTHER_CITY):
        with pytest.raises(Problem) as caught:
            guard.require(handler, "read", "case", elsewhere)
        assert caught.value.kind.code == "guard.refused"
    both = someone(("handler", STREET), ("checker", OTHER_STREET))
    assert guard.scope(both, "read", "case").areas == (interval(STREET)[0:1] + interval(OTHER_STREET)[1:],)
    assert guard.scope(both, "act", "case", verb="check_pass").areas == (interval(OTHER_STREET),)
    assert guard.scope(handler, "read", "indicator").areas == EVERYWHERE


def test_one_s_own_means_one_s_unit(guard: Guard) -> None:
    handler = someone(("handler", STREET), unit="urn:zs:Unit:pumps")
    scope = guard.scope(handler, "act", "case", verb="take")
    assert scope.unit == "urn:zs:Unit:pumps"
    assert visible(scope, {"area": f"{STREET:015d}", "holder": "urn:zs:Unit:pumps"})
    assert not visible(scope, {"area": STREET, "holder": "urn:zs:Unit:roads"})
    assert guard.scope(handler, "read", "case").unit == ""
    citizen = someone(("citizen", CITY), id_="p-9")
    assert guard.may(citizen, "read", "request", {"area": STREET, "reporter": "p-9"})
    assert not guard.may(citizen, "read", "request", {"area": STREET, "reporter": "p-8"})


def test_a_source_s_token_writes_to_its_own_source_only(guard: Guard) -> None:
    writer = someone(("source_writer:gauges", CITY), ("source_writer:radar", CITY))
    assert guard.require(writer, "write", "reading", source="gauges")
    assert guard.require(writer, "write", "reading", source="radar")
    assert guard.require(writer, "write", "reading")  # the route opens; the source is asked for by name
    assert guard.require(writer, "read", "quarantine", source="gauges")
    for action, kind, source in (("write", "reading", "video"), ("read", "quarantine", "video"), ("read", "quarantine", ""), ("read", "reading", "gauges")):
        assert not guard.scope(writer, action, kind, source=source)
    assert not guard.scope(someone(("source_writer", CITY)), "write", "reading", source="gauges")
    with pytest.raises(Problem, match=r"guard.other_source") as told:
        guard.require(writer, "write", "reading", source="video")
    assert "belongs to source gauges, radar" in told.value.sentence("en") and "video" in told.value.sentence("zh")
    with pytest.raises(Problem, match=r"guard.refused"):
        guard.require(writer, "manage", "quarantine", source="gauges")


def test_personal_fields_are_hidden_from_a_guest_and_shown_to_those_who_need_them(guard: Guard) -> None:
    row = {"id": "1", "area": STREET, "reporter_name": "模拟人员", "reporter_phone": "x", "title_zh": "积水", "voices": [{"phone": "x", "text": "水深"}]}
    shown = unfold(guard.scope(guest(CITY), "read", "case"), row)
    assert shown == {**row, "reporter_name": None, "reporter_phone": None, "voices": [{"phone": None, "text": "水深"}]}
    assert unfold(guard.scope(someone(("handler", STREET)), "read", "case"), row) == row
    assert unfold(guard.scope(someone(("admin", CITY)), "read", "case"), row)["reporter_phone"] is None
    assert row["reporter_phone"] == "x"


def test_acting_on_a_thing_shows_no_more_of_it_than_reading_it(guard: Guard) -> None:
    for role, kind in product(ROLES, KINDS):
        who = holder(role)
        read = guard.scope(who, "read", kind)
        for action in ("write", "act", "manage"):
            if scope := guard.scope(who, action, kind):
                assert scope.grade <= read.grade
                assert scope.hidden >= guard.catalogue.hidden(kind, read.grade)


def test_the_unsigned_are_asked_to_sign_in_and_the_signed_in_are_told_who_may(guard: Guard) -> None:
    with pytest.raises(Problem) as caught:
        guard.require(ANONYMOUS, "read", "case")
    assert (caught.value.kind.code, caught.value.kind.sort) == ("guard.sign_in", "unsigned")
    assert caught.value.sentence("zh") == "请先登录，再查看案件。"
    with pytest.raises(Problem) as caught:
        guard.require(someone(("citizen", CITY)), "act", "case", verb="dispatch")
    problem = caught.value
    assert (problem.kind.code, problem.kind.sort) == ("guard.refused", "refused")
    assert "市民" in problem.sentence("zh")
    assert problem.sentence() == "Your role (citizen) may not act on cases."
    assert "dispatcher, duty officer" in problem.remedy()
    with pytest.raises(Problem) as caught:
        Guard(Policy(), verbs={"close": ("结案", "Close")}).require(someone(("dispatcher", CITY)), "act", "case", verb="close")
    assert (caught.value.sentence("zh"), caught.value.sentence()) == ("您的角色（派遣员）不能“结案”案件。", "Your role (dispatcher) may not 'Close' cases.")
    with pytest.raises(Problem) as caught:
        guard.require(guest(CITY), "write", "case")
    assert caught.value.kind.code == "guard.sign_in"
    with pytest.raises(Problem) as caught:
        guard.require(someone(("handler", STREET)), "read", "case", OTHER_STREET)
    assert "990101002000000" in caught.value.sentence("zh")


def test_the_ledger_can_be_edited_by_nobody(guard: Guard) -> None:
    everything = someone(*((role, CITY) for role in ROLES))
    assert guard.scope(everything, "read", "ledger")
    assert not any(guard.scope(everything, action, "ledger") for action in ACTIONS if action != "read")


# What may I see, and may I see this

_roles = st.lists(st.tuples(st.sampled_from([*ROLES, "source_writer:gauges", "mayor"]), st.sampled_from(AREAS)), max_size=4).map(tuple)
_row = st.fixed_dictionaries(
    {"area": st.sampled_from(AREAS), "grade": st.integers(1, 4), "type": st.sampled_from(("RainGauge", "PumpLog", "GasValve"))},
    optional={"holder": st.sampled_from(("u-1", "u-2")), "reporter": st.sampled_from(("p-1", "p-2")), "phone": st.just("x")},
)


@settings(max_examples=300, deadline=None)
@given(roles=_roles, unit=st.sampled_from(("", "u-1")), action=st.sampled_from(list(ACTIONS)), kind=st.sampled_from(list(KINDS)), rows=st.lists(_row))
def test_what_may_i_see_and_may_i_see_this_are_one(
    packed: Guard,
    roles: tuple[tuple[str, int], ...],
    unit: str,
    action: str,
    kind: str,
    rows: list[dict[str, Any]],
) -> None:
    who = someone(*roles, unit=unit) if roles else ANONYMOUS
    scope = packed.scope(who, action, kind)
    seen = [row for row in rows if packed.may(who, action, kind, row)]
    assert admit(scope, rows) == [unfold(scope, row) for row in seen]
    in_areas = within(np.array([row["area"] for row in rows], dtype=np.int64), scope.areas)  # as an engine pushes the scope into its query
    for row, held in zip(rows, in_areas, strict=True):
        pushed = held and row["grade"] <= scope.grade and row["type"] not in withheld_types(scope)
        pushed = pushed and (not scope.unit or scope.unit in (row.get("holder"), row.get("reporter")))
        assert (row in seen) == pushed
        try:
            packed.require(who, action, kind, row["area"])
        except Problem:
            assert not held
            assert row not in seen
        else:
            assert held


@settings(max_examples=150, deadline=None)
@given(roles=_roles, extra=_roles, action=st.sampled_from(list(ACTIONS)), kind=st.sampled_from(sorted(set(KINDS) - PLACELESS)))
def test_a_scope_never_reaches_beyond_what_its_roles_give_one_by_one(
    guard: Guard,
    roles: tuple[tuple[str, int], ...],
    extra: tuple[tuple[str, int], ...],
    action: str,
    kind: str,
) -> None:
    held = roles + extra
    scope = guard.scope(someone(*held), action, kind)
    ones = [guard.scope(someone(role), action, kind) for role in held]
    reads = [guard.scope(someone(role), "read", kind) for role in held]
    for area in AREAS:
        if scope.holds(area):
            givers = [one for one in ones if one.holds(area)]
            assert givers
            assert scope.grade <= max(one.grade for one in [*givers, *reads] if one.holds(area))
            assert scope.unit or any(not one.unit for one in givers)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40))))
def test_intervals_are_united(areas: list[tuple[int, int]]) -> None:
    united = merged(areas)
    assert {n for low, high in united for n in range(low, high)} == {n for low, high in areas for n in range(low, high)}
    assert all(a[1] < b[0] for a, b in pairwise(united))


# Packs


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('permit(principal, action, resource == Type::"Pump");', ""),
        ('forbid(principal, action, resource in Kind::"case");', ""),
        ("forbid(principal, action, resource) when { context.grade > 1 };", ""),
        ("permit(principal, action, resource);", "policy.overreach"),
        ('permit(principal, action, resource in Kind::"case");', "policy.overreach"),
        ('permit(principal, action, resource in Type::"Pump");', "policy.overreach"),
        ('permit(principal, action, resource == Type::"Road");', "policy.overreach"),
        ("permit(principal, action, resource is Type);", "policy.overreach"),
        ('permit(principal in Role::"admin", action, resource) when { resource == Type::"Pump" };', "policy.overreach"),
        ("permit(principal, action, resource == ?resource);", "policy.unreadable"),
        ('permit(principal, action == Action::"raed", resource == Type::"Pump");', "policy.unreadable"),
        ('forbid(principal, action, resource == Kind::"kase");', "policy.unreadable"),
        ('forbid(principal, action, resource) when { context.colour == "red" };', "policy.unreadable"),
        ("permit(", "policy.unreadable"),
    ],
)
def test_a_pack_forbids_anything_and_permits_only_on_its_own_types(text: str, code: str) -> None:
    pack = PackPolicy("pumps", text, frozenset({"Pump"}))
    if not code:
        check_pack(pack)
        Policy([pack])
        return
    for check in (lambda: check_pack(pack), lambda: Policy([pack])):
        with pytest.raises(Problem) as caught:
            check()
        assert caught.value.kind.code == code
        assert "pumps" in caught.value.sentence("zh")


def test_a_pack_s_permit_opens_its_own_type_and_its_forbid_closes_another_s(packed: Guard) -> None:
    visitor = guest(CITY)
    assert packed.scope(visitor, "read", "request:PumpLog")
    assert not packed.scope(visitor, "read", "request")
    handler = someone(("handler", STREET))
    assert not packed.scope(handler, "read", "entity:GasValve")
    scope = packed.scope(handler, "read", "entity")
    assert withheld_types(scope) == {"GasValve"}
    gauge, valve = {"area": STREET, "id": "urn:zs:RainGauge:1"}, {"area": STREET, "id": "urn:zs:GasValve:1"}
    assert admit(scope, [gauge, valve]) == [gauge]
    acceptor = someone(("acceptor", CITY))
    assert withheld_types(packed.scope(acceptor, "read", "entity")) == frozenset()
    assert packed.scope(acceptor, "read", "entity:PumpLog").grade == 4


def test_what_is_forbidden_to_one_role_is_forbidden_to_its_holder() -> None:
    pack = PackPolicy("quiet", 'forbid(principal in Role::"checker", action == Action::"act", resource in Kind::"case") when { context.verb == "close" };')
    guard = Guard(Policy([pack]))
    assert guard.scope(someone(("acceptor", CITY)), "act", "case", verb="close")
    assert not guard.scope(someone(("acceptor", CITY), ("checker", STREET)), "act", "case", verb="close")
    unsigned = PackPolicy("closed", 'forbid(principal in Role::"anonymous", action == Action::"read", resource in Kind::"city");')
    guard = Guard(Policy([unsigned]))
    assert not guard.scope(ANONYMOUS, "read", "city")


def test_another_policy_is_in_force_at_once(guard: Guard) -> None:
    own = Guard(Policy())
    who = someone(("dispatcher", CITY))
    assert own.scope(who, "read", "case")
    shut = Policy([PackPolicy("shut", 'forbid(principal, action, resource in Kind::"case");')])
    assert shut.version != own.policy.version
    own.adopt(shut)
    assert not own.scope(who, "read", "case")
    assert guard.policy.version == Policy().version


def test_a_grading_hides_what_lies_above_the_ceiling() -> None:
    catalogue = Catalogue().with_rows([Grading("entity", "key_code", 4, "test"), Grading("entity", "operator", 2, "test")])
    guard = Guard(Policy(), catalogue)
    assert guard.scope(guest(CITY), "read", "entity").hidden == {"key_code", "operator"}
    assert guard.scope(someone(("handler", STREET)), "read", "entity").hidden == {"key_code"}
    assert (catalogue.grade("entity", "key_code"), catalogue.grade("entity", "name_zh")) == (4, 1)
    with pytest.raises(ValueError, match="grade"):
        Catalogue([Grading("entity", "x", 5, "test")])


def test_a_thing_of_a_higher_grade_or_without_a_place_is_not_shown(guard: Guard) -> None:
    scope = guard.scope(guest(CITY), "read", "entity")
    assert visible(scope, {"area": STREET, "grade": 1})
    assert not visible(scope, {"area": STREET, "grade": 2})
    assert not visible(scope, {"area": None})
    assert not visible(scope, {"id": "urn:zs:RainGauge:1"})
