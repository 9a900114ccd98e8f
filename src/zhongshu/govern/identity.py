"""Who asks: signing in, sessions and tokens, each made into the kernel's principal.

Passwords are hashed with argon2, tokens are random and kept as a hash; neither is ever written to a log, the ledger or a problem. It must
never know what a principal may do: that is the guard's. Times are the wall's, whatever the city replays.
"""

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Connection, delete, insert, select, update

from zhongshu.govern import parties
from zhongshu.govern.attempts import Attempts, network
from zhongshu.govern.ledger import Ledger
from zhongshu.govern.parties import Grant, Party
from zhongshu.govern.tables import party, session, token
from zhongshu.kernel.clock import HOUR, MINUTE, Clock, LiveClock
from zhongshu.kernel.desk import Desk
from zhongshu.kernel.grade import ANONYMOUS, Principal
from zhongshu.kernel.ids import uuid7
from zhongshu.kernel.problem import Problem, declare

REFUSED = declare(
    "session.refused",
    "unsigned",
    zh=("账户或密码不对。", "请核对后再试；忘记密码请联系系统管理员。"),
    en=("The account or the password is wrong.", "Check them and try again; if the password is forgotten, ask the administrator."),
)
DEMO_ELSEWHERE = declare(
    "session.demo_elsewhere",
    "refused",
    zh=("演示账户只能在本机使用。", "请在 127.0.0.1 上打开沙盒，或使用正式账户。"),
    en=("Demo accounts work only on the machine itself.", "Open the sandbox on 127.0.0.1, or use a real account."),
)
BAD_TOKEN = declare(
    "session.bad_token",
    "unsigned",
    zh=("令牌无效或已被撤销。", "请向系统管理员申请新的令牌。"),
    en=("The token is not valid, or was revoked.", "Ask the administrator for a new one."),
)
WEAK = declare(
    "identity.weak_password",
    "invalid",
    zh=("密码太短或太长。", "请用 {low} 至 {high} 个字符。"),
    en=("The password is too short or too long.", "Use {low} to {high} characters."),
)

SESSION_LIFE = 12 * HOUR
FRESH = MINUTE
"""A principal is read again from the desk after so long, whatever happens."""
SEEN = 5 * MINUTE
SHORTEST, LONGEST = 8, 256
_KEPT = 20_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the secret for the cookie (never shown in a repr), whose it is, and when it ends (µs of UTC)."""

    token: str = field(repr=False)
    principal: Principal
    expires: int


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """A row of the sandbox's accounts, as its door shows them."""

    account: str
    name_zh: str
    name_en: str
    role: str
    area: int
    unit: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: int


class Identity:
    """Parties, their sessions and tokens. `sign_in` takes a tenth of a second of argon2: call it outside the event loop."""

    def __init__(
        self,
        desk: Desk,
        ledger: Ledger,
        *,
        loopback: bool,
        clock: Clock | None = None,
        demo_password: str = "",
        hasher: PasswordHasher | None = None,
    ) -> None:
        """`loopback` tells whether the server is bound to the machine itself: otherwise demo accounts are refused."""
        self._desk, self._ledger, self._loopback, self._clock = desk, ledger, loopback, clock or LiveClock()
        self._hasher, self._demo_password = hasher or PasswordHasher(), demo_password
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self._hashing = threading.BoundedSemaphore(2)
        self._by_account, self._by_address = Attempts(free=5), Attempts(free=30)
        self._known: dict[str, _Known] = {}
        self._names: dict[str, tuple[str, str] | None] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when an account has changed, so that other processes forget it too."""

    # signing in

    def sign_in(self, account: str, password: str, address: str) -> SignedIn:
        """Open a session; raises `session.refused`, `session.too_many`, `session.demo_elsewhere`. An unknown account takes as long as a known."""
        now, name = self._clock.now(), _digest(parties.normal(account))
        self._by_address.charge(network(address), now)
        self._by_account.charge(name, now)
        row = self._desk.read(lambda conn: parties.find(conn, account)) if parties.well_formed(account) else None
        held = row.hash if row is not None and row.active else None
        if not self._matches(held or self._nobody, password) or row is None or held is None:
            self._ledger.note_read("anonymous", "session", row.id if row is not None else "", action="sign_in_refused")
            raise REFUSED()
        self._by_account.forget(name)
        self._by_address.refund(network(address))
        if row.demo and not self._loopback:
            raise DEMO_ELSEWHERE()
        if self._hasher.check_needs_rehash(held):
            fresh = self._hashed(password)
            self._change(lambda conn: parties.set_secret(conn, row.id, fresh, now), row.id, "rehash", row.id)
        return self._open(row.id, "password")

    def take_seat(self, account: str) -> SignedIn:
        """Open a session for a demo account without a password, on the machine itself only; raises `session.refused`, `.demo_elsewhere`."""
        row = self._desk.read(lambda conn: parties.find(conn, account))
        if row is None or not row.demo or not row.active:
            raise REFUSED()
        if not self._loopback:
            raise DEMO_ELSEWHERE()
        return self._open(row.id, "seat")

    def rotate(self, secret: str) -> SignedIn:
        """Give a session a new secret and end the old one; raises `session.refused` if it has ended."""
        found = self.principal_of(secret)
        if found == ANONYMOUS:
            raise REFUSED()
        return self._open(found.id, "rotate", _digest(secret))

    def sign_out(self, secret: str) -> None:
        """End a session; one that has ended already is no trouble."""
        ended, who = _digest(secret), self.principal_of(secret)
        if who != ANONYMOUS:
            self._change(lambda conn: conn.execute(delete(session).where(session.c.hash == ended)), who.id, "sign_out", who.id, kind="session")

    # who asks

    def principal_of(self, session_secret: str = "", bearer: str = "") -> Principal:
        """Return who a cookie's secret or a bearer token stands for, or ANONYMOUS; raises `session.bad_token` for a token that is not valid."""
        if bearer:
            found = self._look(_digest(bearer), self._by_token) if bearer.startswith("zht_") else None
            if found is None:
                raise BAD_TOKEN()
            return found
        return (self._look(_digest(session_secret), self._by_session) if session_secret else None) or ANONYMOUS

    def profile(self, principal: Principal) -> dict[str, Any]:
        """Return what a page shows of a signed-in party: id, account, both names, unit, roles with areas, and if it is for show."""
        row = self._desk.read(lambda conn: conn.execute(select(party).where(party.c.id == principal.id)).first())
        name_en = row.name_en if row is not None else {"guest": "Sandbox guest"}.get(principal.id, principal.id)
        return {
            "id": principal.id,
            "account": row.account if row is not None else "",
            "name_zh": principal.name,
            "name_en": name_en,
            "unit": principal.unit,
            "demo": bool(row is not None and row.demo),
            "roles": [{"role": role, "area": area} for role, area in principal.roles],
        }

    def names(self, ids: Iterable[str], read: Callable[[Callable[[Connection], Any]], Any] | None = None) -> dict[str, tuple[str, str]]:
        """Return both names, zh and en, of those parties that are known; an id is given once and its names never change, so they are asked for once, through `read` where the asker has a connection already."""
        wanted = set(ids)
        if new := wanted - self._names.keys():
            query = select(party.c.id, party.c.name_zh, party.c.name_en).where(party.c.id.in_(new))
            if len(self._names) > _KEPT:
                self._names.clear()
            self._names |= dict.fromkeys(new) | {row[0]: (row[1], row[2]) for row in (read or self._desk.read)(lambda conn: conn.execute(query).all())}
        return {id_: known for id_ in wanted if (known := self._names.get(id_)) is not None}

    def standing(self, id_: str) -> Principal | None:
        """Return a party with the roles it has now, as they are asked about, not as they ask; None for one that is shut out, not known, or for show elsewhere."""
        found = self._desk.read(lambda conn: parties.principal(conn, id_, "named", self._clock.now()))
        return None if found is None or (found[1] and not self._loopback) else found[0]

    def account(self, id_: str) -> str:
        """Return a party's account; '' for one that is not known."""
        return str(self._desk.read(lambda conn: conn.execute(select(party.c.account).where(party.c.id == id_)).scalar_one_or_none()) or "")

    def staff(self, conn: Connection, unit: str) -> list[dict[str, Any]]:
        """Return the accounts of a unit that are let in, with the roles in force."""
        return parties.staff(conn, unit, self._clock.now())

    # keeping parties

    def add_party(self, new: Party, *, actor: str, password: str = "") -> str:
        """Add a party with its roles, with a password or without one; return its id."""
        hashed, now = self._hashed(password) if password else "", self._clock.now()
        return self._desk.write(lambda conn: self._add(conn, new, hashed, now, actor))

    def service(self, new: Party, *, actor: str) -> str:
        """Return the id of the service of this account, added if it is new; one that stands keeps its roles. Raises `identity.other_roles`, `.account_taken`."""
        now = self._clock.now()
        return self._desk.write(lambda conn: parties.service(conn, new, now) or self._add(conn, new, "", now, actor))

    def set_password(self, id_: str, password: str, *, actor: str) -> None:
        """Set a password and end the party's sessions; raises `identity.weak_password`."""
        hashed, now = self._hashed(password), self._clock.now()
        self._change(lambda conn: parties.set_secret(conn, parties.known(conn, id_), hashed, now), actor, "password", id_)

    def set_roles(self, id_: str, grants: Iterable[Grant], *, actor: str) -> None:
        """Put roles in place of those in force; in effect at once."""
        rows, now = tuple(grants), self._clock.now()
        self._change(lambda conn: parties.regrant(conn, parties.known(conn, id_), rows, now), actor, "roles", id_, {"roles": len(rows)})

    def set_active(self, id_: str, *, active: bool, actor: str) -> None:
        """Let a party in or shut it out, with its sessions and tokens; raises `identity.unknown`."""
        now = self._clock.now()
        self._change(lambda conn: parties.set_active(conn, id_, now, active=active), actor, "active" if active else "inactive", id_)

    def parties(self) -> list[dict[str, Any]]:
        """Return every party with its grants."""
        return self._desk.read(parties.listing)

    # tokens

    def issue_token(self, id_: str, name: str, *, actor: str) -> tuple[str, str]:
        """Return a new token's id and its secret, which is told this once."""
        secret, token_id, now = "zht_" + secrets.token_urlsafe(32), uuid7(), self._clock.now()
        row = {"hash": _digest(secret), "id": token_id, "name": name[:100], "created": now}
        self._change(lambda conn: conn.execute(insert(token), {**row, "party": parties.known(conn, id_)}), actor, "token", token_id, {"party": id_})
        return token_id, secret

    def renew_token(self, id_: str, name: str, *, actor: str) -> str:
        """Return a new token's secret; those the party had under that name before are revoked."""
        now = self._clock.now()
        before = update(token).where(token.c.party == id_, token.c.name == name[:100], token.c.revoked.is_(None)).values(revoked=now)
        self._change(lambda conn: conn.execute(before), actor, "token_revoked", id_, {"name": name})
        return self.issue_token(id_, name, actor=actor)[1]

    def revoke_token(self, token_id: str, *, actor: str) -> None:
        """Revoke a token by its id."""
        ended = update(token).where(token.c.id == token_id, token.c.revoked.is_(None)).values(revoked=self._clock.now())
        self._change(lambda conn: conn.execute(ended), actor, "token_revoked", token_id)

    # the sandbox

    def add_demo(self, rows: Iterable[DemoAccount], *, actor: str = "system") -> None:
        """Make the sandbox's accounts, all with the demo password; several rows of an account are its several roles.

        An account that stands already stays as it is, with its sessions; only another demo password is made known to it. A real account of that name is left alone.
        """
        hashed, now = self._hasher.hash(self._demo_password), self._clock.now()
        known = lru_cache(lambda held: self._matches(held, self._demo_password))  # the accounts made together share one hash
        by_account: dict[str, list[DemoAccount]] = {}
        for row in rows:
            by_account.setdefault(parties.normal(row.account), []).append(row)

        def work(conn: Connection) -> int:
            made = 0
            for account, (row, *_) in by_account.items():
                held, grants = parties.find(conn, account), tuple(Grant(row.role, row.area) for row in by_account[account])
                if held is not None and (not held.demo or (held.hash and known(held.hash))):
                    continue
                id_ = held.id if held is not None else parties.add(conn, Party(row.account, row.name_zh, row.name_en, grants, row.unit, demo=True), now)
                parties.set_secret(conn, id_, hashed, now)
                made += 1
            return made

        def witnessed(conn: Connection) -> None:
            if made := work(conn):
                self._ledger.witness(conn, actor, "manage", "user", "", {"change": "demo", "accounts": made})

        self._desk.write(witnessed)
        self._forget()

    def demo_accounts(self) -> list[dict[str, Any]]:
        """Return the sandbox's accounts with their password, a row for each role in force, on the machine itself; elsewhere none."""
        if not self._loopback:
            return []
        held, now = [row for row in self.parties() if row["demo"] and row["active"]], self._clock.now()
        return [
            {
                "account": row["account"],
                "name_zh": row["name_zh"],
                "name_en": row["name_en"],
                "unit": row["unit"],
                "role": grant["role"],
                "area": grant["area"],
                "password": self._demo_password,
            }
            for row in held
            for grant in row["grants"]
            if grant["valid_from"] <= now and (grant["valid_to"] is None or grant["valid_to"] > now)
        ]

    # within

    def _add(self, conn: Connection, new: Party, hashed: str, now: int, actor: str) -> str:
        id_ = parties.add(conn, new, now)
        if hashed:
            parties.set_secret(conn, id_, hashed, now)
        self._ledger.witness(conn, actor, "manage", "user", id_, {"change": "add", "roles": len(new.grants), "demo": int(new.demo)})
        return id_

    def _hashed(self, password: str) -> str:
        if not SHORTEST <= len(password) <= LONGEST:
            raise WEAK(low=SHORTEST, high=LONGEST)
        with self._hashing:
            return self._hasher.hash(_bytes(password))

    def _matches(self, hashed: str, password: str) -> bool:
        with self._hashing:
            try:
                return self._hasher.verify(hashed, _bytes(password[: LONGEST + 1]))
            except (Argon2Error, InvalidHashError):
                return False

    def _open(self, id_: str, means: str, ended: str = "") -> SignedIn:
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        hashed, expires = _digest(secret), now + SESSION_LIFE

        def work(conn: Connection) -> Principal:
            found = parties.principal(conn, id_, "session", now)
            if found is None:
                raise REFUSED()
            conn.execute(delete(session).where((session.c.expires <= now) | (session.c.hash == ended)))
            conn.execute(insert(session), {"hash": hashed, "party": id_, "created": now, "expires": expires, "last_seen": now})
            self._ledger.witness(conn, id_, "write", "session", id_, {"means": means})
            return found[0]

        principal = self._desk.write(work)
        if ended:
            self._forget()
        return SignedIn(secret, principal, expires)

    def _change(
        self,
        work: Callable[[Connection], object],
        actor: str,
        change: str,
        subject: str,
        detail: dict[str, object] | None = None,
        *,
        kind: str = "user",
    ) -> None:
        """Do one change with its ledger line, and forget every principal kept, so that it is in effect at once."""

        def witnessed(conn: Connection) -> None:
            work(conn)
            self._ledger.witness(conn, actor, "manage" if kind == "user" else "write", kind, subject, {"change": change, **(detail or {})})

        self._desk.write(witnessed)
        self._forget()

    def _forget(self) -> None:
        self.forget()
        self.changed()

    def forget(self) -> None:
        """Forget every principal kept: what is asked next is read."""
        self._known = {}

    def _look(self, hashed: str, find: Callable[[Connection, str, int], _Known | None]) -> Principal | None:
        now = self._clock.now()
        if (known := self._known.get(hashed)) is not None and now < known.until:
            return known.principal
        kept = self._known  # if something changes while we read, this one is forgotten, and with it what may be stale
        found = self._desk.read(lambda conn: find(conn, hashed, now))
        if found is None:
            kept.pop(hashed, None)
            return None
        if len(kept) >= _KEPT:
            kept.clear()
        kept[hashed] = found
        return found.principal

    def _by_session(self, conn: Connection, hashed: str, now: int) -> _Known | None:
        row = conn.execute(select(session).where(session.c.hash == hashed, session.c.expires > now)).first()
        if row is None:
            return None
        if now - row.last_seen > SEEN:
            seen = update(session).where(session.c.hash == hashed).values(last_seen=now)
            with contextlib.suppress(Problem):  # a busy desk is no reason to turn someone away
                self._desk.submit(lambda writer: writer.execute(seen))
        return self._as_known(parties.principal(conn, row.party, "session", now), now, row.expires)

    def _by_token(self, conn: Connection, hashed: str, now: int) -> _Known | None:
        row = conn.execute(select(token).where(token.c.hash == hashed, token.c.revoked.is_(None))).first()
        return None if row is None else self._as_known(parties.principal(conn, row.party, "token", now), now, now + FRESH)

    def _as_known(self, found: tuple[Principal, bool, int | None] | None, now: int, expires: int) -> _Known | None:
        if found is None or (found[1] and not self._loopback):
            return None
        return _Known(found[0], min(expires, now + FRESH, found[2] or expires))


def _digest(secret: str) -> str:
    """Return the fast hash that a random secret is kept as."""
    return hashlib.sha256(_bytes(secret)).hexdigest()


def _bytes(text: str) -> bytes:
    """Return bytes of any text: an encoding error would carry the secret in it."""
    return text.encode("utf-8", "surrogatepass")
