"""Signing in and out, and the sandbox's demo accounts."""

from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field

from zhongshu.govern import SignedIn
from zhongshu.kernel.area import show_area
from zhongshu.kernel.grade import ANONYMOUS, Principal
from zhongshu.serve.city import City
from zhongshu.serve.door import COOKIE, Door


class Credentials(BaseModel):
    """An account and its password."""

    account: str = Field(max_length=100)
    password: str = Field(max_length=256)


def profile(city: City, principal: Principal) -> dict[str, Any] | None:
    """Return who is signed in, areas as 15 digits."""
    if principal == ANONYMOUS or principal.means == "anonymous":
        return None
    about = city.identity.profile(principal)
    return about | {"roles": [{**r, "area": show_area(int(r["area"]))} for r in about.get("roles", [])]}


def give(response: Response, city: City, signed: SignedIn, scheme: str = "http") -> dict[str, Any]:
    """Set the session's cookie and return whose it is; it never goes over plain HTTP but on the machine itself."""
    response.set_cookie(COOKIE, signed.token, httponly=True, samesite="lax", secure=scheme == "https" or not city.loopback, path="/", max_age=12 * 3600)
    return {"principal": profile(city, signed.principal)}


def sign_in(asked: Door, body: Credentials, request: Request, response: Response) -> dict[str, Any]:
    """Sign in with an account and a password; the session comes as a cookie."""
    address = request.client.host if request.client else ""
    return give(response, asked.city, asked.city.identity.sign_in(body.account, body.password, address), request.url.scheme)


def current(asked: Door) -> dict[str, Any]:
    """Return who is signed in; null for nobody."""
    return {"principal": profile(asked.city, asked.principal)}


def sign_out(asked: Door, response: Response) -> dict[str, Any]:
    """End the session."""
    if asked.secret:
        asked.city.identity.sign_out(asked.secret)
    response.delete_cookie(COOKIE, path="/")
    return {"principal": None}


def demo(asked: Door) -> dict[str, Any]:
    """List the sandbox's demo accounts, on the machine itself only."""
    if not asked.city.sandbox:
        return {"accounts": []}
    rows = asked.city.identity.demo_accounts()
    return {"accounts": [{**row, "area": show_area(int(row["area"]))} for row in rows]}
