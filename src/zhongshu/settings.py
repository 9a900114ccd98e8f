"""Every setting once: name, default, help. Read from the command line, the environment (`ZS_<NAME>`) and a settings file; then frozen.

What is said nearer wins: the command line before the environment, the environment before the file, the file before the default.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from zhongshu.kernel.problem import declare
from zhongshu.kernel.reason import why

UNREADABLE = declare(
    "settings.unreadable",
    "invalid",
    zh=("读不了设置文件 {path}：{why_zh}。", "它是一个 TOML 文件，每行一项，例如 port = 8700。"),
    en=("The settings file {path} cannot be read: {why_en}.", "It is a TOML file with one setting a line, for example: port = 8700."),
)
UNKNOWN = declare(
    "settings.unknown",
    "invalid",
    zh=("设置文件 {path} 里的 {name} 不是本程序的设置。", "可用的设置（最接近的在前）：{near}，{others}。"),
    en=("{name} in the settings file {path} is no setting of this program.", "The settings are, the nearest first: {near}, {others}."),
)
INVALID = declare(
    "settings.invalid",
    "invalid",
    zh=("设置 {name} 的值“{value}”（来自 {where}）用不了。", "应为：{wanted_zh}。"),
    en=("The value '{value}' of the setting {name}, from {where}, cannot be used.", "It is to be {wanted_en}."),
)
FILE = "settings"
"""What names the settings file: `--settings`, or `ZS_SETTINGS`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a setting's value is to be, in words, and how it is read; `read` raises ValueError."""

    zh: str
    en: str
    read: Callable[[str], Any]


def _text(said: str) -> str:
    return said


def _number(zh: str, en: str, of: Callable[[str], float], least: float, most: float = float("inf")) -> Kind:
    def read(said: str) -> float:
        value = of(said)
        if not least <= value <= most or value == float("inf"):
            raise ValueError(said)
        return value

    return Kind(zh, en, read)


def _like(zh: str, en: str, pattern: str) -> Kind:
    def read(said: str) -> str:
        if re.fullmatch(pattern, said) is None:
            raise ValueError(said)
        return said

    return Kind(zh, en, read)


def _one_of(*words: str) -> Kind:
    return _like(" 或 ".join(words), " or ".join(words), "|".join(words))


TEXT = Kind("加引号的文字", "text, in quotes", _text)
PORT = _number("0 到 65535 的整数", "a whole number from 0 to 65535", int, 0, 65_535)
COUNT = _number("不小于 0 的整数", "a whole number, 0 or more", int, 0)
SECONDS = _number("大于 0 的秒数", "a number of seconds above 0", float, 0.001)
MEMORY = _like("数字加单位，例如 4GB", "a number with its unit, for example 4GB", r"(?i)\d+(\.\d+)? ?([KMGT]i?)?B")
TOLD = _like("空、on 或 http(s):// 开头的地址", "empty, on, or an address that begins with http:// or https://", r"|on|https?://.+")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    name: str
    default: str
    help: str
    kind: Kind = TEXT


SETTINGS = (
    Setting("data", "DATA", "Folder of the city."),
    Setting("host", "127.0.0.1", "Address to listen on. Demo accounts work on a loopback address only."),
    Setting("port", "8700", "Port to listen on.", PORT),
    Setting(
        "role",
        "owner",
        "`owner`: the one process that writes a city; `beside`: one that takes in and answers beside it, on the same machine, with NATS and PostgreSQL.",
        _one_of("owner", "beside"),
    ),
    Setting("clock", "live", "`live`, or `replay@<RFC 3339>x<speed>`."),
    Setting("commit_s", "5", "Seconds between commits to the warehouse.", SECONDS),
    Setting("journal_keep", "500000", "Readings that stay in the journal after the warehouse has them, so that a damaged file can be written anew.", COUNT),
    Setting("merge_files", "120", "Number of small files from which the warehouse merges them.", COUNT),
    Setting("merge_s", "60", "Seconds between looks at whether files are to be merged.", SECONDS),
    Setting("memory", "4GB", "Memory the warehouse's queries may use.", MEMORY),
    Setting("disk_floor_mb", "500", "Megabytes of disk below which intake stops.", COUNT),
    Setting("demo_password", "yunting-demo", "Password of the sandbox's demo accounts."),
    Setting(
        "mqtt",
        "",
        "Broker to take readings from, for example `mqtt://127.0.0.1:1883`, or `mqtts://broker:8883?ca=ca.pem&cert=city.pem&key=city.key`; empty: none. Topic `zhongshu/<source>`.",
    ),
    Setting("desk", "", "Where the desk stands: `postgresql://user@host/database`, with the extra `postgresql`; empty: SQLite in the city's folder."),
    Setting("journal", "", "Where the journal stands: `nats://host:4222[?monitor=http://host:8222]`, with the extra `cluster`; empty: SQLite in the city's folder."),
    Setting("catalogue", "", "Where the warehouse's catalogue stands: `postgresql://user@host/database`, with the extra `cluster`; empty: SQLite in the city's folder."),
    Setting("uplink", "", "The NATS server of this node, a leaf of the city's, through which readings go up: `nats://127.0.0.1:4222`; empty: none."),
    Setting("uplink_mb", "1024", "Megabytes that may wait there for the line; beyond them the readings wait in the node's own record.", COUNT),
    Setting("uplink_what", "*", "Which properties go up: patterns such as `WaterLevelSensor.*`, with commas between."),
    Setting("links", "", "The NATS server to which the districts' nodes are leaves, and their names: `nats://127.0.0.1:4222?domain=east&domain=west`; empty: none."),
    Setting("spark", "", "Where the past may be computed again beside this machine: `spark://127.0.0.1:7077`, or `local[2]`, with the extra `spark`; empty: nowhere."),
    Setting("spark_host", "127.0.0.1", "Address by which Spark's workers reach this program while it recomputes."),
    Setting(
        "telemetry", "", "`on`: metrics at /metrics; an address such as `http://127.0.0.1:4318`: traces too, sent there by OTLP. With the extra `telemetry`; empty: off.", TOLD
    ),
    Setting("forecast_s", "3600", "Seconds between two runs of what comes if all goes on as it does, where the extra `twin` and models are there; 0: none by itself.", COUNT),
    Setting("run_limit_s", "1800", "Seconds one run of a scenario may take.", SECONDS),
    Setting(
        "twin",
        "auto",
        "`auto`: where the extra `twin` is installed, a sandbox city's devices say what its engines bring about; `off`: they speak by themselves.",
        _one_of("auto", "off"),
    ),
    Setting("log", "text", "How the log is written: `text`, or `json`, an object a line.", _one_of("text", "json")),
    Setting(
        "classifier",
        "auto",
        "What proposes a class for citizens' words: `grams`, `sentences` (the extra `ai`), or `auto`: sentences where the extra is installed.",
        _one_of("auto", "grams", "sentences"),
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force."""

    data: Path
    host: str
    port: int
    role: str
    clock: str
    commit_s: float
    journal_keep: int
    merge_files: int
    merge_s: float
    memory: str
    disk_floor_mb: int
    demo_password: str
    mqtt: str
    desk: str
    journal: str
    catalogue: str
    uplink: str
    uplink_mb: int
    uplink_what: str
    links: str
    spark: str
    spark_host: str
    telemetry: str
    forecast_s: int
    run_limit_s: float
    twin: str
    log: str
    classifier: str

    @property
    def loopback(self) -> bool:
        """Tell whether the server listens to this machine only."""
        return self.host in {"127.0.0.1", "localhost", "::1"}


def read(given: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings: what is given, else the environment's, else the file's, else the defaults.

    Raises `settings.unreadable`, `settings.unknown`, `settings.invalid`.
    """
    given = given or {}
    file = given.get(FILE) or os.environ.get(f"ZS_{FILE.upper()}")
    written = _written(file)
    held: dict[str, Any] = {}
    for setting in SETTINGS:
        name, in_environment = setting.name, f"ZS_{setting.name.upper()}"
        said = ((given.get(name), f"--{name}"), (os.environ.get(in_environment), in_environment), (written.get(name), file), (setting.default, ""))
        held[name] = _valued(setting, *next((value, where) for value, where in said if value is not None))
    return Settings(**{**held, "data": Path(held["data"]).absolute()})


def _valued(setting: Setting, value: object, where: object) -> Any:  # noqa: ANN401 (what its kind makes of it)
    """Return a setting's value of what was said; raises `settings.invalid`."""
    try:
        if isinstance(value, str | Path) or (setting.kind is not TEXT and isinstance(value, int | float)):
            return setting.kind.read(str(value))
    except ValueError:
        pass
    told = type(value).__name__ if setting.kind is TEXT else value  # a text may be a password or hold one
    raise INVALID(name=setting.name, value=told, where=where, wanted_zh=setting.kind.zh, wanted_en=setting.kind.en)


def secret(folder: Path, name: str) -> str | None:
    """Return what is kept under a name outside every table and file of settings: `ZS_SECRET_<NAME>`, else the city's file `secrets/<name>`; None where neither is."""
    held = os.environ.get(f"ZS_SECRET_{name.upper().replace('-', '_').replace('.', '_')}")
    if held is None:
        try:
            held = (folder / "secrets" / name).read_text("utf-8").strip()
        except (OSError, ValueError):
            return None
    return held or None


def _written(path: str | Path | None) -> dict[str, Any]:
    """Return what a settings file says; a folder in it is meant from where the file lies."""
    if not path:
        return {}
    file = Path(path)
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UNREADABLE(path=file, **why(error, "内容不是 TOML，或没有这个文件")) from error
    known = [setting.name for setting in SETTINGS]
    for name in found:
        if name not in known:
            by_nearness = get_close_matches(name, known, len(known), 0)
            raise UNKNOWN(path=file, name=name, near=", ".join(by_nearness[:12]), others=", ".join(by_nearness[12:]))  # in two parts: a long particular is cut
    if isinstance(found.get("data"), str):
        found["data"] = str(file.absolute().parent / found["data"])
    return found
