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
