"""Why something could not be read or written, in both languages: what libraries say in English of an error becomes words of ours.

Knows how errors are worded; never what was read, or who asked.
"""

import re

from zhongshu.kernel.problem import Problem

FOREIGN = "内容不符合约定的格式"
_AT = r"(?: - at `\$\.?(?P<at>[^`]*)`)?"
_WORDS = (
    ("array list", "列表", "a list"),
    ("object dictionary", "对象", "an object"),
    ("str string", "文字", "text"),
    ("int integer", "整数", "a whole number"),
    ("float number", "数字", "a number"),
    ("bool boolean", "真或假", "true or false"),
    ("null", "空值", "null"),
)
_TYPES = {name: (zh, en) for names, zh, en in _WORDS for name in names.split()}
_LIMITS = (
    ("greater than or equal to|>=", "不小于", "at least"),
    ("less than or equal to|<=", "不大于", "at most"),
    ("greater than|>", "大于", "above"),
    ("less than|<", "小于", "below"),
    ("at least", "至少", "at least"),
    ("at most", "至多", "at most"),
)
_BOUNDS = {name: (zh, en) for names, zh, en in _LIMITS for name in names.split("|")}
_SAID = tuple(
    (re.compile(pattern), zh, en)
    for pattern, zh, en in (
        # cut off, torn, packed otherwise, encoded otherwise, too large or too deep
        (r"truncated|ended before the end|[Uu]nexpected (?:EOF|end)|[Tt]oo small|null or length 0", "内容不完整，中途断了", "it is cut off"),
        (r"only read \d+|(?:only|able to read) \d+ bytes", "内容不完整，中途断了", "it is cut off"),
        (r"Not a gzipped file", "它不是 gzip", "it is not gzip"),
        (r"CRC check failed|Incorrect length of data|while decompressing|Invalid flatbuffers|Corrupted message|malformed$|broken (?:PNG|data)", "内容已损坏", "it is damaged"),
        (r"codec can't decode byte \S+ in position (?P<byte>\d+)", "从第 {byte} 个字节起不是 UTF-8", "it is not UTF-8 from byte {byte} on"),
        (r"recursion|[Nn]esting|too deep", "嵌套太深", "it is nested too deeply"),
        (r"exceeds? limit|exceeded maximum size|[Tt]oo many|too large|decompression bomb", "内容太大或太多", "it is too large, or too much at once"),
        (r"straddling", "有一行太长", "a line is too long"),
        (r"[Ee]mpty (?:CSV|file)", "它是空的", "it is empty"),
        # JSON, and whether it has the shape asked for
        (r"JSON is malformed.*\(byte (?P<byte>\d+)\)", "第 {byte} 个字节处不是合法的 JSON", "it is not JSON at byte {byte}"),
        (r": line (?P<line>\d+) column (?P<column>\d+) \(char", "第 {line} 行第 {column} 个字处不是合法的 JSON", "it is not JSON at line {line} column {column}"),
        (r"JSON", "不是合法的 JSON", "it is not JSON"),
        (r"^(?P<name>.*) \(at line (?P<line>\d+), column (?P<column>\d+)\)", "第 {line} 行第 {column} 个字处写法不对", "{name} at line {line}, column {column}"),
        (rf"[Mm]issing required field `(?P<name>[^`]*)`{_AT}", "{at}缺少 {name}", "{at}{name} is missing"),
        (rf"Expected `(?P<wanted>[^`]*)`, got `(?P<got>[^`]*)`{_AT}", "{at}应为{wanted}，实为{got}", "{at}expected {wanted}, got {got}"),
        (rf"Expected `\w+` (?P<bound>[<>]=?) (?P<limit>\S+){_AT}", "{at}应{bound} {limit}", "{at}expected {bound} {limit}"),
        (r"Unsupported cast from (?P<name>[^ ]+)", "有一列的类型不对（{name}）", "a column is of the wrong type ({name})"),
        (r"Field required", "缺少这一项", "it is missing"),
        (r"Extra inputs|unexpected keyword", "不认识这一项", "it is not known here"),
        (r"should be an? (?:valid )?(?P<wanted>integer|number|string|boolean|list|dictionary|array|object)", "应为{wanted}", "expected {wanted}"),
        (r"should be a finite number", "应为有限的数字", "expected a finite number"),
        (r"should be (?P<bound>(?:greater|less) than(?: or equal to)?) (?P<limit>\S+)", "应{bound} {limit}", "expected {bound} {limit}"),
        (r"String should have (?P<bound>at least|at most) (?P<limit>\d+)", "应有{bound} {limit} 个字", "expected {bound} {limit} characters"),
        (r"(?:List|Dictionary) should have (?P<bound>at least|at most) (?P<limit>\d+)", "应有{bound} {limit} 项", "expected {bound} {limit} items"),
        (r"Input should be (?P<name>'.*')", "应为 {name}", "expected {name}"),
        (r"should match pattern '(?P<name>.*)'", "不合 {name} 的写法", "it is not written like {name}"),
        (r"[Mm]issing boundary|[Bb]oundary character|parsing the body", "分段的界线不对，无法拆开", "its parts cannot be told from each other"),
        (r"Self-intersection\[(?P<name>[^\]]*)\]", "交于 {name}", "it crosses itself at {name}"),
        # servers, pictures and stores
        (r"certificate has expired", "对方的证书已过期", "its certificate has expired"),
        (r"certificate verify failed", "对方的证书不可信，或不是这台主机的", "its certificate is not trusted, or is another host's"),
        (r"timed? ?out|TimeoutError|[Nn]o response", "没有应答", "there is no answer"),
        (r"[Cc]onnection refused|Connect call failed", "对方拒绝连接，可能没有启动", "the connection was refused"),
        (r'(?:database|schema) "(?P<name>[^"]*)" does not exist', "没有 {name} 这个库", "there is no database {name}"),
        (r'role "(?P<name>[^"]*)" does not exist', "没有 {name} 这个账号", "there is no role {name}"),
        (r"authentication failed|no password|Authorization Violation|[Aa]ccess denied|ACCESS_(?:DENIED|KEY)", "账号或口令不对", "the account or its password is wrong"),
        (r"resolve host|Name or service not known|name resolution", "找不到这台主机", "the host is not known"),
        (r"cannot identify image|not a (?:PNG|JPEG|WEBP)", "它不是这种图片", "it is no such picture"),
        (r"No space left|disk is full", "磁盘已满", "the disk is full"),
        (r"readonly|[Rr]ead-only|Permission denied", "没有写入的权限", "it may not be written"),
        (r"database is locked", "正被占用", "it is in use"),
        (r"not a database", "它不是数据库文件", "it is no database"),
        (r"No such file|NO_SUCH_|unable to open", "没有这个文件，或无权打开", "there is no such file, or it may not be opened"),
    )
)


def why(error: object, otherwise: str = FOREIGN) -> dict[str, str]:
    """Return `why_zh` and `why_en` of an error or of what a library said; where nobody knows it, `otherwise` in Chinese and its own words in English only."""
    if isinstance(error, Problem):
        return {"why_zh": error.sentence("zh").rstrip("。"), "why_en": error.sentence().rstrip(".")}
    said = f"Missing required field `{error.args[0]}`" if isinstance(error, KeyError) and error.args else str(error) or type(error).__name__
    for pattern, zh, en in _SAID:
        if found := pattern.search(said):
            return {"why_zh": _fill(zh, found, 0), "why_en": _fill(en, found, 1)}
    return {"why_zh": otherwise, "why_en": next(iter(said.strip().splitlines()), "").rstrip(".") or type(error).__name__}


def _fill(template: str, found: re.Match[str], language: int) -> str:
    """Fill in what the error told, types and bounds in words; bytes count from 1 as everywhere here."""
    told = {name: text or "" for name, text in found.groupdict().items()}
    for name in told.keys() & {"wanted", "got"}:
        told[name] = ("或", " or ")[language].join(_TYPES[t][language] if t in _TYPES else t for t in told[name].split(" | "))
    if "bound" in told:
        told["bound"] = _BOUNDS[told["bound"]][language]
    if "byte" in told:
        told["byte"] = str(int(told["byte"]) + 1)
    if told.get("at"):
        told["at"] += (" ", ": ")[language]
    return template.format_map(told)
