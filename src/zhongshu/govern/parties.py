"""Who there is: parties, their roles by area and time, and the hash of their password. Each function works in the caller's transaction.

It must never see a password or a token: only their hashes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select, update

from zhongshu.govern.roles import ROLES, split
from zhongshu.govern.tables import party, role_grant, secret, session, token
from zhongshu.kernel.area import NAMES, level_of
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import declare

BAD_ACCOUNT = declare(
    "identity.bad_account",
    "invalid",
    zh=("“{account}”不能作账户名。", "账户名为 2 至 64 个小写字母、数字或 . _ - @，以字母或数字开头。"),
    en=("'{account}' cannot be an account.", "An account has 2 to 64 lower-case letters, digits or . _ - @ and begins with a letter or digit."),
)
TAKEN = declare(
    "identity.account_taken",
    "conflict",
    zh=("账户 {account} 已经存在。", "换一个账户名，或修改已有的账户。"),
    en=("The account {account} exists already.", "Choose another, or change the one there is."),
)
OTHER_ROLES = declare(
    "identity.other_roles",
    "conflict",
    zh=("服务账户 {account} 已经存在，它的角色是 {held}，不是 {asked}；没有改动。", "请换一个名称，或用它现有的角色；要给它添加角色，请用 zhongshu user grant {account}。"),
    en=(
        "The service {account} exists already with the roles {held}, not {asked}; nothing was changed.",
        "Choose another name, or ask for the roles it has; to give it one more, use zhongshu user grant {account}.",
    ),
)
UNKNOWN_PARTY = declare(
    "identity.unknown",
    "unknown",
    zh=("没有这个账户。", "请在账户列表中核对。"),
    en=("There is no such account.", "Look it up in the list of accounts."),
)
UNKNOWN_ROLE = declare(
    "identity.unknown_role",
    "invalid",
    zh=("没有角色“{role}”。", "可用的角色：{roles}；数据源接入须写明数据源，例如 source_writer:gauges。"),
    en=("There is no role '{role}'.", "The roles are: {roles}; a source writer names its source, for example source_writer:gauges."),
)
BAD_AREA = declare(
    "identity.bad_area",
    "invalid",
    zh=("角色 {role} 不能授予区域 {area}（{level}）。", "请授予 {coarsest} 到 {finest} 级的区域；负责多处的，逐处授予。"),
    en=("The role {role} is not given for area {area} (a {level}).", "Give it for areas from {coarsest} to {finest}; for several places, one by one."),
)

_ACCOUNT = re.compile(r"[0-9a-z][0-9a-z._@-]{1,63}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for an area, from a time and, if it ends, to a time (µs of UTC, half open)."""

    role: str
    area: int
    valid_from: int = 0
    valid_to: int | None = None


@dataclass(frozen=True, slots=True)
class Party:
    """A party as it is added: account, names, unit (a URN, or the source's or department's name), kind, roles, and if it is for show only."""

    account: str
    name_zh: str
    name_en: str
    grants: tuple[Grant, ...] = ()
    unit: str = ""
    kind: Literal["person", "service"] = "person"
    demo: bool = False


def normal(account: str) -> str:
    """Return the form in which an account is kept."""
    return account.strip().lower()


def well_formed(account: str) -> bool:
    """Tell whether an account could exist at all."""
    return _ACCOUNT.fullmatch(normal(account)) is not None


def known(conn: Connection, id_: str) -> str:
    """Return the id, or raise `identity.unknown` if there is no such party."""
    if conn.execute(select(party.c.id).where(party.c.id == id_)).first() is None:
        raise UNKNOWN_PARTY()
    return id_


def add(conn: Connection, new: Party, now: int) -> str:
    """Add a party and return its id; raises `identity.bad_account`, `.account_taken`, `.unknown_role`, `.bad_area`."""
    account = normal(new.account)
    if not well_formed(account):
        raise BAD_ACCOUNT(account=new.account)
    if find(conn, account) is not None:
        raise TAKEN(account=account)
    conn.execute(
        insert(party),
        {
            "id": (id_ := uuid7()),
            "account": account,
            "name_zh": new.name_zh,
            "name_en": new.name_en,
            "unit": new.unit,
            "kind": new.kind,
            "active": 1,
            "demo": int(new.demo),
            "created": now,
        },
    )
    regrant(conn, id_, new.grants, now)
    return id_


def service(conn: Connection, new: Party, now: int) -> str | None:
    """Return the id of the service that has this account and exactly these roles, or None where there is no such account.

    Raises `identity.other_roles`, `.unknown_role`, `.bad_area`, and `.account_taken` for a person's account.
    """
    for grant in new.grants:
        check_grant(grant)
    found = find(conn, new.account)
    if found is None:
        return None
    if found.kind != "service":
        raise TAKEN(account=found.account)
    lasting = or_(role_grant.c.valid_to.is_(None), role_grant.c.valid_to > now)
    held = {(row.role, row.area) for row in conn.execute(select(role_grant).where(role_grant.c.party == found.id, lasting))}
    asked = {(grant.role, grant.area) for grant in new.grants}
    if held != asked:
        raise OTHER_ROLES(account=found.account, held=_told(held), asked=_told(asked))
    return str(found.id)


def _told(roles: set[tuple[str, int]]) -> str:
    return ", ".join(f"{role} {area:015d}" for role, area in sorted(roles)) or "–"


def find(conn: Connection, account: str) -> Row[Any] | None:
    """Return the party of an account with the hash of its password (None without one), or None."""
    return conn.execute(
        select(party, secret.c.hash).join_from(party, secret, party.c.id == secret.c.party, isouter=True).where(party.c.account == normal(account)),
    ).first()


def regrant(conn: Connection, id_: str, grants: Iterable[Grant], now: int) -> None:
    """Put these roles in place of those in force; what was in force is kept with its end."""
    for grant in (grants := tuple(grants)):
        check_grant(grant)
    conn.execute(delete(role_grant).where(role_grant.c.party == id_, role_grant.c.valid_from >= now))
    conn.execute(
        update(role_grant).where(role_grant.c.party == id_, or_(role_grant.c.valid_to.is_(None), role_grant.c.valid_to > now)).values(valid_to=now),
    )
    rows = {(grant.role, grant.area, max(now, grant.valid_from)): grant.valid_to for grant in grants}
    if rows:
        conn.execute(insert(role_grant), [{"party": id_, "role": role, "area": area, "valid_from": start, "valid_to": end} for (role, area, start), end in rows.items()])


def check_grant(grant: Grant) -> None:
    """Refuse a role that does not exist, is not bound to a source as it must be, or is not given at this level of area."""
    name, bound = split(grant.role)
    role = ROLES.get(name)
    if role is None or role.bound != bool(bound):
        raise UNKNOWN_ROLE(role=grant.role, roles=", ".join(ROLES))
    if not role.coarsest <= (level := level_of(grant.area)) <= role.finest:
        raise BAD_AREA(role=grant.role, area=f"{grant.area:015d}", level=NAMES[level], coarsest=NAMES[role.coarsest], finest=NAMES[role.finest])


def set_secret(conn: Connection, id_: str, hashed: str, now: int) -> None:
    """Keep the hash of a new password and end every session of the party."""
    conn.execute(delete(secret).where(secret.c.party == id_))
    conn.execute(insert(secret), {"party": id_, "hash": hashed, "changed": now})
    conn.execute(delete(session).where(session.c.party == id_))


def set_active(conn: Connection, id_: str, now: int, *, active: bool) -> None:
    """Let a party in or shut it out; shut out, its sessions end and its tokens are revoked. Raises `identity.unknown`."""
    if conn.execute(update(party).where(party.c.id == id_).values(active=int(active))).rowcount == 0:
        raise UNKNOWN_PARTY()
    if not active:
        conn.execute(delete(session).where(session.c.party == id_))
        conn.execute(update(token).where(token.c.party == id_, token.c.revoked.is_(None)).values(revoked=now))


def principal(conn: Connection, id_: str, means: str, now: int) -> tuple[Principal, bool, int | None] | None:
    """Return a party as a principal with the roles in force, whether it is for show, and when its roles next change; None if shut out."""
    row = conn.execute(select(party).where(party.c.id == id_, party.c.active == 1)).first()
    if row is None:
        return None
    grants = conn.execute(select(role_grant).where(role_grant.c.party == id_).order_by(role_grant.c.role, role_grant.c.area)).all()
    roles = dict.fromkeys((g.role, g.area) for g in grants if g.valid_from <= now and (g.valid_to is None or now < g.valid_to))
    changes = [at for g in grants for at in (g.valid_from, g.valid_to) if at is not None and at > now]
    return Principal(row.id, row.name_zh, tuple(roles), means, row.unit), bool(row.demo), min(changes, default=None)


def staff(conn: Connection, unit: str, now: int) -> list[dict[str, Any]]:
    """Return the parties of a unit that are not shut out: {id, name_zh, name_en, kind, roles}, the roles in force as (role, area)."""
    found = conn.execute(select(party).where(party.c.unit == unit, party.c.active == 1)).mappings().all()
    held: dict[str, list[tuple[str, int]]] = {row["id"]: [] for row in found}
    lasting = and_(role_grant.c.valid_from <= now, or_(role_grant.c.valid_to.is_(None), role_grant.c.valid_to > now))
    for grant in conn.execute(select(role_grant).where(role_grant.c.party.in_([*held]), lasting)):
        held[grant.party].append((grant.role, grant.area))
    return [{name: row[name] for name in ("id", "name_zh", "name_en", "kind")} | {"roles": held[row["id"]]} for row in found]


def listing(conn: Connection) -> list[dict[str, Any]]:
    """Return every party with all its grants, for those who manage accounts."""
    held: dict[str, list[dict[str, Any]]] = {}
    for grant in conn.execute(select(role_grant).order_by(role_grant.c.valid_from)).mappings():
        held.setdefault(grant["party"], []).append({name: grant[name] for name in ("role", "area", "valid_from", "valid_to")})
    return [{**row, "grants": held.get(row["id"], [])} for row in conn.execute(select(party).order_by(party.c.account)).mappings()]
