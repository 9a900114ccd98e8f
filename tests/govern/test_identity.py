"""Identity: signing in, sessions, tokens, roles in time, and that no secret is ever told."""

import json
import logging
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher

from zhongshu.govern import DemoAccount, Grant, Identity, Ledger, Party, lines, verify
from zhongshu.govern.attempts import Attempts, network
from zhongshu.govern.identity import SESSION_LIFE
from zhongshu.kernel.clock import HOUR, MINUTE, SECOND, FrozenClock
from zhongshu.kernel.grade import ANONYMOUS
from zhongshu.kernel.problem import Problem

CITY, DISTRICT, STREET = 990100_000_000_000, 990101_000_000_000, 990101_001_000_000
PASSWORD = "correct horse battery"
HOME = "127.0.0.1"
ROWS = (
    DemoAccount("paiqian", "派遣员 甲", "Dispatcher A", "dispatcher", DISTRICT, "urn:zs:Unit:centre"),
    DemoAccount("chuzhi", "处置员 甲", "Handler A", "handler", STREET, "urn:zs:Unit:drainage"),
    DemoAccount("chuzhi", "处置员 甲", "Handler A", "handler", STREET + 1_000_000, "urn:zs:Unit:drainage"),
)


def officer(account: str = "zhiban") -> Party:
    return Party(account, "值班长 甲", "Duty officer A", (Grant("duty_officer", CITY),), "urn:zs:Unit:centre")


def code_of(problem: pytest.ExceptionInfo[Problem]) -> str:
    return problem.value.kind.code


def test_a_party_signs_in_and_is_known_by_its_session(identity: Identity) -> None:
    id_ = identity.add_party(officer("ZhiBan "), actor="system", password=PASSWORD)
    signed = identity.sign_in(" zhiban", PASSWORD, HOME)
    assert signed.principal == identity.principal_of(signed.token)
    assert signed.principal.id == id_
    assert signed.principal.roles == (("duty_officer", CITY),)
    assert (signed.principal.means, signed.principal.unit) == ("session", "urn:zs:Unit:centre")
    assert len(signed.token) >= 43
    assert identity.principal_of() == ANONYMOUS
    assert identity.principal_of("no such session") == ANONYMOUS
    profile = identity.profile(signed.principal)
    assert (profile["account"], profile["name_en"], profile["roles"]) == ("zhiban", "Duty officer A", [{"role": "duty_officer", "area": CITY}])


@pytest.mark.parametrize(
    ("account", "password"),
    [
        ("zhiban", "wrong password"),
        ("zhiban", ""),
        ("nobody", PASSWORD),
        ("", ""),
        ("shut-out", PASSWORD),
        ("without-password", PASSWORD),
        ("\ud800", PASSWORD),
        ("zhiban", "\ud800"),
        ("zhiban", PASSWORD + "x" * 5000),
        ("a" * 9000, PASSWORD),
        ("'; DROP TABLE party; --", PASSWORD),
    ],
)
def test_whatever_is_wrong_the_refusal_is_the_same(identity: Identity, account: str, password: str) -> None:
    identity.add_party(officer(), actor="system", password=PASSWORD)
    identity.add_party(officer("without-password"), actor="system")
    shut = identity.add_party(officer("shut-out"), actor="system", password=PASSWORD)
    identity.set_active(shut, active=False, actor="system")
    with pytest.raises(Problem) as caught:
        identity.sign_in(account, password, HOME)
    assert (code_of(caught), caught.value.kind.sort, caught.value.particulars) == ("session.refused", "unsigned", {})


def test_an_unknown_account_is_hashed_as_a_known_one(desk: Any, ledger: Ledger, clock: FrozenClock, hasher: PasswordHasher) -> None:
    asked: list[str] = []

    class Counting(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 (the library's name)
            asked.append(str(hash)[:30])
            return hasher.verify(hash, password)

    counting = Counting(time_cost=1, memory_cost=8, parallelism=1)
    identity = Identity(desk, ledger, loopback=True, clock=clock, hasher=counting)
    identity.add_party(officer(), actor="system", password=PASSWORD)
    for account in ("zhiban", "nobody", "\ud800"):
        with pytest.raises(Problem):
            identity.sign_in(account, "wrong", HOME)
    assert len(asked) == 3
    assert len({text.rpartition("$")[0] for text in asked}) == 1


def test_guessing_is_slowed_for_the_account_and_for_the_address(identity: Identity, clock: FrozenClock) -> None:
    identity.add_party(officer(), actor="system", password=PASSWORD)
    for n in range(5):
        with pytest.raises(Problem) as caught:
            identity.sign_in("zhiban", f"guess {n}", f"10.0.0.{n}")
        assert code_of(caught) == "session.refused"
    with pytest.raises(Problem) as caught:  # even the right password, from anywhere
        identity.sign_in("zhiban", PASSWORD, "10.9.9.9")
    assert (code_of(caught), caught.value.particulars) == ("session.too_many", {"seconds": 1})
    clock.at += SECOND
    assert identity.sign_in("zhiban", PASSWORD, "10.9.9.9").principal.name == "值班长 甲"
    for n in range(30):
        with pytest.raises(Problem) as caught:
            identity.sign_in(f"other-{n}", "guess", "10.1.1.1")
        assert code_of(caught) == "session.refused"
    with pytest.raises(Problem) as caught:
        identity.sign_in("other-99", "guess", "10.1.1.1")
    assert code_of(caught) == "session.too_many"


def test_the_wait_doubles_to_a_limit_is_forgotten_and_memory_is_bounded() -> None:
    attempts = Attempts(free=2, longest=5 * MINUTE, capacity=50)
    now, waits = 0, []
    attempts.charge("a", now)
    attempts.charge("a", now)
    for _ in range(12):
        with pytest.raises(Problem) as caught:
            attempts.charge("a", now)
        waits.append(wait := int(str(caught.value.particulars["seconds"])))
        now += wait * SECOND
        attempts.charge("a", now)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    now += HOUR + 1
    attempts.charge("a", now)
    attempts.charge("a", now)
    for n in range(1000):
        attempts.charge(f"key {n}", now)
    assert len(attempts) == 50


def test_many_guesses_at_once_gain_nothing() -> None:
    attempts, let = Attempts(free=5), []

    def guess() -> None:
        try:
            attempts.charge("a", 0)
        except Problem:
            return
        let.append(1)

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(let) == 5


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
        ("x" * 500, "x" * 64),
    ],
)
def test_an_address_is_counted_by_its_network(address: str, counted: str) -> None:
    assert network(address) == counted


def test_a_session_ends_by_time_by_signing_out_and_by_rotation(identity: Identity, clock: FrozenClock) -> None:
    identity.add_party(officer(), actor="system", password=PASSWORD)
    first = identity.sign_in("zhiban", PASSWORD, HOME)
    second = identity.rotate(first.token)
    assert second.token != first.token
    assert identity.principal_of(first.token) == ANONYMOUS
    assert identity.principal_of(second.token) == first.principal
    with pytest.raises(Problem) as caught:
        identity.rotate(first.token)
    assert code_of(caught) == "session.refused"
    identity.sign_out(second.token)
    identity.sign_out(second.token)
    assert identity.principal_of(second.token) == ANONYMOUS
    third = identity.sign_in("zhiban", PASSWORD, HOME)
    clock.at += SESSION_LIFE - 1
    assert identity.principal_of(third.token) == third.principal
    clock.at += 1
    assert identity.principal_of(third.token) == ANONYMOUS


def test_a_new_password_ends_every_session(identity: Identity) -> None:
    id_ = identity.add_party(officer(), actor="system", password=PASSWORD)
    signed = identity.sign_in("zhiban", PASSWORD, HOME)
    assert identity.principal_of(signed.token) != ANONYMOUS
    identity.set_password(id_, "another good one", actor="system")
    assert identity.principal_of(signed.token) == ANONYMOUS
    with pytest.raises(Problem):
        identity.sign_in("zhiban", PASSWORD, HOME)
    assert identity.sign_in("zhiban", "another good one", HOME)


def test_roles_are_in_force_in_their_time_and_change_at_once(identity: Identity, clock: FrozenClock) -> None:
    now = clock.at
    grants = (Grant("handler", STREET, 0, now + 10 * SECOND), Grant("checker", STREET, now + 20 * SECOND))
    id_ = identity.add_party(Party("chuzhi", "处置员 甲", "Handler A", grants), actor="system", password=PASSWORD)
    token = identity.sign_in("chuzhi", PASSWORD, HOME).token
    for after, roles in ((0, {"handler"}), (9 * SECOND, {"handler"}), (10 * SECOND, set()), (19 * SECOND, set()), (20 * SECOND, {"checker"})):
        clock.at = now + after
        assert identity.principal_of(token).role_names == roles
    clock.at += SECOND
    identity.set_roles(id_, [Grant("collector", STREET)], actor="system")
    assert identity.principal_of(token).role_names == {"collector"}
    kept = next(row for row in identity.parties() if row["id"] == id_)["grants"]
    assert {(row["role"], row["valid_to"]) for row in kept} == {("handler", now + 10 * SECOND), ("checker", clock.at), ("collector", None)}
    identity.set_active(id_, active=False, actor="system")
    assert identity.principal_of(token) == ANONYMOUS


@pytest.mark.parametrize(
    ("grant", "code"),
    [
        (Grant("mayor", CITY), "identity.unknown_role"),
        (Grant("source_writer", CITY), "identity.unknown_role"),
        (Grant("handler:gauges", STREET), "identity.unknown_role"),
        (Grant("handler", CITY), "identity.bad_area"),
        (Grant("department", STREET), "identity.bad_area"),
        (Grant("collector", DISTRICT), "identity.bad_area"),
        (Grant("dispatcher", STREET), "identity.bad_area"),
        (Grant("admin", DISTRICT), "identity.bad_area"),
    ],
)
def test_a_role_is_given_for_its_levels_of_area(identity: Identity, grant: Grant, code: str) -> None:
    with pytest.raises(Problem) as caught:
        identity.add_party(Party("someone", "模拟人员", "Simulated person", (grant,)), actor="system")
    assert code_of(caught) == code
    assert identity.parties() == []


def test_accounts_are_well_formed_single_and_their_passwords_long_enough(identity: Identity) -> None:
    identity.add_party(officer(), actor="system")
    for account, password, code in (
        ("zhiban", PASSWORD, "identity.account_taken"),
        ("ZHIBAN", PASSWORD, "identity.account_taken"),
        ("值班", PASSWORD, "identity.bad_account"),
        ("a b", PASSWORD, "identity.bad_account"),
        ("fine", "short", "identity.weak_password"),
        ("fine", "x" * 300, "identity.weak_password"),
    ):
        with pytest.raises(Problem) as caught:
            identity.add_party(officer(account), actor="system", password=password)
        assert code_of(caught) == code
    changes: list[Callable[[], object]] = [
        lambda: identity.set_password("no-such", PASSWORD, actor="system"),
        lambda: identity.set_roles("no-such", [], actor="system"),
        lambda: identity.set_active("no-such", active=False, actor="system"),
        lambda: identity.issue_token("no-such", "t", actor="system"),
    ]
    for change in changes:
        with pytest.raises(Problem) as caught:
            change()
        assert code_of(caught) == "identity.unknown"


def test_a_renewed_token_ends_those_of_its_name_alone(identity: Identity) -> None:
    id_ = identity.add_party(Party("gauges", "雨量计", "Gauges", (Grant("source_writer:gauges", CITY),), kind="service"), actor="system")
    other = identity.issue_token(id_, "gateway", actor="system")[1]
    first = identity.renew_token(id_, "owner", actor="system")
    assert identity.principal_of(bearer=first).id == id_
    second = identity.renew_token(id_, "owner", actor="system")
    with pytest.raises(Problem):
        identity.principal_of(bearer=first)
    assert identity.principal_of(bearer=second) == identity.principal_of(bearer=other)


def test_a_token_works_until_it_is_revoked(identity: Identity) -> None:
    id_ = identity.add_party(Party("gauges", "雨量计", "Gauges", (Grant("source_writer:gauges", CITY),), kind="service"), actor="system")
    token_id, token = identity.issue_token(id_, "gateway", actor="system")
    assert token.startswith("zht_")
    who = identity.principal_of(bearer=token)
    assert (who.id, who.means, who.roles) == (id_, "token", (("source_writer:gauges", CITY),))
    assert identity.principal_of("a cookie too", token) == who
    identity.revoke_token(token_id, actor="system")
    for bad in (token, "zht_nothing", "nothing", token[:-1]):
        with pytest.raises(Problem) as caught:
            identity.principal_of(bearer=bad)
        assert (code_of(caught), caught.value.kind.sort) == ("session.bad_token", "unsigned")


def test_demo_accounts_are_shown_and_let_in_on_the_machine_itself_only(desk: Any, ledger: Ledger, clock: FrozenClock, hasher: PasswordHasher) -> None:
    def made(*, loopback: bool) -> Identity:
        return Identity(desk, ledger, loopback=loopback, clock=clock, demo_password="yunting-demo", hasher=hasher)

    home, open_ = made(loopback=True), made(loopback=False)
    home.add_demo(ROWS)
    home.add_demo(ROWS)  # a second start changes nothing
    assert [(row["account"], row["role"], row["area"], row["password"]) for row in home.demo_accounts()] == [
        ("chuzhi", "handler", STREET, "yunting-demo"),
        ("chuzhi", "handler", STREET + 1_000_000, "yunting-demo"),
        ("paiqian", "dispatcher", DISTRICT, "yunting-demo"),
    ]
    signed, seated = home.sign_in("paiqian", "yunting-demo", HOME), home.take_seat("chuzhi")
    assert [who.principal.role_names for who in (signed, seated)] == [{"dispatcher"}, {"handler"}]
    _, token = home.issue_token(signed.principal.id, "t", actor="system")
    assert open_.demo_accounts() == []
    attempts: list[Callable[[], object]] = [lambda: open_.sign_in("paiqian", "yunting-demo", HOME), lambda: open_.take_seat("chuzhi")]
    for attempt in attempts:
        with pytest.raises(Problem) as caught:
            attempt()
        assert code_of(caught) == "session.demo_elsewhere"
    assert open_.principal_of(signed.token) == ANONYMOUS
    with pytest.raises(Problem):
        open_.principal_of(bearer=token)


def test_demo_accounts_stay_as_they_are_at_the_next_start(desk: Any, ledger: Ledger, clock: FrozenClock, hasher: PasswordHasher) -> None:
    def start(password: str = "yunting-demo") -> Identity:
        held = Identity(desk, ledger, loopback=True, clock=clock, demo_password=password, hasher=hasher)
        held.add_demo(ROWS)
        return held

    first = start()
    signed, seated = first.sign_in("paiqian", "yunting-demo", HOME), first.take_seat("chuzhi")
    first.set_roles(seated.principal.id, [Grant("handler", STREET)], actor="admin")
    clock.at += MINUTE
    again = start()
    assert again.principal_of(signed.token) == signed.principal, "the session of before the crash"
    assert again.principal_of(seated.token).roles == (("handler", STREET),)
    other = start("another-demo")
    assert other.principal_of(signed.token) == ANONYMOUS
    assert other.sign_in("paiqian", "another-demo", HOME).principal.id == signed.principal.id


def test_a_seat_is_taken_of_a_demo_account_only_and_demo_rows_never_touch_a_real_one(identity: Identity) -> None:
    identity.add_party(officer("paiqian"), actor="system", password=PASSWORD)
    identity.add_demo(ROWS)
    for account in ("paiqian", "nobody"):
        with pytest.raises(Problem) as caught:
            identity.take_seat(account)
        assert code_of(caught) == "session.refused"
    assert identity.sign_in("paiqian", PASSWORD, HOME).principal.role_names == {"duty_officer"}
    assert {row["account"] for row in identity.demo_accounts()} == {"chuzhi"}


def test_what_was_revoked_while_it_was_being_read_is_not_kept(identity: Identity, desk: Any) -> None:
    id_ = identity.add_party(officer(), actor="system", password=PASSWORD)
    signed = identity.sign_in("zhiban", PASSWORD, HOME)
    read = desk.read
    done: list[int] = []

    def slow(work: Any) -> Any:
        found = read(work)
        if not done:
            done.append(1)
            identity.set_active(id_, active=False, actor="system")
        return found

    desk.read = slow
    identity.principal_of(signed.token)
    desk.read = read
    assert done
    assert identity.principal_of(signed.token) == ANONYMOUS


def test_principals_come_from_memory_and_last_seen_is_kept(identity: Identity, desk: Any, clock: FrozenClock) -> None:
    identity.add_party(officer(), actor="system", password=PASSWORD)
    signed = identity.sign_in("zhiban", PASSWORD, HOME)
    identity.principal_of(signed.token)
    read = desk.read
    desk.read = None
    assert identity.principal_of(signed.token) == signed.principal
    desk.read = read
    clock.at += 10 * MINUTE
    identity.principal_of(signed.token)
    desk.write(lambda _conn: None)
    assert desk.read(lambda conn: conn.exec_driver_sql("SELECT last_seen FROM session").scalar()) == clock.at


def test_every_change_leaves_a_line(identity: Identity, ledger: Ledger, desk: Any) -> None:
    id_ = identity.add_party(officer(), actor="system", password=PASSWORD)
    signed = identity.sign_in("zhiban", PASSWORD, HOME)
    with pytest.raises(Problem):
        identity.sign_in("zhiban", "wrong", HOME)
    token_id, _ = identity.issue_token(id_, "t", actor=id_)
    identity.revoke_token(token_id, actor=id_)
    identity.set_roles(id_, [], actor=id_)
    identity.sign_out(signed.token)
    ledger.flush()
    told = [(row["action"], row["kind"], json.loads(row["detail"]).get("change") or json.loads(row["detail"]).get("means")) for row in desk.read(lines)]
    assert sorted(told, key=str) == sorted(
        [
            ("manage", "user", "add"),
            ("write", "session", "password"),
            ("sign_in_refused", "session", None),
            ("manage", "user", "token"),
            ("manage", "user", "token_revoked"),
            ("manage", "user", "roles"),
            ("write", "session", "sign_out"),
        ],
        key=str,
    )
    assert desk.read(verify) == []


def test_no_secret_reaches_a_log_the_ledger_a_problem_or_the_store(
    identity: Identity,
    desk: Any,
    ledger: Ledger,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    wrong = ("a guess \ud800 zq9f8e7d", "a wrong password wz5150wz")
    id_ = identity.add_party(officer(), actor="system", password=PASSWORD)
    signed = identity.sign_in("zhiban", PASSWORD, HOME)
    rotated = identity.rotate(signed.token)
    _, token = identity.issue_token(id_, "gateway", actor="system")
    identity.principal_of(bearer=token)
    told.append(repr(signed))
    desk.broken = OSError("the disk is full")
    attempts: list[Callable[[], object]] = [
        lambda: identity.sign_in("zhiban", PASSWORD, HOME),
        lambda: identity.set_password(id_, PASSWORD, actor="system"),
        lambda: identity.rotate(rotated.token),
        lambda: identity.issue_token(id_, "x", actor="system"),
    ]
    attempts += [partial(identity.sign_in, "zhiban", guess, HOME) for guess in wrong]
    attempts += [lambda: identity.principal_of(bearer=token + "x"), lambda: identity.set_password(id_, "short77", actor="system")]
    for attempt in attempts:
        with pytest.raises((Problem, OSError)) as caught:
            attempt()
        told += ["".join(traceback.format_exception(caught.value)), repr(caught.value), str(vars(caught.value))]
    desk.broken = None
    ledger.flush()
    told.append(caplog.text)
    told.append(json.dumps(desk.read(lines), ensure_ascii=False))
    told += [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir() if path.is_file()]
    secrets = (PASSWORD, signed.token, rotated.token, token, token.removeprefix("zht_"), "zq9f8e7d", "wz5150wz", "short77")
    text = "\n".join(told)
    lines_of_code = Path(__file__).read_text(encoding="utf-8")  # a traceback quotes this file's own lines
    for secret in secrets:
        assert not [line for line in text.splitlines() if secret in line and line.strip() not in lines_of_code]


def test_names_are_told_in_both_languages_of_those_who_are_known(identity: Identity) -> None:
    id_ = identity.add_party(officer(), actor="system")
    assert identity.names([id_, "nobody", ""]) == {id_: ("值班长 甲", "Duty officer A")}
