"""Why a step is refused, in both languages, with what to do about it."""

from zhongshu.kernel.problem import declare

UNKNOWN = declare(
    "case.unknown",
    "unknown",
    zh=("没有编号为 {id} 的案件。", "请检查编号，或在列表中查找。"),
    en=("There is no case {id}.", "Check its number, or look for it in the list."),
)
STALE = declare(
    "case.stale",
    "conflict",
    zh=("案件 {number} 已被他人办理到第 {have} 版，你看到的是第 {given} 版。", "请刷新，看过最新情况后再办。"),
    en=("Case {number} has moved on to version {have}; you acted on {given}.", "Refresh, look at what has changed, then act."),
)
NO_CLASS = declare(
    "case.unknown_class",
    "unknown",
    zh=("没有类别“{class_}”。", "请从立案类别中选一个。"),
    en=("There is no class '{class_}'.", "Choose one of the classes that cases are filed under."),
)
TOO_LONG = declare(
    "case.too_long",
    "invalid",
    zh=("一次延期最多 {days} 天。", "请写较近的日期；确需更久的，请挂账或缓办。"),
    en=("One extension is of {days} days at most.", "Give a nearer day; for longer, park or defer the case."),
)
NOT_HELD = declare(
    "case.not_held",
    "refused",
    zh=("案件在 {unit_zh} 手里，不在你的单位。", "请由承办单位办理，或请派遣员改派。"),
    en=("The case is with {unit_en}, not with your unit.", "Let that unit act, or ask a dispatcher to send it elsewhere."),
)
OWN_WORK = declare(
    "case.own_work",
    "refused",
    zh=("自己处置的案件不能自己“{verb_zh}”。", "请由另一位人员来做。"),
    en=("Nobody may '{verb_en}' their own work.", "Ask someone else to do it."),
)
OWN_REPORT = declare(
    "case.own_report",
    "refused",
    zh=("这件事只有你一人上报，不能由你“{verb_zh}”。", "请由另一位人员来做；本岗位只有一人的，请上级监督中心代办。"),
    en=("You alone reported this: you may not '{verb_en}' it.", "Ask someone else to do it; where one person has the post, ask the supervisors of the level above."),
)
NO_EVIDENCE = declare(
    "case.evidence_unknown",
    "invalid",
    zh=("证据 {sha256} 还没有上传。", "请先上传文件，再提交这一步。"),
    en=("Evidence {sha256} has not been uploaded.", "Upload the file first, then send this step."),
)
NOT_BY_INSTRUMENT = declare(
    "case.not_by_instrument",
    "refused",
    zh=("这类案件不以仪表核查。", "请由核查员核查。"),
    en=("Cases of this class are not checked by instrument.", "Let a checker check it."),
)
NOT_NORMAL_YET = declare(
    "case.not_normal_yet",
    "conflict",
    zh=("体征恢复正常 {have} 分钟，满 {need} 分钟才算核查通过。", "请稍后再试，或由核查员现场核查。"),
    en=("The sign has been normal for {have} of {need} minutes.", "Try again later, or let a checker look on site."),
)
NOT_REPORTER = declare(
    "case.not_reporter",
    "refused",
    zh=("只有反映人可以说“{verb_zh}”。", "请用反映时的账户登录。"),
    en=("Only who reported it may say '{verb_en}'.", "Sign in with the account that reported it."),
)
RESULT_TOLD = declare(
    "case.result_told",
    "conflict",
    zh=("您已经告诉过我们结果。", "如情况有变，请再反映一次。"),
    en=("You have told us the result already.", "If things have changed, report them again."),
)
ONCE_REUSED = declare(
    "case.once_reused",
    "conflict",
    zh=("这个提交标识已用于另一步。", "请为每一步使用新的标识。"),
    en=("This submission key was used for another step.", "Use a new key for every step."),
)
NOT_LISTED = declare(
    "case.reason_not_listed",
    "invalid",
    zh=("这一步要选一条列明的理由。", "可选：{codes}。"),
    en=("This step needs one of the listed reasons.", "Choose one of: {codes_en}."),
)
TOO_OLD = declare(
    "case.too_old",
    "conflict",
    zh=("结案已超过 {days} 天，不能再重新办理。", "请再反映一次，我们按新的诉求办理。"),
    en=("It was closed more than {days} days ago and cannot be opened again.", "Report it again: it will be handled anew."),
)
LISTS = {"assist": ("配合履职事项清单", "the list of helping"), "withdrawn": ("上级部门收回事项清单", "the list of what was taken back")}
NOT_ON_STREET_LIST = declare(
    "duty.not_on_street_list",
    "refused",
    zh=("这件事在街道的“{list_zh}”里，街道不能主办。", "请派给有权的部门：{unit_zh}；确需街道主办的，提请权责会商裁定。"),
    en=("This is on the street's list '{list_en}': the street cannot lead it.", "Send it to the department that holds it: {unit_en}; else ask for a ruling."),
)
TASKS_OPEN = declare(
    "case.tasks_open",
    "conflict",
    zh=("还有任务没有完成：{zh}。", "请等各方完成，或由派遣员取消不再需要的任务。"),
    en=("Tasks are still open: {en}.", "Wait for them, or let a dispatcher cancel what is no longer needed."),
)
NOTHING_REJECTED = declare(
    "case.nothing_rejected",
    "conflict",
    zh=("没有被驳回的退单，不能提出异议。", "不属本单位的，请先退单。"),
    en=("No return was rejected: there is nothing to object to.", "If it is not yours, return it first."),
)
NOTHING_ASKED = declare(
    "case.nothing_asked",
    "conflict",
    zh=("承办单位没有提出申请。", "请刷新。"),
    en=("The holder has asked for nothing.", "Refresh."),
)
NO_DANGER = declare(
    "case.no_danger",
    "conflict",
    zh=("“{zh}”不属于危险类别，不适用先行处置。", "请正常派遣。"),
    en=("'{en}' is not a class marked as dangerous: making safe first does not apply.", "Dispatch it in the ordinary way."),
)
NO_LONGER = declare(
    "case.no_longer",
    "conflict",
    zh=("期限要晚于现在的期限 {due}，并在到期之前批准。", "请给出更晚的期限；已经到期的，请督办或结案。"),
    en=("The new limit must be later than {due}, and be given before that.", "Give a later time; what is overdue is supervised or closed."),
)
NO_TASK = declare(
    "task.unknown",
    "unknown",
    zh=("没有任务 {id}。", "请刷新。"),
    en=("There is no task {id}.", "Refresh."),
)
CALLED_ALREADY = declare(
    "task.called_already",
    "conflict",
    zh=("{unit_zh}的“{kind_zh}”任务还没有办结。", "请等它办结，或催办；要找别的单位就选别的单位。"),
    en=("{unit_en} still has an open task of this case: {kind_en}.", "Wait until it is done, or urge it; or call another unit."),
)
TASK_NOT_YOURS = declare(
    "task.not_yours",
    "refused",
    zh=("这个任务是 {unit_zh} 的。", "请由该单位的人员办理。"),
    en=("This task is for {unit_en}.", "Let someone of that unit do it."),
)
