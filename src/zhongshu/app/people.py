"""Accounts and tokens made from the command line."""

from typing import Any

from zhongshu.app.assembly import Assembly
from zhongshu.govern import Grant, Party
from zhongshu.kernel.area import parse_area


def make_token(parts: Assembly, name: str, role: str, area: str | None) -> str:
    """Return a new bearer token for a service of this name and role; the service is made if it is new."""
    identity, place = parts.identity, parse_area(area) if area else parts.about.code
    held = next((p["id"] for p in identity.parties() if p["account"] == name.lower()), None)
    if held is None:
        held = identity.add_party(Party(name, name, name, (Grant(role, place),), kind="service"), actor="operator")
    else:
        identity.set_roles(held, [Grant(role, place)], actor="operator")
    return identity.issue_token(held, name, actor="operator")[1]


def make_user(parts: Assembly, given: dict[str, Any]) -> str:
    """Add a person's account and return its id."""
    place = parse_area(given["area"]) if given.get("area") else parts.about.code
    party = Party(given["account"], given.get("name_zh") or given["account"], given.get("name_en") or given["account"], (Grant(given["role"], place),), given.get("unit") or "")
    return parts.identity.add_party(party, actor="operator", password=given["password"])
