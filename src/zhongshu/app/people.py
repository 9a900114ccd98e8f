"""Accounts and tokens made from the command line."""

import re
import time
import unicodedata
from typing import Any

from zhongshu.app.assembly import Assembly
from zhongshu.govern import Grant, Party
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.ids import stable_id
from zhongshu.kernel.problem import declare

BAD_NAME = declare(
    "token.bad_name",
    "invalid",
    zh=("令牌的名称为空或超过 {most} 个字。", "请写明哪个服务使用它，例如“河道水位网关”。"),
    en=("The token's name is empty or longer than {most} characters.", "Say which service will use it, for example 'river gauges'."),
)
NO_ACCOUNT = declare(
    "user.unknown",
    "unknown",
    zh=("没有账户 {account}。", "请核对拼写，或先用 zhongshu user add 新增。"),
    en=("There is no account {account}.", "Check the spelling, or add it first with zhongshu user add."),
)
LONGEST = 100
OWNER = "owner"
"""The account of this machine's own commands, which no other token is for."""


def make_token(parts: Assembly, name: str, role: str, area: str | None) -> str:
    """Return a new bearer token for a service of this name and role; the service is made if it is new, and one with other roles is refused."""
    identity, place, name = parts.identity, _places(parts, area)[0], name.strip()
    if not 0 < len(name) <= LONGEST:
        raise BAD_NAME(most=LONGEST)
    services = {p["account"]: p["kind"] == "service" and p["account"] != OWNER for p in identity.parties()} | {OWNER: False}
    account = next(a for a in (_account(name), f"service-{stable_id(name)[:12]}") if services.get(a, True))
    held = identity.service(Party(account, name, name, (Grant(role, place),), kind="service"), actor="operator")
    return identity.issue_token(held, name, actor="operator")[1]


def _account(name: str) -> str:
    """Return the account of a service: its name where that could be one, else what is left of it and a mark of its own."""
    lower = name.lower()
    if re.fullmatch(r"[0-9a-z][0-9a-z._@-]{1,63}", lower):
        return lower
    plain = unicodedata.normalize("NFKD", lower).encode("ascii", "ignore").decode()
    return "-".join(filter(None, (re.sub(r"[^0-9a-z]+", "-", plain).strip("-")[:40] or "service", stable_id(name)[:8])))


def make_user(parts: Assembly, given: dict[str, Any]) -> str:
    """Add a person's account and return its id."""
    grants = tuple(Grant(given["role"], place) for place in _places(parts, given.get("area")))
    party = Party(given["account"], given.get("name_zh") or given["account"], given.get("name_en") or given["account"], grants, given.get("unit") or "")
    return parts.identity.add_party(party, actor="operator", password=given["password"])


def grant(parts: Assembly, given: dict[str, Any]) -> list[str]:
    """Give an account a role for more areas, beside what it has; return its roles as words."""
    identity, account, now = parts.identity, str(given["account"]), time.time_ns() // 1000
    row = next((p for p in identity.parties() if p["account"] == account.strip().lower()), None)
    if row is None:
        raise NO_ACCOUNT(account=account)
    held = [Grant(g["role"], g["area"], g["valid_from"], g["valid_to"]) for g in row["grants"] if g["valid_to"] is None or g["valid_to"] > now]
    new = [Grant(given["role"], place) for place in _places(parts, given.get("area"))]
    kept = {(g.role, g.area): g for g in (*held, *new)}
    identity.set_roles(row["id"], kept.values(), actor="operator")
    return [f"{role} {area:015d}" for role, area in kept]


def _places(parts: Assembly, given: str | list[str] | None) -> list[int]:
    """Read areas; the city where none is given."""
    codes = [given] if isinstance(given, str) else given or []
    return [parse_area(code) for code in codes] or [parts.about.code]
