"""Why the operations centre refuses something, in both languages, with what to do about it."""

from zhongshu.kernel.problem import declare

UNKNOWN = declare(
    "centre.unknown",
    "unknown",
    zh=("没有编号为 {id} 的{zh}。", "请检查编号，或刷新列表。"),
    en=("There is no {en} {id}.", "Check its number, or refresh the list."),
)
STALE = declare(
    "centre.stale",
    "conflict",
    zh=("{number} 已变为第 {have} 版，你看到的是第 {given} 版。", "请刷新，看过最新情况后再办。"),
    en=("{number} has moved on to version {have}; you acted on {given}.", "Refresh, look at what has changed, then act."),
)
NOT_NOW = declare(
    "centre.not_now",
    "conflict",
    zh=("{number} 现在是“{state_zh}”，不能“{verb_zh}”。", "请刷新后再办。"),
    en=("{number} is '{state_en}': '{verb_en}' is not possible.", "Refresh, and choose from what is offered."),
)
NO_VERB = declare(
    "centre.no_verb",
    "unknown",
    zh=("没有“{verb}”这个操作。", "可以是：{verbs}。"),
    en=("There is no act '{verb}' here.", "It can be: {verbs}."),
)
NO_THEME = declare(
    "centre.no_theme",
    "invalid",
    zh=("没有“{theme}”这个主题。", "可以是：{known_zh}；新主题请先写进平急转换清单、预案任务或值班表。"),
    en=("There is no theme '{theme}'.", "It can be: {known_en}. Name a new one in the tables of modes, plans or rosters first."),
)
LATER = declare(
    "centre.ends_first",
    "invalid",
    zh=("结束时间不晚于开始时间。", "请更正后重新提交。"),
    en=("It ends before it begins.", "Correct the times and send again."),
)
NOT_XML = declare(
    "warning.not_cap",
    "invalid",
    zh=("这个文件不是可用的 CAP 1.2 预警：{why_zh}。", "请向发布单位核对原文，或手工录入。"),
    en=("This file is no usable CAP 1.2 warning: {why_en}.", "Check the original with its issuer, or enter the warning by hand."),
)
REUSED = declare(
    "warning.reused",
    "conflict",
    zh=("发布单位 {sender} 的预警 {external} 已收过，内容不同。", "请向发布单位核对；内容有变应以更新（Update）发布。"),
    en=("Warning {external} of {sender} was taken in before, with other content.", "Check with the issuer: changed content comes as an Update."),
)
FOREIGN = declare(
    "warning.not_its_own",
    "refused",
    zh=("{sender} 要更新或解除的预警不是它发布的，而是 {other} 发布的。", "请由原发布单位更新或解除。"),
    en=("{sender} names a warning that it did not issue: that was {other}.", "Let the issuer itself update or cancel it."),
)
ELSEWHERE = declare(
    "warning.elsewhere",
    "invalid",
    zh=("预警所指的区域不在本市。", "确与本市有关的，请写明区域 areas 后重新提交。"),
    en=("The warning's areas are not in this city.", "If it concerns the city, name the areas and send again."),
)
NO_COLOUR = declare(
    "warning.no_colour",
    "invalid",
    zh=("看不出预警的颜色。", "请写明 blue、yellow、orange 或 red。"),
    en=("The warning's colour cannot be told.", "Give blue, yellow, orange or red."),
)
SAME_PERSON = declare(
    "mode.same_person",
    "refused",
    zh=("提出启动的人不能自己批准。", "请带班领导批准。"),
    en=("Who proposed it may not approve it.", "Let the leader on duty approve it."),
)
ALREADY = declare(
    "mode.already",
    "conflict",
    zh=("{areas} 的“{theme}”已在平急转换中：{number}。", "请先结束它，或换一个主题、区域。"),
    en=("'{theme}' is raised or proposed in {areas} already: {number}.", "End that one first, or choose another theme or area."),
)
NOT_YOURS = declare(
    "order.not_yours",
    "refused",
    zh=("这条指令是下达给{unit_zh}的。", "请由该单位的人员办理。"),
    en=("This order is for {unit_en}.", "Let someone of that unit act."),
)
IS_CLOSED = declare(
    "incident.closed",
    "conflict",
    zh=("事件 {number} 已结束。", "需要继续处置的，请新建事件。"),
    en=("Incident {number} is closed.", "Open a new one if there is more to do."),
)
ORDERS_OPEN = declare(
    "incident.orders_open",
    "conflict",
    zh=("还有 {count} 条指令没有办结。", "请等各单位完成，或撤销不再需要的指令。"),
    en=("{count} orders are still open.", "Wait for them, or cancel what is no longer needed."),
)
PARTY_HAS_ORDERS = declare(
    "incident.party_has_orders",
    "conflict",
    zh=("{unit_zh}还有 {count} 条指令没有办结，不能移出。", "请等它完成，或先撤销这些指令。"),
    en=("{unit_en} still has {count} open orders and cannot be taken out.", "Wait for them, or cancel them first."),
)
NOT_YOUR_MODE = declare(
    "mode.not_yours",
    "refused",
    zh=("{number} 不是您提出的，现在也不是由您值守，不能恢复常态。", "请由提出的人、当班的值班长或带班领导办理。"),
    en=("You neither proposed {number} nor are in charge of the watch, so you may not end it.", "Let whoever proposed it, the officer in charge or the leader end it."),
)
NOT_IN_CHARGE = declare(
    "handover.not_in_charge",
    "refused",
    zh=("现在当班的是{name}，不是你。", "请由当班人员发起交接。"),
    en=("{name} is in charge now, not you.", "Let whoever is in charge hand over."),
)
OWN_HANDOVER = declare(
    "handover.own",
    "refused",
    zh=("交班人不能自己接班。", "请接班人员登录后签字。"),
    en=("Who hands over may not take over.", "Let the incoming officer sign in and sign."),
)
CANNOT_KEEP = declare(
    "handover.cannot_keep",
    "refused",
    zh=("{name_zh}不能接班：没有值守的权限，或账户已停用。", "请另选一位值班长；该由这位接班的，请系统管理员先授权。"),
    en=(
        "{name_en} cannot take the watch over: they have no right to keep it, or their account is closed.",
        "Choose another duty officer, or have the administrator give them the role first.",
    ),
)
OTHER_EXPECTED = declare(
    "handover.other_expected",
    "refused",
    zh=("这份交接单是交给另一位人员的。", "请由指定的接班人签字，或请交班人重新交接。"),
    en=("This sheet was made out to someone else.", "Let them sign, or ask the outgoing officer to hand over anew."),
)
NOT_ENDED = declare(
    "report.not_ended",
    "conflict",
    zh=("事件 {number} 还没有结束，不能起草终报。", "请先报续报；事件结束时会自动起草终报。"),
    en=("Incident {number} has not ended: there is no final report yet.", "Send the next report; the final one is drafted when the incident is closed."),
)
UNFILLED = declare(
    "report.unfilled",
    "invalid",
    zh=("报告里还有没填的内容：{places_zh}。", "请把这些地方填写好或删去，再报送。中英文填好一种即可，另一种随之。"),
    en=("The report still has places to fill in: {places_en}.", "Fill them in or take them out, then send. One language is enough: the other follows it."),
)
NO_FINAL = declare(
    "report.after_final",
    "conflict",
    zh=("事件 {number} 已报送终报。", "需要更正的，请另行报告。"),
    en=("The final report of {number} was sent.", "What must be corrected is reported apart."),
)
NOT_YET = declare(
    "warning.not_yet_issued",
    "invalid",
    zh=("发布时间 {issued} 还没有到：现在是 {now}。", "请核对发布时间；以后才生效的，请把生效时间 onset 写成那时。"),
    en=("The warning's time of issue {issued} lies ahead: it is {now}.", "Check it; for a warning that begins later, give that time as its onset."),
)
PAST = declare(
    "instruction.past",
    "invalid",
    zh=("完成期限 {until} 已经过去：现在是 {now}。", "请改为以后的时间。"),
    en=("The time it is to be done by, {until}, has passed: it is {now}.", "Give a time that is still to come."),
)
NO_RULE = declare(
    "warning.no_rule",
    "refused",
    zh=("预警由有权发布的机关发布，系统规则不能产生预警。", "体征异常以告警表示；预警请由值班人员录入。"),
    en=("A warning is issued by an authority; no rule of the system makes one.", "What signs show is a finding; let the officer on duty enter a warning."),
)
