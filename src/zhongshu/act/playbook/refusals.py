"""Why a playbook, or a step of one, is refused, in both languages, with what to do about it."""

from zhongshu.kernel.problem import declare

REFUSED = declare(
    "playbook.refused",
    "invalid",
    zh=("这份联动规程有 {count} 处不能执行，第一处在 {at}：{first_zh}。", "请逐处改正后重新上传。"),
    en=("This playbook has {count} places that cannot be carried out, the first at {at}: {first_en}.", "Correct them one by one and send it again."),
)
OTHER_VERSION = declare(
    "playbook.other_version",
    "conflict",
    zh=("这一案按联动规程 {began} 版开始，不能用 {given} 版继续。", "请用它开始时的版本。"),
    en=("This case began with version {began} of its playbook and cannot go on with {given}.", "Use the version it began with."),
)
NOT_OPEN = declare(
    "playbook.not_open",
    "conflict",
    zh=("任务 {task} 已经办结、被打断，或不属于这份规程。", "请刷新，看看现在要办的任务。"),
    en=("Task {task} is done, was interrupted, or is not one of this playbook.", "Refresh and look at what is open now."),
)
LACKING = declare(
    "playbook.lacking",
    "invalid",
    zh=("“{name_zh}”还缺少：{what}。", "请补齐后再提交。"),
    en=("'{name_en}' still lacks: {what}.", "Give it, then send the step again."),
)
NO_SIGNAL = declare(
    "playbook.no_signal",
    "conflict",
    zh=("规程现在不在等信号“{name}”。", "请核对信号名称，或稍后再发。"),
    en=("The playbook does not wait for the signal '{name}' now.", "Check the signal's name, or send it later."),
)
BAD_DATA = declare(
    "playbook.bad_data",
    "invalid",
    zh=("给规程的数据不是 JSON，或超过 {limit} 个字。", "请只给规程声明的几个简单值。"),
    en=("The playbook's data is no JSON, or is longer than {limit} characters.", "Give the few plain values it declares."),
)
STUCK = declare(
    "playbook.stuck",
    "conflict",
    zh=("规程走不下去：{why_zh}。", "这一步没有记下；请换一个选项，或请规程的作者改正图纸。"),
    en=("The playbook cannot go on: {why_en}.", "The step was not kept; choose otherwise, or ask the playbook's author to correct the drawing."),
)
TOO_LONG = declare(
    "playbook.too_long",
    "refused",
    zh=("规程走了超过 {limit} 步。", "请规程的作者检查回路与分支。"),
    en=("The playbook went on for more than {limit} steps.", "Ask its author to look at its loops and branches."),
)
