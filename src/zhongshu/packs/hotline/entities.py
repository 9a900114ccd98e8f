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


def _span(name: str, zh: str, en: str) -> Property:
    return Property(name, "s", "1", 0, 10 * 366 * 86_400, MINUTE, 30 * DAY, zh, en)


PROPERTIES = (
    _event("Case.opened", "案件立案", "Case opened"),
    _event("Case.due", "案件到期", "Case due"),
    _event("Case.closed", "案件结案", "Case closed"),
    _event("Case.closed_on_time", "案件按期结案", "Case closed on time"),
    _event("Case.redone", "案件返工", "Case redone"),
    _event("Case.dispatched", "案件派遣", "Case dispatched"),
    _event("Case.dispatch_returned", "派遣被退回", "Dispatch returned"),
    _event("Case.parked", "案件挂账", "Case parked"),
    _event("Case.reopened", "案件重新办理", "Case re-opened"),
    _event("Case.self_handled", "采集员自行处置", "Handled on the spot by a collector"),
    _event("Case.escalated", "案件提级", "Case lifted"),
    _event("Case.part_overdue", "环节超时", "A part over its limit"),
    _span("Case.verify_s", "核实用时", "Time of verifying"),
    _span("Case.file_s", "立案用时", "Time of filing"),
    _span("Case.dispatch_s", "派遣用时", "Time of dispatching"),
    _span("Case.receipt_s", "转派签收用时", "Time until what was passed down is signed for"),
    _span("Case.review_s", "退单审核用时", "Time of reviewing a return"),
    _span("Case.ruling_s", "会商裁定用时", "Time of ruling"),
    _span("Case.sign_s", "签收用时", "Time until taken"),
    _span("Case.handle_s", "处置用时", "Time of handling"),
    _span("Case.feedback_s", "反馈用时", "Time of reporting back"),
    _span("Case.check_s", "核查用时", "Time of checking"),
    _span("Case.close_s", "结案用时", "Time of closing"),
    _event("Request.received", "诉求受理", "Request received"),
    _event("Request.answered", "诉求答复", "Request answered"),
    _event("Request.repeat", "重复诉求", "Repeated request"),
    Property("CallCentre.calls", "1", "1", 0, 10000, MINUTE, 60 * MINUTE, "呼入量（自上一报）", "Calls since the last report"),
    Property("CallCentre.connected", "1", "1", 0, 10000, MINUTE, 60 * MINUTE, "及时接通量（自上一报）", "Calls answered in time since the last report"),
)
