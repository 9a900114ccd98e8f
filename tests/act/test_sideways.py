"""The side ways of a case: returns and rulings, leave asked for and given, pauses, danger first, help from others, lifting, opening again; and who is charged."""

from typing import Any

import pytest
from sqlalchemy import select

from zhongshu.act import Given, do, open_case, record, relay, sweep, task_step
from zhongshu.act.clocks import holdings
from zhongshu.act.given import NewCase
from zhongshu.act.tables import case_file
from zhongshu.kernel.clock import DAY, HOUR, MINUTE
from zhongshu.kernel.grade import EVERYWHERE, Scope

ALL = Scope(EVERYWHERE, 3)
CLASSES = "class,zh,en,check,sample,danger,basis,valid_from\n"
LIMITS = "class,step,condition,amount,mode,calendar,warn,basis,valid_from\n"


def now(city: Any, case: dict[str, Any]) -> dict[str, Any]:
    return city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == case["id"])).mappings().one()))


def sent(city: Any, class_: str = "ponding", **more: Any) -> dict[str, Any]:
    return city.do("dispatcher", city.open(class_, **more), "dispatch", unit="dept-drainage")


# not ours


def test_a_return_that_is_rejected_comes_back_and_its_review_is_charged_to_who_returned_it(city: Any) -> None:
    case = sent(city)
    city.clock.at += 10 * MINUTE
    case = city.do("handler", case, "return", reason="不属本单位")
    city.clock.at += 5 * MINUTE
    case = city.do("dispatcher", case, "reject", reason="属排水职责")
    assert (case["step"], case["mark"], case["unit"], case["holder"], case["rejected"], case["returned"]) == ("handle", "", "dept-drainage", "dept-drainage", 1, 0)
    told = [(each.part, each.holder, each.charged) for each in holdings(city.lines_of(case))]
    assert told == [
        ("dispatch", "dispatcher", "dispatcher"),
        ("sign", "dept-drainage", "dept-drainage"),
        ("review", "dispatcher", "dept-drainage"),
        ("sign", "dept-drainage", "dept-drainage"),
    ]


def test_a_return_that_is_upheld_charges_the_dispatcher(city: Any) -> None:
    case = sent(city)
    city.clock.at += 10 * MINUTE
    case = city.do("handler", case, "take")
    city.clock.at += 20 * MINUTE
    case = city.do("dispatcher", city.do("handler", case, "return", reason="不属本单位"), "uphold")
    parts = {each.part: each for each in holdings(city.lines_of(case))}
    assert (parts["sign"].charged, parts["handle"].charged, parts["review"].charged) == ("dispatcher", "dispatcher", "dispatcher")
    assert (parts["handle"].end or 0) - parts["handle"].start == 20 * MINUTE
    assert city.shown(case)["holdings"][1] | {"from": ""} == {
        "part": "sign",
        "holder": "dept-drainage",
        "charged": "dispatcher",
        "late": False,
        "from": "",
        "to": "2026-07-01T00:10:00Z",
        "due": None,
        "spent_s": 600,
    }


def test_three_returns_are_lifted_to_a_ruling_and_the_ruling_is_there_for_the_next_like_it(city: Any) -> None:
    case = city.open()
    for unit, who in (("dept-drainage", "handler"), ("dept-road", "other_handler"), ("dept-drainage", "handler")):
        case = city.do("dispatcher", city.do(who, city.do("dispatcher", case, "dispatch", unit=unit), "return", reason="不属本单位"), "uphold")
    case = now(city, case)
    assert (case["step"], case["mark"], case["holder"], case["returned"]) == ("dispatch", "disputed", "duty_officer", 3)
    city.refused("case.not_yours", lambda: city.do("dispatcher", case, "rule", unit="dept-road", reason="三定", note="纪要"))
    city.refused("case.missing", lambda: city.do("duty_officer", case, "rule", unit="dept-road", reason="三定"))
    ruled = city.do("duty_officer", case, "rule", unit="dept-road", reason="按三定方案由市政主办", note="2026-07-01 会商：排水、市政、交通到会")
    assert (ruled["step"], ruled["unit"]) == ("handle", "dept-road")
    again = city.open()
    rulings = city.shown(again)["rulings"]
    assert [(one["unit"], one["reason"], one["note"]) for one in rulings] == [("dept-road", "按三定方案由市政主办", "2026-07-01 会商：排水、市政、交通到会")]


def test_an_objection_needs_a_rejection_first(city: Any) -> None:
    case = sent(city)
    city.refused("case.nothing_rejected", lambda: city.do("handler", case, "object", reason="确实不属我单位"))
    case = city.do("dispatcher", city.do("handler", case, "return", reason="不属"), "reject", reason="属")
    assert city.do("handler", case, "object", reason="三定方案第 4 条")["mark"] == "disputed"


def test_a_listed_reason_is_asked_for_where_the_city_lists_reasons(city: Any) -> None:
    city.table(
        "reasons",
        "verb,code,zh,en,basis,valid_from\nreturn,not-ours,不属本单位职责,Not our duty,规则 1,2026-01-01\nreturn,elsewhere,不在辖区,Not in our area,规则 2,2026-01-01\n",
    )
    case = sent(city)
    problem = city.refused("case.reason_not_listed", lambda: city.do("handler", case, "return", reason="不想办"))
    assert "not-ours 不属本单位职责" in problem.remedy("zh")
    case = city.do("handler", case, "return", code="not-ours", reason="是城管的")
    assert city.lines_of(case)[-1]["reason"] == "不属本单位职责：是城管的"


# time


def test_leave_is_asked_for_by_the_holder_and_given_by_another(city: Any) -> None:
    case = city.do("handler", sent(city), "take")
    until = case["due"] + 2 * HOUR
    city.refused("case.nothing_asked", lambda: city.do("dispatcher", case, "deny", reason="不批"))
    city.refused("case.missing", lambda: city.do("handler", case, "ask", reason="等配件", until=until, what="holiday"))
    asked = city.do("handler", case, "ask", reason="等配件", until=until, what="extend")
    assert city.shown(asked)["asked"] == {"what": "extend", "reason": "等配件", "until": "2026-07-01T06:00:00Z"}
    city.refused("case.not_yours", lambda: city.do("handler", asked, "extend", reason="自己批", until=until))
    city.refused("case.no_longer", lambda: city.do("dispatcher", asked, "extend", reason="批", until=case["due"] - HOUR))
    given = city.do("dispatcher", asked, "extend", reason="批准", until=until)
    assert (given["due"], given["warn"], given["extended"], given["asked"]) == (until, case["warn"] + 2 * HOUR, 1, {})
    city.clock.at = until + MINUTE
    city.refused("case.no_longer", lambda: city.do("dispatcher", given, "extend", reason="再批", until=until + DAY))


@pytest.mark.parametrize(("verb", "mark"), [("park", "parked"), ("defer", "deferred"), ("supplement", "waiting")])
def test_a_pause_has_a_reason_an_approver_and_an_end_and_its_reporters_are_told(city: Any, verb: str, mark: str) -> None:
    case = city.do("handler", sent(city), "take")
    city.refused("case.not_yours", lambda: city.do("handler", case, verb, reason="等", until=city.clock.at + HOUR))
    city.clock.at += HOUR
    paused = city.do("duty_officer", case, verb, reason="等居民补材料", until=city.clock.at + 3 * HOUR)
    assert (paused["step"], paused["mark"], paused["held_due"]) == ("handle", mark, None)
    city.clock.at += 4 * HOUR
    assert city.as_("duty_officer", sweep) == 1
    back = now(city, case)
    assert (back["step"], back["mark"], back["due"]) == ("handle", "", case["due"] + 3 * HOUR), "what was left when it began is left when it was to end"
    parked = [row for row in _readings(city) if row["property"] == "Case.parked"]
    assert [row["value"] for row in parked] == ([1, 0] if verb == "park" else [])


def _readings(city: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    relay.run(city.desk, lambda _batch, rows: told.extend(rows))
    return told


def test_every_part_has_a_clock_of_its_own_that_warns_runs_out_and_signs_by_itself(city: Any) -> None:
    city.table("limits", LIMITS + "*,sign,,30m,wall,,10m,办法 1,2026-01-01\n*,handle,,2h,wall,,30m,办法 2,2026-01-01\n*,dispatch,,20m,wall,,5m,办法 3,2026-01-01\n")
    case = city.open()
    assert (case["part"], case["held_due"]) == ("dispatch", city.clock.at + 20 * MINUTE)
    case = city.do("dispatcher", case, "dispatch", unit="dept-drainage")
    assert (case["part"], case["held_due"]) == ("sign", city.clock.at + 30 * MINUTE), "it begins when the task arrives, not when it is signed for"
    city.clock.at += 25 * MINUTE
    assert [city.as_("duty_officer", sweep) for _ in range(2)] == [1, 0], "told once that it is near"
    city.clock.at += 10 * MINUTE
    city.as_("duty_officer", sweep)
    signed = now(city, case)
    assert (signed["mark"], signed["part"], city.lines_of(case)[-1]["actor"]) == ("taken", "handle", "system")
    city.clock.at += 3 * HOUR
    city.as_("duty_officer", sweep)
    over = now(city, case)
    assert (over["tier"], city.verbs_of(case)[-2:]) == (1, ["overdue", "escalate"])
    assert city.as_("duty_officer", sweep) == 0
    assert city.shown(case)["clocks"]["part"] | {"started": "", "due": ""} == {
        "part": "handle",
        "holder": "dept-drainage",
        "started": "",
        "due": "",
        "left_s": -3900,
        "state": "overdue",
        "pause": "",
    }


def test_what_fell_due_while_the_program_was_away_is_done_on_return_at_its_own_time(city: Any) -> None:
    city.table("limits", LIMITS + "*,dispatch,,20m,wall,,,办法 3,2026-01-01\n")
    case = city.open()
    city.clock.at += 30 * DAY
    city.as_("duty_officer", sweep)
    told = {line["verb"]: line["happened"] for line in city.lines_of(case)}
    assert (told["overdue"], told["due"]) == (case["held_due"], case["due"])


# danger first, help from others


def test_a_danger_is_made_safe_at_once_while_it_is_still_being_asked_whose_it_is(city: Any) -> None:
    city.table("classes", CLASSES + "hole,井盖缺失,Manhole cover missing,person,100,1,目录 2.4,2026-01-01\n")
    calm = city.open()
    city.refused("case.no_danger", lambda: city.do("dispatcher", calm, "make_safe", unit="dept-road"))
    assert "make_safe" not in {verb["verb"] for verb in city.shown(calm)["verbs"]}
    case = city.open("hole")
    case = city.do("dispatcher", city.do("dispatcher", case, "dispute", reason="权属不清"), "make_safe", unit="dept-road")
    task = city.shown(case)["tasks"][0]
    assert (case["mark"], task["kind"], task["unit"], task["state"]) == ("disputed", "make_safe", "dept-road", "sent")
    city.refused("task.not_yours", lambda: city.as_("handler", lambda deed: task_step(deed, case["id"], task["id"], "done", Given())))
    city.as_("other_handler", lambda deed: task_step(deed, case["id"], task["id"], "arrive", Given()))
    case = city.do("duty_officer", now(city, case), "rule", unit="dept-drainage", reason="按权属", note="纪要")
    case = city.do("handler", case, "take")
    problem = city.refused("case.tasks_open", lambda: city.do("handler", case, "handle", evidence=(city.pump,)))
    assert "先行处置" in problem.sentence("zh")
    city.refused("case.missing", lambda: city.as_("other_handler", lambda deed: task_step(deed, case["id"], task["id"], "done", Given())))
    city.as_("other_handler", lambda deed: task_step(deed, case["id"], task["id"], "done", Given(evidence=(city.photo,), once="t")))
    city.as_("other_handler", lambda deed: task_step(deed, case["id"], task["id"], "done", Given(evidence=(city.photo,), once="t")))
    city.refused("case.not_now", lambda: city.as_("other_handler", lambda deed: task_step(deed, case["id"], task["id"], "decline", Given(reason="晚了"))))
    assert city.do("handler", case, "handle", evidence=(city.pump,))["step"] == "feedback"


def test_a_street_summons_a_department_which_then_sees_the_case(city: Any) -> None:
    case = city.do("handler", sent(city), "take")
    office = Scope(EVERYWHERE, 3, frozenset(), "dept-road")
    city.refused("case.unknown", lambda: city.desk.read(lambda c: record.get_case(c, office, case["id"], city.people["other_handler"], city.clock.at)))
    case = city.do("handler", case, "whistle", unit="dept-road", reason="要封闭车道")
    seen = city.desk.read(lambda c: record.get_case(c, office, case["id"], city.people["other_handler"], city.clock.at))
    assert [(task["kind"], [verb["verb"] for verb in task["verbs"]]) for task in seen["tasks"]] == [("whistle", ["arrive", "done", "decline"])]
    assert city.news[-1].body["helpers"] == ["dept-road"]
    city.refused("task.called_already", lambda: city.do("handler", case, "whistle", unit="dept-road", reason="还没来"))
    case = city.do("handler", case, "handle", evidence=(city.pump,))
    assert city.do("handler", case, "feedback", evidence=(city.pump,))["step"] == "check", "a summoned helper does not hold the case up"


def test_a_street_does_not_lead_what_is_not_on_its_list(city: Any) -> None:
    street = f"street-{city.street:015d}"
    city.table("duties", f"area,class,list,basis,valid_from\n{city.street:015d},ponding,assist,清单 3,2026-01-01\n{city.street:015d},garbage,basic,清单 1,2026-01-01\n")
    case = city.open()
    problem = city.refused("duty.not_on_street_list", lambda: city.do("dispatcher", case, "dispatch", unit=street))
    assert "排水处" in problem.remedy("zh"), "it names the department that holds it"
    assert city.do("dispatcher", city.open("garbage"), "dispatch", unit=street)["step"] == "handle"
    case = city.do("dispatcher", case, "dispute", reason="部门请街道主办")
    assert city.do("duty_officer", case, "rule", unit=street, reason="一事一议", note="纪要")["unit"] == street, "but by a ruling with minutes"


# checking and the end


def test_sampling_draws_by_the_case_alone_and_nobody_checks_what_was_not_drawn(city: Any) -> None:
    city.table("classes", CLASSES + "light,路灯,Street light,picture,30,0,目录 5.3,2026-01-01\n")
    made = [now(city, city.to_check(city.open("light"))) for _ in range(60)]
    marks, undrawn = [case["mark"] for case in made], [case for case in made if case["mark"] == "passed"]
    assert 5 <= marks.count("") <= 35, "about a third is checked"
    actors = {city.lines_of(case)[-1]["actor"] for case in undrawn}
    assert actors == {"system"}, "what was not drawn is passed by nobody's hand"


def test_handled_on_the_spot_is_counted_apart_and_checked_by_another(city: Any) -> None:
    new = NewCase("self_handle", "garbage", "散落垃圾", "Litter", city.cell, "patrol", evidence=(city.pump, city.photo))
    city.refused("case.missing", lambda: city.as_("collector", lambda deed: open_case(deed, NewCase("self_handle", "garbage", "x", "x", city.cell, "patrol"))))
    case = city.as_("collector", lambda deed: open_case(deed, new))
    assert (case["step"], case["flags"]) == ("check", ["self_handled"])
    city.refused("case.own_work", lambda: city.do("collector", case, "check_pass"))
    city.do("acceptor", city.do("checker", case, "check_pass"), "close")
    names = [row["property"] for row in _readings(city)]
    assert "Case.self_handled" in names
    assert "Case.opened" not in names


def test_three_redoings_lift_a_case(city: Any) -> None:
    case = city.open()
    for _ in range(3):
        case = city.do("checker", city.to_check(case), "check_fail", reason="仍有积水")
    assert (now(city, case)["tier"], city.lines_of(case)[-1]["verb"]) == (1, "escalate")


def test_a_reopened_case_is_not_counted_twice(city: Any) -> None:
    case = city.do("acceptor", city.do("checker", city.to_check(city.open()), "check_pass"), "close")
    again = city.do("acceptor", case, "reopen", reason="来电称又积水")
    assert (again["step"], again["closed"], again["reopened"], again["due"]) == ("dispatch", None, 1, city.clock.at + 4 * HOUR)
    city.do("acceptor", city.do("checker", city.to_check(again), "check_pass"), "close")
    names = [row["property"] for row in _readings(city)]
    assert [names.count(f"Case.{name}") for name in ("opened", "due", "closed", "closed_on_time", "reopened", "dispatched")] == [1, 1, 1, 1, 1, 2]


def test_urging_and_supervising_change_nothing_but_are_seen(city: Any) -> None:
    case = sent(city)
    urged = city.do("acceptor", case, "urge", reason="群众再次来电")
    assert (urged["step"], urged["urged"]) == ("handle", 1)
    watched = city.do("duty_officer", urged, "supervise", reason="市领导批示", until=city.clock.at + DAY)
    assert city.shown(watched)["supervised_until"] == "2026-07-02T00:00:00Z"


def test_taking_back_restores_every_clock_to_the_microsecond(city: Any) -> None:
    city.table("limits", LIMITS + "*,sign,,30m,wall,,10m,办法 1,2026-01-01\n*,dispatch,,20m,wall,,5m,办法 3,2026-01-01\n")
    before = city.open()
    city.clock.at += 7_654_321
    city.do("dispatcher", before, "dispatch", unit="dept-drainage")
    city.clock.at += 3_210_987
    back = city.as_("dispatcher", lambda deed: do(deed, before["id"], "undo", Given()))
    told = ("step", "mark", "unit", "holder", "part", "held_since", "held_due", "held_warn", "held_told", "due", "warn", "paused")
    assert {name: back[name] for name in told} == {name: before[name] for name in told}
    assert [(each.part, each.end) for each in holdings(city.lines_of(before))] == [("dispatch", None)], "as if it had never been sent"


# bounds


def test_what_is_returned_again_and_again_is_lifted_though_each_return_is_rejected(city: Any) -> None:
    case = sent(city)
    for _ in range(3):
        case = city.do("handler", case, "return", reason="不属本单位")
        case = city.do("dispatcher", case, "reject", reason="属排水职责")
    assert (case["tier"], case["rejected"]) == (1, 3)
    assert city.lines_of(case)[-1]["verb"] == "escalate"


def test_one_extension_is_no_longer_than_the_city_s_figure(city: Any) -> None:
    case = city.do("handler", sent(city), "take")
    city.refused("case.too_long", lambda: city.do("dispatcher", case, "extend", reason="等材料", until=case["due"] + 31 * DAY))
    city.table("figures", "code,value,basis,valid_from\nextend_days,60,办法,2026-01-01\n")
    assert city.do("dispatcher", case, "extend", reason="等材料", until=case["due"] + 31 * DAY)["due"] == case["due"] + 31 * DAY


def test_what_nobody_has_named_is_not_sent(city: Any) -> None:
    case = city.open("")
    city.refused("case.missing", lambda: city.do("dispatcher", case, "dispatch", unit="dept-drainage"))
    case = city.do("dispatcher", case, "dispatch", unit="dept-drainage", class_="ponding")
    assert case["due"] is not None


@pytest.mark.parametrize("verb", ["whistle", "make_safe", "dispatch", "rule"])
def test_a_unit_that_nobody_knows_is_refused_with_those_there_are(city: Any, verb: str) -> None:
    who = {"whistle": "handler", "rule": "duty_officer"}.get(verb, "dispatcher")
    case = city.open()
    if verb == "whistle":
        case = city.do("handler", city.do("dispatcher", case, "dispatch", unit="dept-drainage"), "take")
    if verb == "make_safe":
        city.table("classes", CLASSES + "hole,井盖缺失,Manhole cover missing,person,100,1,目录 2.4,2026-01-01\n")
        case = city.open("hole")
    if verb == "rule":
        case = city.do("dispatcher", case, "dispute", reason="权属不清")
    more = {"reason": "要封闭车道", "note": "会商纪要"}
    for unit in ("dept-nope", "street-nope", "street-990101000000000", "street-110101001000000", "street-٩٩٠١٠١٠٠١٠٠٠٠٠٠"):
        told = city.refused("unit.unknown", lambda unit=unit: city.do(who, case, verb, unit=unit, **more))
        assert "dept-drainage 排水处" in told.remedy("zh") and "dept-drainage Drainage office" in told.remedy("en")
    if verb == "whistle":
        assert city.refused("unit.own", lambda: city.do(who, case, verb, unit="dept-drainage", **more)).sentence("zh").startswith("排水处")
    done = city.do(who, case, verb, unit=f"street-{city.street:015d}", **more)
    assert f"street-{city.street:015d}" in {done["unit"], *done["helpers"]}
