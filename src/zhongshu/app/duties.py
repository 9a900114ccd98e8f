"""The duty tables from the command line: a file is read, what it would change is told, and it is changed on request."""

from pathlib import Path
from typing import Any

from zhongshu.act import bring_in
from zhongshu.app.assembly import Assembly
from zhongshu.kernel.grade import Principal
from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

NO_FILE = declare(
    "tables.no_file",
    "unknown",
    zh=("读不到文件 {path}：{why_zh}。", "请检查路径和权限。"),
    en=("The file {path} cannot be read: {why_en}.", "Check its path and permissions."),
)
OPERATOR = Principal("operator", "操作员", (("admin", 0),), "command line")


def bring_table(parts: Assembly, given: dict[str, Any]) -> dict[str, Any]:
    """Say what a table's file would change (`path`, `kind`, `source`), and change it if `apply`. Raises `tables.no_file` and what reading raises."""
    path = Path(given["path"])
    try:
        body = path.read_bytes()
    except OSError as error:
        raise NO_FILE(path=path.name, **why(error)) from None
    source = given.get("source") or path.stem
    return parts.office.write(OPERATOR, lambda deed: bring_in(deed, given["kind"], source, body, write=bool(given.get("apply"))))
