"""Cases, requests and the call centre as the record sees them: events whose value is 1, each at the moment it happened.

The desk is the truth of cases; these readings are derived from its history and counted by the signs. Declares only.
"""

from zhongshu.kernel.clock import DAY, MINUTE
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES = (
    EntityType("Case", "案件", "Case", "case", {"class": str}),
    EntityType("Request", "诉求", "Request", "request", {"class": str}),
    EntityType("CallCentre", "热线话务平台", "Call centre", "phone", {}),
    EntityType("Organisation", "单位", "Organisation", "organisation", {"kind": str}),
)


def _event(name: str, zh: str, en: str) -> Property:
    return Property(name, "1", "1", 0, 1, MINUTE, 30 * DAY, zh, en)


PROPERTIES = (
    _event("Case.opened", "案件立案", "Case opened"),
    _event("Case.due", "案件到期", "Case due"),
    _event("Case.closed", "案件结案", "Case closed"),
    _event("Case.closed_on_time", "案件按期结案", "Case closed on time"),
    _event("Case.redone", "案件返工", "Case redone"),
    _event("Case.dispatched", "案件派遣", "Case dispatched"),
    _event("Case.dispatch_returned", "派遣被退回", "Dispatch returned"),
    _event("Case.parked", "案件挂账", "Case parked"),
    _event("Request.received", "诉求受理", "Request received"),
    _event("Request.answered", "诉求答复", "Request answered"),
    _event("Request.repeat", "重复诉求", "Repeated request"),
    Property("CallCentre.calls", "1", "1", 0, 10000, MINUTE, 60 * MINUTE, "呼入量（自上一报）", "Calls since the last report"),
    Property("CallCentre.connected", "1", "1", 0, 10000, MINUTE, 60 * MINUTE, "及时接通量（自上一报）", "Calls answered in time since the last report"),
)
