"""The office: time is taken when a deed is run, news goes out only after the commit, and a deaf listener costs no one their deed."""

from typing import Any

import pytest
from sqlalchemy import func, select

from zhongshu.act import Given, NewCase, Office, do, nobody, open_case
from zhongshu.act.tables import case_file
from zhongshu.kernel.bus import News
from zhongshu.kernel.problem import Problem

NEW = NewCase("confirm", "ponding", "积水", "Ponding", 990101001001001, "patrol")


class Board:
    """Keeps the news, and what a reader would have found in the store when it came."""

    def __init__(self, city: Any) -> None:
        self.city, self.heard, self.deaf = city, [], False

    def publish(self, news: News) -> None:
        if self.deaf:
            raise RuntimeError
        stored = self.city.desk.read(lambda c: c.execute(select(func.count()).select_from(case_file)).scalar_one())
        self.heard.append((news.kind, news.body["verb"], stored))

    def subscribe(self, listener: Any) -> Any:
        raise NotImplementedError


def test_news_goes_out_after_the_commit_and_not_for_what_was_undone(city: Any) -> None:
    board = Board(city)
    office = Office(city.desk, board, city.clock, city.zone, lambda _: nobody)
    case = office.write(city.people["acceptor"], lambda deed: open_case(deed, NEW))
    assert board.heard == [("case", "confirm", 1)]
    with pytest.raises(Problem, match=r"case\.missing"):
        office.write(city.people["dispatcher"], lambda deed: do(deed, case["id"], "dispatch", Given(version=1)))
    assert len(board.heard) == 1

    def two_then_break(deed: Any) -> None:
        open_case(deed, NEW)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        office.write(city.people["acceptor"], two_then_break)
    assert len(board.heard) == 1
    assert office.read(lambda c: c.execute(select(func.count()).select_from(case_file)).scalar_one()) == 1


def test_a_deaf_listener_costs_no_deed(city: Any) -> None:
    board = Board(city)
    board.deaf = True
    office = Office(city.desk, board, city.clock, city.zone, lambda _: nobody)
    future = office.submit(city.people["acceptor"], lambda deed: open_case(deed, NEW))
    assert not future.cancel(), "a deed under way cannot be cancelled"
    assert future.result(5)["number"].endswith("0001")


def test_the_witness_is_the_actors_own_and_can_refuse(city: Any) -> None:
    seen: list[tuple[str, str, str]] = []

    def witness_for(actor: Any) -> Any:
        def witness(connection: Any, action: str, subject: str, detail: dict[str, Any]) -> None:
            assert connection.in_transaction()
            assert set(detail) <= {"seq", "id", "version", "at", "from", "to", "area", "unit"}
            if action == "case.dispatch":
                raise PermissionError
            seen.append((actor.id, action, subject))

        return witness

    office = Office(city.desk, Board(city), city.clock, city.zone, witness_for)
    case = office.write(city.people["acceptor"], lambda deed: open_case(deed, NEW))
    assert seen == [("acceptor-1", "case.confirm", case["number"])]
    with pytest.raises(PermissionError):
        office.write(city.people["dispatcher"], lambda deed: do(deed, case["id"], "dispatch", Given(unit="dept-drainage")))
    assert office.read(lambda c: c.execute(select(case_file.c.step)).scalar_one()) == "dispatch", "no line in the ledger, no step"
