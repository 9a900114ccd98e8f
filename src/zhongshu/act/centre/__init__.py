"""The operations centre (城市运行和治理中心): warnings taken in, responses and modes ordered, incidents commanded, watches handed over, reports and briefs.

Every write is a `Deed` with its line in the one history. What the centre cannot know itself (signs, silent devices, areas' names) is handed in.
"""

from zhongshu.act.centre import brief, cap, days, handover, incident, instruction, line, mode, order, paper, report, response, review, roster, warning
from zhongshu.act.centre.refusals import ELSEWHERE
from zhongshu.act.deed import Deed

__all__ = [
    "ELSEWHERE",
    "brief",
    "cap",
    "days",
    "handover",
    "incident",
    "instruction",
    "line",
    "mode",
    "order",
    "paper",
    "report",
    "response",
    "review",
    "roster",
    "sweep",
    "warning",
]


def sweep(deed: Deed) -> int:
    """Do what time alone brings about: orders and reports whose limits run out are noted once. Returns how many."""
    return order.late(deed) + report.late(deed)
