"""The door: who asks, what the guard allows, and the ledger's line of a read. Every route goes through it, with its own permission."""

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from zhongshu.act import VERBS as WORDS
from zhongshu.govern import guest
from zhongshu.kernel.area import parse_area
from zhongshu.kernel.grade import ANONYMOUS, Principal, Scope
from zhongshu.kernel.problem import declare
from zhongshu.serve.city import City
from zhongshu.serve.problems import BAD_REQUEST

FOREIGN_ORIGIN = declare(
    "session.foreign_origin",
    "refused",
    zh=("请求来自其他网站，已拒绝。", "请在本系统的页面上操作，或使用令牌。"),
    en=("The request came from another site and was refused.", "Use this system's own pages, or a token."),
)

BAD_LIMIT = declare(
    "request.bad_limit",
    "invalid",
    zh=("limit 不能是 {limit}。", "请写 1 或更大的数；过大时按上限返回。"),
    en=("limit cannot be {limit}.", "Ask for 1 or more; more than the most is taken for the most."),
)

NO_VERB = declare(
    "verb.unknown",
    "unknown",
    zh=("没有“{verb}”这个操作。", "可以是：{known_zh}。"),
    en=("There is no act '{verb}' here.", "It can be: {known_en}."),
)

_WHOLE = re.compile(r"[+-]?[0-9]+")
COOKIE = "zs_session"
SAFE = {"GET", "HEAD", "OPTIONS"}
UNKEPT = {"health", "session", "story"}
"""Kinds of which the ledger keeps no line when they are read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was let in: the city, who asks, and the scope of what is allowed."""

    city: City
    principal: Principal
    scope: Scope
    secret: str = ""
    reads: str = ""
    """What kind of thing it reads, if the ledger keeps a line of it."""
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()

    def note(self, **told: object) -> None:
        """Leave the ledger's line of a read: what was asked, and what came of it."""
        if self.reads:
            asked = {f"query.{name}": salted(self.city.salt, value) if name == "q" else value for name, value in self.query}
            self.city.ledger.note_read(self.principal.id, self.reads, self.path, asked | told)

    def narrow(self, area: str | None) -> int | None:
        """Read an area parameter; None stays None."""
        return None if not area else parse_area(area)


def known_verb(verb: str, verbs: Iterable[str]) -> str:
    """Return a verb that is one of these. Raises `verb.unknown`, which names them."""
    verbs = tuple(verbs)
    if verb in verbs:
        return verb
    words = [(one, WORDS.get(one)) for one in verbs]
    zh, en = ("、".join(f"{one} {word.zh}" if word else one for one, word in words), ", ".join(f"{one} ({word.en})" if word else one for one, word in words))
    raise NO_VERB(verb=verb[:100], known_zh=zh or "—", known_en=en or "—")


def digest(content: bytes) -> str:
    """Return the digest of an answer, as the ledger keeps it."""
    return hashlib.sha256(content).hexdigest()[:16]


def salted(salt: bytes, words: str) -> str:
    """Return what the ledger keeps of words sought: the same for the same words in this city, and no way back, not even by trying them."""
    return hmac.new(salt, words.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def principal_of(request: Request, city: City) -> tuple[Principal, str]:
    """Return who asks, by token or cookie; a sandbox on the machine itself lets visitors look around as guests."""
    bearer = request.headers.get("authorization", "")
    if bearer.lower().startswith("bearer "):
        return city.identity.principal_of(bearer=bearer[7:].strip()), ""
    secret = request.cookies.get(COOKIE, "")
    if request.method not in SAFE:
        origin = request.headers.get("origin") or request.headers.get("referer") or ""
        if (secret or origin) and _site(origin) != request.headers.get("host", ""):
            raise FOREIGN_ORIGIN()
    principal = city.identity.principal_of(session_secret=secret) if secret else ANONYMOUS
    if principal == ANONYMOUS and city.sandbox and city.loopback:
        return guest(city.about.code), ""
    return principal, secret


def _site(address: str) -> str | None:
    """Return the host and port of an address; None if it is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None


def permit(action: str, kind: str) -> Callable[[Request], Awaitable[None]]:
    """Return the check of one route: it asks the guard and leaves the answer with the request."""

    async def check(request: Request) -> None:
        city: City = request.app.state.city
        if "\x00" in request.scope["path"] or b"%00" in request.scope["query_string"]:
            raise BAD_REQUEST(field="address", why_zh="其中有零字节，没有库能查它", why_en="it holds a zero byte, which no store can look for")
        if b"limit=" in request.scope["query_string"] and _WHOLE.fullmatch(limit := request.query_params.get("limit", "")) and int(limit[:20]) < 1:
            raise BAD_LIMIT(limit=limit)
        principal, secret = principal_of(request, city)
        source = str(request.path_params.get("source", ""))
        scope = city.guard.require(principal, action, kind, source=source) if source else city.guard.require(principal, action, kind)
        kept = action == "read" and principal.means != ANONYMOUS.means and kind not in UNKEPT
        query = tuple(request.query_params.multi_items()) if kept else ()
        path, opens = request.scope["path"], str(request.path_params.get("secret", ""))
        request.state.asked = Asked(city, principal, scope, secret, kind if kept else "", path.replace(opens, digest(opens.encode())) if opens else path, query)

    return check


async def _current(request: Request) -> Asked:
    asked: Asked = request.state.asked
    return asked


Door = Annotated[Asked, Depends(_current)]
"""What a handler takes to know who asks."""
