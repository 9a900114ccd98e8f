"""The sandbox's seats as accounts: which role each has, where, and the tokens its simulated people act with."""

from typing import Any

from zhongshu.govern import DemoAccount, Grant, Identity, Party
from zhongshu.kernel.area import Level
from zhongshu.survey import Areas

STREET_ROLES = {"handler", "collector"}


def seat_accounts(seats: tuple[Any, ...], areas: Areas) -> list[DemoAccount]:
    """Return the demo accounts: every seat's, and of those who watch, keep data and administer; one who works in streets has a row for each."""
    city = areas.city.code
    streets = [a.code for a in areas.at(Level.STREET)]
    rows = [DemoAccount(s.name, s.zh, s.en, s.role, area, s.unit) for s in seats if not s.source for area in (streets if s.role in STREET_ROLES else [city])]
    more = (
        ("duty", "值班长", "Duty officer", "duty_officer"),
        ("duty-night", "值班长（夜班）", "Duty officer (night)", "duty_officer"),
        ("leader", "带班领导", "Leader on duty", "leader"),
        ("steward", "数据专员", "Data steward", "steward"),
        ("admin", "系统管理员", "Administrator", "admin"),
    )
    rows += [DemoAccount(account, zh, en, role, city) for account, zh, en, role in more]
    if streets:
        rows.append(DemoAccount("street", "处置员（本街道）", "Handler (one street)", "handler", streets[0], "dept-drainage"))
    return rows


def seat_tokens(seats: tuple[Any, ...], identity: Identity, city: int) -> dict[str, str]:
    """Return seat → bearer token; seats that are sources get a service of their own, bound to that source."""
    held = {p["account"]: p["id"] for p in identity.parties()}
    tokens = {}
    for seat in seats:
        if seat.source and seat.name not in held:
            held[seat.name] = identity.add_party(Party(seat.name, seat.zh, seat.en, (Grant(f"source_writer:{seat.source}", city),), kind="service"), actor="system")
        tokens[seat.name] = identity.renew_token(held[seat.name], "robot", actor="system")
    return tokens
