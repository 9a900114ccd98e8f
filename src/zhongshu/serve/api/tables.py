"""The duty tables: what classes of things there are and whose duty they are; a table's rows; and bringing a table in, its difference shown first."""

import re
from typing import Annotated, Any

from fastapi import File, Response, UploadFile

from zhongshu.act import bring_in as bring
from zhongshu.act import classes as all_classes
from zhongshu.act import deploy_playbook, playbook_body, table_kinds, table_rows
from zhongshu.act import playbooks as all_playbooks
from zhongshu.kernel.problem import declare
from zhongshu.serve.door import Asked, Door, digest

NO_SAMPLE = declare(
    "samples.unknown",
    "unknown",
    zh=("没有名为 {name} 的样图。", "请检查事项类别表的 picture 列；列出的名称见各领域包的 samples 目录。"),
    en=("There is no sample picture {name}.", "Check the column `picture` of the table of classes; a pack's `samples` folder holds its names."),
)
_SHA = re.compile(r"[0-9a-f]{64}")
_STILL = {"Content-Security-Policy": "default-src 'none'; sandbox"}
_KEPT = _STILL | {"Cache-Control": "public, max-age=31536000, immutable"}
_SOON = _STILL | {"Cache-Control": "public, max-age=300"}
OF_STAFF = {"roster": "duty", "supplies": "incident"}
"""Tables that are not for everyone, and the kind whose readers may read them."""


def classes(asked: Door) -> dict[str, Any]:
    """List the classes in force with who leads them, within which limit, and how their end is checked."""
    city = asked.city
    held = city.office.read(lambda conn: all_classes(conn, city.clock.now()))
    return {"items": [row | {"picture_url": _picture_url(asked, row["picture"])} for row in held]}


def _picture_url(asked: Asked, name: str) -> str:
    """Return where the picture of a class stands, with the digest of its content, so that it may be kept for long; '' if there is none."""
    drawn = asked.city.samples.get(name)
    mark = name[:16] if _SHA.fullmatch(name) else drawn and digest(drawn)
    return f"/api/samples/{name}?v={mark}" if mark else ""


def sample(asked: Door, name: str, v: str = "") -> Response:
    """Return the picture of how a place looks when its case may be closed: a pack's drawing, or a photograph that a class in force names, bare of place and device. `v`: the digest of its content."""
    city = asked.city
    if (drawn := city.samples.get(name)) is not None:
        same = v == digest(drawn)
        return Response(drawn, media_type="image/svg+xml", headers=_KEPT if same else _SOON)
    named = _SHA.fullmatch(name) and any(row["picture"] == name for row in city.office.read(lambda conn: all_classes(conn, city.clock.now())))
    if not named:
        raise NO_SAMPLE(name=name[:64])
    kind, content = city.evidence.public(name)
    return Response(content, media_type=kind, headers=_KEPT)


def kinds(asked: Door) -> dict[str, Any]:
    """List the kinds of duty tables, their columns, and how many rows each has in force."""
    city = asked.city
    return {"items": city.office.read(lambda conn: table_kinds(conn, city.clock.now()))}


def rows(asked: Door, kind: str) -> dict[str, Any]:
    """List the rows of a table that are in force, each with its source; those that name people are for the staff."""
    city = asked.city
    if kind in OF_STAFF:
        city.guard.require(asked.principal, "read", OF_STAFF[kind])
    return {"items": city.office.read(lambda conn: table_rows(conn, kind, city.clock.now()))}


async def bring_in(asked: Door, kind: str, file: Annotated[UploadFile, File()], source: str = "", apply: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
    """Bring a table in, as CSV or XLSX: answers what it would change; with `apply` it is changed. Open cases keep what they were opened under."""
    body = await file.read(17 * 2**20)
    name = source or (file.filename or "table").rpartition(".")[0] or "table"
    return asked.city.office.write(asked.principal, lambda deed: bring(deed, kind, name, body, write=apply))


def playbooks(asked: Door) -> dict[str, Any]:
    """List the playbooks (联动规程), the latest version of each, with who takes part."""
    return {"items": asked.city.office.read(all_playbooks)}


def playbook(asked: Door, version: str) -> Response:
    """Return a version's drawing as BPMN 2.0."""
    text = asked.city.office.read(lambda conn: playbook_body(conn, version))
    return Response(text, media_type="application/xml")


async def deploy(asked: Door, file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    """Take a playbook in, or refuse it with every fault: what the engine would ignore or cannot run. Cases that run one keep their version."""
    raw, source = await file.read(2**20 + 1), (file.filename or "")[:200]
    made = asked.city.office.write(asked.principal, lambda deed: deploy_playbook(deed, source, raw, known=True))
    held = asked.city.office.read(all_playbooks)
    return next(row for row in held if row["version"] == made.version or row["key"] == made.key)
