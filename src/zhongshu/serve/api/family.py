"""Family looks on: links of one report, made, listed and revoked by who reported it, signed in or by the receipt; and what a link shows, to anyone who has it."""

from typing import Annotated, Any

from fastapi import Header, Response

from zhongshu.act import Deed, family
from zhongshu.serve.api.cases import UNKNOWN_FILE
from zhongshu.serve.api.requests import UNKNOWN_REQUEST, by_receipt
from zhongshu.serve.door import Asked, Door

Receipt = Annotated[str, Header(alias="Zs-Receipt", max_length=100, description="The receipt's secret (`follow`), for a report made without an account")]


def links(asked: Door, id: str, receipt: Receipt = "") -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """List the links made for one's own report, and when each was revoked; a link's address is told only when it is made."""
    told = _own(asked, id, receipt)
    return {"items": asked.city.office.read(lambda conn: family.listing(conn, told)), "next": None}


def make_link(asked: Door, id: str, receipt: Receipt = "") -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Make a link by which family looks on at one's own report, no more: `secret` is told this once, and the page's address is `/follow/{secret}`."""
    told = _own(asked, id, receipt)

    def work(deed: Deed) -> dict[str, Any]:
        made, secret = family.make(deed, told)
        return made | {"secret": secret}

    return asked.city.office.write(by_receipt(asked, receipt) if receipt else asked.principal, work)


def revoke_link(asked: Door, id: str, link: str, receipt: Receipt = "") -> dict[str, Any]:  # noqa: A002 (a path parameter)
    """Revoke a link at once; it says so to whoever opens it."""
    told = _own(asked, id, receipt)
    asked.city.office.write(by_receipt(asked, receipt) if receipt else asked.principal, lambda deed: family.revoke(deed, told, link))
    return links(asked, id, receipt)


def shared(asked: Door, secret: str) -> dict[str, Any]:
    """Look on by a link: where a report stands, who holds it since when and until when, the answer, and photographs of the result bare of place and device."""
    city = asked.city
    found = city.office.read(lambda conn: family.seen(conn, secret, city.clock.now(), city.zone))
    for file in (*found["result"]["before"], *found["result"]["after"]) if found["result"] else ():
        file["url"] = f"/api/shared/{secret}/photos/{file['sha256']}"
    return found | {f"area_name_{language}": city.areas.name(int(found["area"]), language) for language in ("zh", "en")}


def shared_photo(asked: Door, secret: str, sha256: str) -> Response:
    """Return a photograph of the result to who looks on by a link, bare of place and device."""
    result = shared(asked, secret)["result"]
    if result is None or all(file["sha256"] != sha256 for side in result.values() for file in side):
        raise UNKNOWN_FILE()
    kind, content = asked.city.evidence.public(sha256)
    return Response(content, media_type=kind, headers={"Cache-Control": "private"})


def _own(asked: Asked, id_: str, receipt: str) -> dict[str, Any]:
    """Return the report if it is the asker's own. Raises `request.not_here`."""
    who = by_receipt(asked, receipt) if receipt else asked.principal
    told = asked.city.office.read(lambda conn: family.own(conn, id_, who.id))
    if told is None:
        raise UNKNOWN_REQUEST(id=id_)
    return told
