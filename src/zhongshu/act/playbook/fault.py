"""What may be wrong with a playbook's file, a row each: why, and what mends it, in both languages. Knows no file and no engine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, at the element where it stands (`element_id` is empty where an element has none); `code` names its row."""

    element_id: str
    element: str
    reason_zh: str
    reason_en: str
    remedy_zh: str
    remedy_en: str
    code: str = ""

    def lines(self) -> list[str]:
        """Return it as a person reads it, Chinese first."""
        at = self.element_id or self.element or "-"
        return [f"{at}：{self.reason_zh} {self.remedy_zh}", f"{at}: {self.reason_en} {self.remedy_en}"]


def fault(code: str, element_id: str = "", element: str = "", **told: object) -> Fault:
    """Return the fault of a row with its particulars."""
    reason_zh, reason_en, remedy_zh, remedy_en = (text.format_map({k: str(v)[:120] for k, v in told.items()}) for text in ROWS[code])
    return Fault(element_id, element, reason_zh, reason_en, remedy_zh, remedy_en, code)


_DRAW = ("请改画为人工任务（userTask 或 manualTask）。", "Draw it as a user task or a manual task.")
_REMOVE = ("请删去它。", "Remove it.")
_ONE = ("请把各步画在同一张图里。", "Draw the steps in this one drawing.")
_LINE = ("请重新连接这条线。", "Connect the line anew.")
_TIMER = (
    "请写时长（如 PT30M、P1DT2H）、时刻（如 2026-01-31T08:00:00+08:00）或循环（如 R3/PT30M）。",
    "Write a duration (PT30M, P1DT2H), a moment (2026-01-31T08:00:00+08:00) or a cycle (R3/PT30M).",
)

ROWS: dict[str, tuple[str, str, str, str]] = {
    # the file
    "too_large": (
        "文件超过 {limit} 字节。",
        "The file is larger than {limit} bytes.",
        "请把规程拆小，去掉图片等附件。",
        "Make the playbook smaller; leave out pictures and attachments.",
    ),
    "too_many": ("超过 {limit} 个环节。", "It has more than {limit} nodes.", "请把规程拆成几个。", "Split it into several playbooks."),
    "not_xml": ("这不是合法的 XML（第 {line} 行）。", "This is not XML (line {line}).", "请用 BPMN 编辑器重新保存。", "Save it anew from a BPMN editor."),
    "dtd": ("文件带有 DTD 或实体定义。", "The file holds a DTD or entities.", "请删去 DOCTYPE。", "Remove the DOCTYPE."),
    "not_bpmn": ("根元素不是 BPMN 2.0 的 definitions。", "The root is not BPMN 2.0 definitions.", "请保存为 BPMN 2.0 XML。", "Save it as BPMN 2.0 XML."),
    "import": ("它引入了另一个文件。", "It imports another file.", *_ONE),
    "no_process": ("没有可执行的流程。", "There is no executable process.", '请在要执行的 process 上写 isExecutable="true"。', 'Write isExecutable="true" on the process to run.'),
    "many_processes": (
        "有 {count} 个可执行的流程，不知执行哪一个。",
        "There are {count} executable processes, and no telling which to run.",
        '请只留一个 isExecutable="true"。',
        'Leave isExecutable="true" on one of them only.',
    ),
    "no_id": ("元素没有编号。", "The element has no id.", "请给它一个 id。", "Give it an id."),
    "bad_id": (
        "编号“{id}”不能用。",
        "The id '{id}' cannot be used.",
        "编号以字母开头，只含字母、数字、_ . -，不超过 80 个字，且不用 Start、End、Root。",
        "An id starts with a letter and holds letters, digits, _ . - only, at most 80 of them; not Start, End or Root.",
    ),
    "same_id": ("编号重复了 {count} 次。", "The id is used {count} times.", "请让每个元素的编号都不同。", "Give every element its own id."),
    # what is not carried out
    "plain_task": ("普通任务没有说谁来做，引擎只会默默等待。", "A plain task does not say who does it; the engine would wait in silence.", *_DRAW),
    "no_service": ("没有能执行它的服务（{kind}）。", "There is no service to carry it out ({kind}).", *_DRAW),
    "event_subprocess": ("事件子流程不会被启动。", "An event sub-process would never be started.", "请改用任务上的边界事件。", "Use a boundary event on a task."),
    "transaction": ("不支持事务子流程。", "A transaction is not carried out.", "请改用普通子流程。", "Use a plain sub-process."),
    "ad_hoc": ("不支持即席子流程。", "An ad-hoc sub-process is not carried out.", "请用并行网关画出各步。", "Draw its steps between parallel gateways."),
    "complex_gateway": ("不支持复杂网关。", "A complex gateway is not carried out.", "请改用排他、并行或包容网关。", "Use an exclusive, parallel or inclusive gateway."),
    "call_activity": ("它调用了另一个流程“{called}”。", "It calls another process, '{called}'.", *_ONE),
    "choreography": ("不支持编排与会话（{kind}）。", "Choreographies and conversations are not carried out ({kind}).", *_REMOVE),
    "compensation": ("不支持补偿。", "Compensation is not carried out.", "请把补救画成一步人工任务。", "Draw the mending as a user task."),
    "loop": (
        "不支持循环或多实例标记（{kind}）。",
        "Loop and multi-instance markers are not carried out ({kind}).",
        "请把每一步画出来，或用网关画回路。",
        "Draw each step, or a way back through a gateway.",
    ),
    "data_flow": (
        "数据关联与数据存储不会被执行（{kind}）。",
        "Data associations and stores are not carried out ({kind}).",
        "请用任务的选项（zs:choice）和脚本传递数据。",
        "Pass data by a task's choices (zs:choice) and by scripts.",
    ),
    "unknown_element": ("不认识的 BPMN 元素 {kind}。", "The BPMN element {kind} is not known here.", *_REMOVE),
    "event": ("这里不支持这种事件（{kind}）。", "This event is not carried out here ({kind}).", "{hint_zh}", "{hint_en}"),
    "many_events": ("一个事件里有 {count} 个定义。", "One event holds {count} definitions.", "请分成几个事件。", "Make it several events."),
    "event_ref": ("引用的 {ref} 不存在。", "It refers to {ref}, which is not there.", "请在文件里定义它，或改正引用。", "Define it in the file, or correct the reference."),
    "boundary": ("边界事件没有附在任务或子流程上。", "The boundary event is attached to no task or sub-process.", "请把它拖到一个任务上。", "Attach it to a task."),
    "bad_timer": ("看不懂的定时“{text}”。", "The timer '{text}' cannot be read.", *_TIMER),
    "cycle_place": (
        "循环定时只能放在不打断的边界事件上。",
        "A cycle may stand on a non-interrupting boundary event only.",
        "请改用时长，或把边界事件设为不打断。",
        "Use a duration, or make the boundary event non-interrupting.",
    ),
    "event_gateway": ("不支持事件网关。", "An event-based gateway is not carried out.", "请改用任务上的定时或信号边界事件。", "Use timer or signal boundary events on a task."),
    # texts
    "script_language": (
        "脚本语言是“{language}”。",
        "The script's language is '{language}'.",
        '请写 scriptFormat="python"，只用赋值语句。',
        'Write scriptFormat="python" and assignments only.',
    ),
    "script": (
        "脚本不被接受，{where_zh}：{why_zh}。",
        "The script is not accepted, {where_en}: {why_en}.",
        "只写“名称 = 表达式”，一行一句。",
        "Write 'name = expression' only, one a line.",
    ),
    "condition": (
        "条件不被接受，{where_zh}：{why_zh}。",
        "The condition is not accepted, {where_en}: {why_en}.",
        "只用比较、and/or/not、算术与 len、min、max、round、abs、lower、upper。",
        "Use comparisons, and/or/not, arithmetic and len, min, max, round, abs, lower, upper only.",
    ),
    "unset_name": (
        "用到的“{name}”没有任何任务、脚本或 zs:data 给出。",
        "It uses '{name}', which no task's choice, script or zs:data gives.",
        "请改正名称，或在流程的 zs:data 里写上它。",
        "Correct the name, or write it in the process's zs:data.",
    ),
    # people
    "no_party": (
        "没有说由谁来做。",
        "It does not say who does it.",
        "请写 zs:party（单位代码、holder 或 street），或写在泳道上。",
        "Write zs:party (a unit's code, holder or street), on it or on its lane.",
    ),
    "bad_party": (
        "主体“{party}”不是单位代码。",
        "The party '{party}' is no unit's code.",
        "请写如 dept-drainage，或 holder、street。",
        "Write one like dept-drainage, or holder, or street.",
    ),
    "bad_limit": ("时限“{text}”看不懂。", "The limit '{text}' cannot be read.", "请写时长，如 PT30M。", "Write a duration such as PT30M."),
    "bad_needs": ("zs:needs 里有不认识的“{text}”。", "zs:needs holds '{text}', which is not known.", "只写 evidence、note。", "Write evidence and note only."),
    "bad_choice": (
        "选项“{name}”写得不对。",
        "The choice '{name}' is not written as it should be.",
        "请写 name、zh、en 和至少两个各有 value、zh、en 且不重复的 zs:option。",
        "Write name, zh, en and at least two zs:option, each with its own value, zh, en.",
    ),
    "no_name": ("没有中文名称。", "It has no Chinese name.", "请在 name 里写中文名称。", "Write its Chinese name in its name."),
    "no_english": ("没有英文名称。", "It has no English name.", "请写 zs:en。", "Write zs:en."),
    "bad_data": (
        "zs:data 里的“{text}”不是名称。",
        "'{text}' in zs:data is no name.",
        "名称以小写字母开头，只含小写字母、数字和下划线。",
        "A name is lower-case letters, digits and underscores, a letter first.",
    ),
    # the way
    "no_start": ("应有且只有一个开始事件，现有 {count} 个。", "It needs one start event and has {count}.", "请画一个无触发的开始事件。", "Draw one plain start event."),
    "no_end": ("没有结束事件。", "There is no end event.", "请画一个结束事件。", "Draw an end event."),
    "dangling": ("连线的一头没有接在同一流程的环节上。", "An end of the line is on no node of the same process.", *_LINE),
    "start_entered": ("有连线进入开始事件或边界事件。", "A line leads into a start or boundary event.", *_LINE),
    "end_left": ("有连线离开结束事件。", "A line leads out of an end event.", *_LINE),
    "no_way_out": (
        "没有连线离开它，流程会停在这里。",
        "No line leads out of it; the playbook would stop here.",
        "请接到下一步或结束事件。",
        "Connect it to the next step or to an end event.",
    ),
    "many_ways_out": (
        "有 {count} 条连线离开它，却不是网关。",
        "{count} lines leave it, and it is no gateway.",
        "请用并行或排他网关分开。",
        "Part the ways with a parallel or exclusive gateway.",
    ),
    "unreachable": ("从开始走不到它。", "It cannot be reached from the start.", "请把它接上，或删去。", "Connect it, or remove it."),
    "endless": (
        "有一个没有人也没有定时的回路：{way}。",
        "There is a loop without a person or a timer in it: {way}.",
        "请在回路里放一个任务或定时。",
        "Put a task or a timer into the loop.",
    ),
    "ignored_condition": (
        "这条线上的条件不会被看。",
        "The condition on this line would not be looked at.",
        "请在前面放排他网关，或删去条件。",
        "Put an exclusive gateway before it, or remove the condition.",
    ),
    "no_condition": (
        "离开网关的线既没有条件，也不是默认路径。",
        "A line out of the gateway has no condition and is not its default.",
        "请写条件，或把它设为默认路径。",
        "Write a condition, or make it the default.",
    ),
    "bad_default": ("默认路径 {ref} 不是离开它的线。", "Its default {ref} is no line out of it.", "请重新指定默认路径。", "Choose the default anew."),
    "never_ends": ("从这里走不到结束。", "No way leads from here to an end.", "请画一条走向结束事件的线。", "Draw a way to an end event."),
    "join_in_loop": (
        "回路里的并行或包容汇合，第二圈会等错。",
        "A parallel or inclusive join inside a loop would wait for the wrong ones the second time round.",
        "请把分开到汇合这一段放进子流程。",
        "Put what is between parting and meeting into a sub-process.",
    ),
    "deadlock": (
        "会有一次汇合永远等不到：有的走法不会把每条进线都走到。",
        "It may wait for ever: there are ways on which not every line into it is taken.",
        "请让分开与汇合用同一种网关；定时补出来的一支直接接到结束。",
        "Part and meet at gateways of the same kind; lead what a timer adds straight to the end.",
    ),
    "doubled": (
        "同一条进线上可能来两次，引擎会丢掉一次。",
        "The same line may bring it two tokens, of which the engine would lose one.",
        "请先用并行网关汇合，再往下走。",
        "Let the ways meet at a parallel gateway first.",
    ),
    "engine": ("引擎不接受：{why_zh}。", "The engine does not accept it: {why_en}.", "请对照说明改画这一处。", "Draw this place anew as the guide says."),
    # warnings: it runs, but look
    "gap": (
        "没有默认路径，条件都不成立时规程会停住。",
        "There is no default: where no condition holds, the playbook stops.",
        "建议指定一条默认路径。",
        "Better give it a default.",
    ),
    "ignored": ("{kind} 不会被执行。", "{kind} is not carried out.", "如无用处可删去。", "Remove it if it is of no use."),
    "other_process": ("流程“{name}”不可执行，只作图示。", "The process '{name}' is not executable and only shown.", "无需处理。", "Nothing need be done."),
    "no_drawing": ("没有图形信息，无法展示。", "It has no diagram, so it cannot be shown.", "请用 BPMN 编辑器保存图形。", "Save it from a BPMN editor with its diagram."),
    "no_limit": ("没有写时限。", "It has no limit.", "建议写 zs:limit。", "Better write zs:limit."),
}
"""A row by its code: reason in zh and en, remedy in zh and en."""

WARNINGS = frozenset({"gap", "ignored", "other_process", "no_drawing", "no_limit"})
