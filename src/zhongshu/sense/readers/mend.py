"""A refused row that somebody has mended, read again as what it was: a native reading, a request, or a line of its source's table.

Knows no journal: the batch it makes is submitted by whoever asked for it.
"""

import json
from typing import Any

from zhongshu.kernel.journal import Batch
from zhongshu.kernel.problem import declare
from zhongshu.sense.intake import Intake
from zhongshu.sense.readers.tables import read_row
from zhongshu.sense.rows import MORE
from zhongshu.sense.source import Matrix, RequestTable, Source, Wide

MORE_CELLS = declare(
    "quarantine.more_cells",
    "invalid",
    zh=("{more} 里还有表头以外的格：{cells}。", "请把它们放到应在的列里，再删去 {more}。"),
    en=("'{more}' still holds cells beyond the header: {cells}.", "Put them where they belong and take '{more}' out."),
)


def read_mended(intake: Intake, source: Source, raw: str) -> Batch:
    """Return a batch of what was mended, good or refused again; raises a Problem where nothing can be read at all."""
    try:
        row: Any = json.loads(raw)
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict):
        if MORE in row:
            raise MORE_CELLS(more=MORE, cells=row[MORE])
        if _of_table(source, row):
            return read_row(source, intake, row)
    wanted = source.kind == "requests" or (isinstance(row, dict) and "id" in row and "entity" not in row)
    return intake.requests(source, raw.encode()) if wanted else intake.receive(source, raw.encode())


def _of_table(source: Source, row: dict[str, Any]) -> bool:
    """Tell a line of the source's table from a row of the native shape."""
    match source.mapping:
        case RequestTable(id=id_, created=created):
            return id_ in row and created in row
        case Wide() | Matrix():
            return "entity" not in row
    return False
