"""What a simulator may be told to be wrong with it. Every engine says it in these words; nothing here knows an engine."""

from zhongshu.kernel.problem import declare

MODEL = declare(
    "twin.model",
    "invalid",
    zh=("{engine} 读不了模型 {model}：{cause}。", "请按所指的行改正模型，再导入一次。"),
    en=("{engine} cannot read the model {model}: {cause}.", "Mend the model at the line named and import it again."),
)
INPUT = declare(
    "twin.input",
    "invalid",
    zh=("模型里没有可以设的 {what}。", "请核对名称；能设什么写在 DATA/twin 里这个模型的 card.json，对象写在模型文件里。"),
    en=("The model has no {what} that could be set.", "Check the name: what can be set is on the model's card.json in DATA/twin, its objects are in the model's file."),
)
NOT_A_NUMBER = declare(
    "twin.not_a_number",
    "unavailable",
    zh=("{engine} 在 {what} 处算出的不是数。", "模型在此不稳定：请缩短步长，或检查该处的参数。"),
    en=("{engine} gave something that is no number at {what}.", "The model is unstable there: take a shorter step, or check the object's parameters."),
)
BROKEN = declare(
    "twin.broken",
    "unavailable",
    zh=("{engine} 中途停下：{cause}。", "请看推演日志；改正模型或变动后重新推演。"),
    en=("{engine} stopped in mid-run: {cause}.", "See the run's log; mend the model or the change, and run again."),
)
KILLED = declare(
    "twin.killed",
    "unavailable",
    zh=("{engine} 的进程没了（{how}）。", "多半是内存不够或被人结束；请重新推演，或用小一些的模型。"),
    en=("{engine}'s process is gone ({how}).", "Most likely memory ran out or someone ended it: run again, or take a smaller model."),
)
HUNG = declare(
    "twin.hung",
    "unavailable",
    zh=("{engine} 在 {seconds} 秒内没有算完一步，已经停掉。", "请缩小模型或缩短推演，或把时限放长。"),
    en=("{engine} did not finish a step within {seconds} s and was stopped.", "Take a smaller model or a shorter run, or allow more time."),
)
MISSING = declare(
    "twin.missing",
    "unavailable",
    zh=("这里没有装 {engine}。", "安装数字孪生的引擎：pip install 'zhongshu[twin]'。"),
    en=("{engine} is not installed here.", "Install the twin's engines: pip install 'zhongshu[twin]'."),
)
