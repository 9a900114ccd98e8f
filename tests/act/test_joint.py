"""Joint handling: a playbook inside the handling of a case gives other units their tasks, waits for all of them, keeps its version, and survives anything."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from zhongshu.act import Given, deploy_playbook, load, refusals, sweep, task_step
from zhongshu.act import case as cases
from zhongshu.act.tables import case_file, case_task, playbook_run
from zhongshu.act.tasks import cancel
from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.kernel.grade import EVERYWHERE, Scope

BOOKS = Path(__file__).parents[2] / "src" / "zhongshu" / "packs" / "incidents" / "playbooks"
ALL = Scope(EVERYWHERE, 3)


def deploy(city: Any, name: str) -> None:
    city.as_("duty_officer", lambda deed: deploy_playbook(deed, name, (BOOKS / f"{name}.bpmn").read_bytes()))


def taken(city: Any, name: str = "flooding", **facts: Any) -> dict[str, Any]:
    deploy(city, name)
    rows = f"class,zh,en,check,playbook,basis,valid_from\nflood,内涝,Flooding,person,{name},预案 1,2026-01-01\n"
    city.table("classes", rows)
    return city.do("handler", city.do("dispatcher", city.open("flood", **facts), "dispatch", unit="dept-drainage"), "take")


def open_tasks(city: Any, case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = city.desk.read(
        lambda c: c.execute(select(case_task).where(case_task.c.case_id == case["id"], case_task.c.state.in_(("sent", "arrived"))).order_by(case_task.c.made)).mappings().all()
    )
    return {row["title_en"]: dict(row) for row in rows}


def now(city: Any, case: dict[str, Any]) -> dict[str, Any]:
    return city.desk.read(lambda c: dict(c.execute(select(case_file).where(case_file.c.id == case["id"])).mappings().one()))


def act(city: Any, case: dict[str, Any], task: dict[str, Any], verb: str = "done", **given: Any) -> Any:
    who = city.person("department", unit=task["unit"], tail=task["unit"])
    answers = {one["name"]: one["options"][0]["value"] for one in task["choices"]} | given.pop("choices", {})
    return city.as_(who, lambda deed: task_step(deed, case["id"], task["id"], verb, Given(note="已办", evidence=(city.pump,), choices=answers, **given)))


def finish(city: Any, case: dict[str, Any], most: int = 30) -> list[str]:
    done = []
    while (waiting := open_tasks(city, case)) and len(done) < most:
        title = sorted(waiting)[len(done) % len(waiting)]
        act(city, case, waiting[title])
        done.append(title)
        city.clock.at += MINUTE
    return done


@pytest.mark.parametrize("name", sorted(path.stem for path in BOOKS.glob("*.bpmn")))
def test_each_playbook_runs_in_a_case_across_departments_to_one_closing_check(city: Any, name: str) -> None:
    case = taken(city, name, level="red")
    assert now(city, case)["helpers"], "others were called"
    units = set()
    for _ in range(40):
        waiting = open_tasks(city, case)
        if not waiting:
            break
        units |= {task["unit"] for task in waiting.values()}
        city.refused("case.tasks_open", lambda: city.do("handler", now(city, case), "handle", evidence=(city.pump,)))
        act(city, case, waiting[sorted(waiting)[0]])
        city.clock.at += 3 * HOUR
        city.as_("duty_officer", sweep)
    case = city.do("handler", now(city, case), "handle", evidence=(city.pump,))
    case = city.do("handler", case, "feedback", evidence=(city.pump,))
    assert (case["step"], case["mark"]) == ("check", "")
    assert len(units) >= 3, "several parties"
    shown = city.shown(case)
    assert shown["playbook"]["ended"]
    assert set(shown["playbook"]["picture"].values()) == {"done"} or "done" in shown["playbook"]["picture"].values()


def test_what_a_unit_declines_falls_to_the_holder_and_can_be_passed_on_no_further(city: Any) -> None:
    case = taken(city, level="red")
    act(city, case, next(iter(open_tasks(city, case).values())))
    pump = next(task for task in open_tasks(city, case).values() if task["unit"] not in {"dept-drainage"})
    city.refused("case.missing", lambda: city.as_(city.person("department", unit=pump["unit"]), lambda deed: task_step(deed, case["id"], pump["id"], "decline", Given())))
    act(city, case, pump, "decline", reason="人手不足")
    again = next(task for task in open_tasks(city, case).values() if task["key"] == pump["key"])
    assert (again["unit"], again["title_zh"]) == ("dept-drainage", pump["title_zh"])
    city.refused("task.last_hand", lambda: act(city, case, again, "decline", reason="也不行"))
    act(city, case, again)
    assert pump["key"] not in {task["key"] for task in open_tasks(city, case).values()}, "done by the holder, it has moved the playbook on"


def test_an_answer_that_is_none_moves_nothing(city: Any) -> None:
    case = taken(city, level="red")
    look = next(task for task in open_tasks(city, case).values() if task["choices"])
    name = look["choices"][0]["name"]
    city.refused("case.missing", lambda: act(city, case, look, choices={name: "perhaps"}))
    assert look["id"] in {task["id"] for task in open_tasks(city, case).values()}


def test_a_case_finishes_on_the_version_it_began_with(city: Any) -> None:
    case = taken(city, level="red")
    version = city.desk.read(lambda c: c.execute(select(playbook_run.c.version)).scalar_one())
    city.clock.at += MINUTE
    changed = (BOOKS / "flooding.bpmn").read_text("utf-8").replace("到场看水", "到场查看水情")
    city.as_("duty_officer", lambda deed: deploy_playbook(deed, "flooding 2", changed.encode()))
    finish(city, case)
    row = city.desk.read(lambda c: c.execute(select(playbook_run.c.version, playbook_run.c.ended).where(playbook_run.c.case_id == case["id"])).one())
    assert (row.version, row.ended is not None) == (version, True)
    city.clock.at += HOUR
    second = city.do("handler", city.do("dispatcher", city.open("flood", level="red"), "dispatch", unit="dept-drainage"), "take")
    assert city.desk.read(lambda c: c.execute(select(playbook_run.c.version).where(playbook_run.c.case_id == second["id"])).scalar_one()) != version


def test_a_playbook_is_begun_by_hand_once_and_only_if_there_is_one(city: Any) -> None:
    deploy(city, "flooding")
    case = city.do("handler", city.do("dispatcher", city.open(), "dispatch", unit="dept-drainage"), "take")
    assert open_tasks(city, case) == {}, "a simple class has no playbook"
    city.refused("playbook.unknown", lambda: city.do("handler", case, "launch", what="picnic"))
    case = city.do("dispatcher", case, "launch", what="flooding")
    assert open_tasks(city, case)
    city.refused("playbook.runs_already", lambda: city.do("handler", case, "launch", what="flooding"))


def test_a_class_whose_playbook_is_not_there_is_handled_simply(city: Any) -> None:
    head = "class,zh,en,unit,helpers,limit_minutes,check,normal_minutes,danger,basis,valid_from,playbook"
    pack = f"{head}\nflood,内涝,Flooding,dept-drainage,,,person,,0,预案 1,2026-01-01,not-there\n"
    city.as_("duty_officer", lambda deed: load(deed, "another", pack))
    case = city.do("handler", city.do("dispatcher", city.open("flood"), "dispatch", unit="dept-drainage"), "take")
    assert (case["mark"], open_tasks(city, case)) == ("taken", {})


def test_a_timer_fires_at_its_time_although_the_program_was_away(city: Any) -> None:
    case = taken(city, level="red")
    look = next(task for task in open_tasks(city, case).values() if task["choices"])
    act(city, case, look)
    due = city.desk.read(lambda c: c.execute(select(playbook_run.c.due)).scalar_one())
    assert due is not None
    before = set(open_tasks(city, case))
    city.clock.at = due + 5 * HOUR
    city.as_("duty_officer", sweep)
    assert set(open_tasks(city, case)) - before, "what the timer calls for was given out"
    assert city.desk.read(lambda c: c.execute(select(playbook_run.c.due)).scalar_one()) != due


def test_a_case_that_comes_to_another_unit_goes_on_with_its_playbook(city: Any) -> None:
    case = taken(city, level="red")
    for task in open_tasks(city, case).values():
        act(city, case, task)
    given = {task["key"]: task for task in open_tasks(city, case).values()}
    mine = next(task for task in given.values() if task["unit"] != "dept-drainage")
    act(city, case, mine, "decline", reason="人手不足")
    stood_in = next(task for task in open_tasks(city, case).values() if task["key"] == mine["key"])
    assert stood_in["unit"] == "dept-drainage"
    case = city.do("handler", now(city, case), "return", reason="不属本单位职责")
    case = city.do("dispatcher", city.do("dispatcher", case, "uphold"), "dispatch", unit="dept-road")
    case = city.do("other_handler", case, "take")
    waiting = {task["key"]: task for task in open_tasks(city, case).values()}
    assert waiting.keys() == given.keys(), "no task was lost, none was given twice"
    assert waiting[mine["key"]]["unit"] == "dept-road", "what fell to the holder goes with the case"
    finish(city, case)
    assert city.do("other_handler", now(city, case), "handle", evidence=(city.pump,))["step"] == "feedback"


def test_a_recalled_case_s_tasks_are_given_out_again_with_the_next_dispatch(city: Any) -> None:
    case = taken(city, level="red")
    given = open_tasks(city, case)
    city.as_("duty_officer", lambda deed: cancel(deed, case["id"]))  # as a recall does
    assert not open_tasks(city, case)
    case = city.do("handler", now(city, case), "return", reason="不属本单位职责")
    case = city.do("handler", city.do("dispatcher", city.do("dispatcher", case, "uphold"), "dispatch", unit="dept-drainage"), "take")
    assert open_tasks(city, case).keys() == given.keys()


def test_a_case_that_time_cannot_move_keeps_no_other_from_it(city: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (city.do("dispatcher", city.open("ponding"), "dispatch", unit="dept-drainage") for _ in range(2))
    city.table("limits", "class,step,amount,mode,basis,valid_from\n*,sign,30m,wall,办法,2026-01-01\n")
    third, fourth = (city.do("dispatcher", city.open("ponding"), "dispatch", unit="dept-drainage") for _ in range(2))
    known = cases.do

    def stuck(deed: Any, case_id: str, verb: str, given: Given) -> Any:
        done = known(deed, case_id, verb, given)
        if case_id == third["id"]:
            raise refusals.NOTHING_ASKED()
        return done

    monkeypatch.setattr(cases, "do", stuck)
    city.clock.at += HOUR
    city.news.clear()
    assert city.as_("duty_officer", sweep) >= 1
    assert (now(city, third)["mark"], now(city, fourth)["mark"]) == ("", "taken")
    assert {news.body["id"] for news in city.news} == {fourth["id"]}, "what was undone is not told"
    assert (now(city, first)["mark"], now(city, second)["mark"]) == ("", "")
    monkeypatch.setattr(cases, "do", known)
    assert city.as_("duty_officer", sweep) == 1
    assert now(city, third)["mark"] == "taken"


def test_a_run_that_goes_on_with_another_holder_was_begun_once(city: Any) -> None:
    case = taken(city)
    case = city.do("handler", now(city, case), "return", reason="不属本单位")
    case = city.do("dispatcher", city.do("dispatcher", case, "uphold"), "dispatch", unit="dept-road")
    city.news.clear()
    case = city.do("other_handler", case, "take")
    assert [line["verb"] for line in city.lines_of(case)].count("launch") == 1
    assert city.lines_of(case)[-1]["verb"] == "take"
    assert [one.body["verb"] for one in city.news if one.kind == "case"] == ["take", "take"]
