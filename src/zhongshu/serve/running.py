"""How the program itself is doing: what would hurt if it went on so, a row each with its limit and what to do. It reads, and changes nothing."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zhongshu.act import relay
from zhongshu.kernel.clock import SECOND
from zhongshu.kernel.problem import Problem
from zhongshu.serve.city import City

MB = 2**20


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of the running program. Beyond `limit` (below it where `least`) the program is not ready for work as it should be."""

    name: str
    unit: str
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str
    read: Callable[[City], float]
    limit: Callable[[City], float]
    least: bool = False
    outside: bool = False
    """Whether it is others who are not well: told, and no reason to stop or start this program."""
    there: Callable[[City], bool] = lambda _: True
    """Whether a city has what is measured."""

    def well(self, value: float, limit: float) -> bool:
        """Tell whether a value keeps its limit; one that is not known does not."""
        return value >= limit if self.least else value <= limit


def _signs_behind(city: City) -> float:
    return max(0, city.clock.now() - city.watch.memory.at) / SECOND if city.clock.mode == "live" else 0.0


def _warehouse_behind(city: City) -> float:
    return max(0, time.time_ns() // 1000 - since) / SECOND if city.clock.mode == "live" and (since := city.lake.behind()) is not None else 0.0


def _history_behind(city: City) -> float:
    try:
        since = city.desk.read(relay.behind)
    except Problem:
        return math.nan
    return 0.0 if since is None else max(0, city.clock.now() - since) / SECOND


MEASURES = (
    Measure(
        "disk_free_mb",
        "MB",
        "磁盘剩余",
        "Disk left",
        "清理磁盘或扩容：低于这条线就停止接收数据。",
        "Free or add space: below this line intake stops.",
        lambda city: city.pipe.disk()[0] // MB,
        lambda city: city.pipe.disk()[1] // MB,
        least=True,
    ),
    Measure(
        "journal_reached",
        "",
        "日志连得上",
        "Journal reached",
        "NATS 不在：检查它是否在运行、网络是否通。期间不确认任何新数据，发送方会重发；恢复后自动接上。",
        "NATS is away: see whether it runs, and the network. Nothing new is acknowledged meanwhile and senders send again; it goes on by itself when it is back.",
        lambda city: float(city.reached["journal"]()),
        lambda _: 1,
        least=True,
        there=lambda city: "journal" in city.reached,
    ),
    Measure(
        "desk_reached",
        "",
        "业务库连得上",
        "Desk reached",
        "PostgreSQL 不在：检查它是否在运行、网络是否通。期间数据照收，案件和登录要等它恢复。",
        "PostgreSQL is away: see whether it runs, and the network. Readings are taken in meanwhile; cases and sign-ins wait until it is back.",
        lambda city: float(city.reached["desk"]()),
        lambda _: 1,
        least=True,
        there=lambda city: "desk" in city.reached,
    ),
    Measure(
        "signs_behind_s",
        "s",
        "体征落后",
        "Signs behind the clock",
        "日志连不上时体征会停住；若连得上，就是数据多于算力：看看是否有新增的大批设备或指标，或换更快的机器。",
        "Without the journal the signs stand still; with it, more comes in than is worked through: look for new devices or indicators, or use a faster machine.",
        _signs_behind,
        lambda _: 10,
    ),
    Measure(
        "intake_waiting",
        "rows",
        "待写日志的观测",
        "Readings waiting for the journal",
        "磁盘写得太慢，或来得太快：到上限时会请发送方稍后再发。",
        "The disk is too slow, or too much comes: at the most, senders are asked to wait.",
        lambda city: city.pipe.waiting(),
        lambda city: city.pipe.most,
    ),
    Measure(
        "desk_waiting",
        "commands",
        "待写业务库的命令",
        "Commands waiting for the desk",
        "业务库写得太慢：查看磁盘或数据库。",
        "The desk writes too slowly: look at its disk or database.",
        lambda city: city.desk.waiting(),
        lambda _: 2000,
    ),
    Measure(
        "warehouse_behind_s",
        "s",
        "未入仓的最早观测",
        "Oldest reading not in the warehouse",
        "入仓一直失败：查看日志里的 keeper.failed；数据还在日志里，没有丢失。",
        "Commits fail: look for keeper.failed in the log. The readings stand in the journal; none is lost.",
        _warehouse_behind,
        lambda _: 600,
    ),
    Measure(
        "history_behind_s",
        "s",
        "未计入体征的最早办理",
        "Oldest step not counted yet",
        "办理记录没有送出：查看日志里的 keeper.failed。",
        "Steps are not handed on: look for keeper.failed in the log.",
        _history_behind,
        lambda _: 120,
    ),
    Measure(
        "clock_back_s",
        "s",
        "时钟倒退",
        "Clock behind what was stamped",
        "机器的时间被拨回：校时之前，体征停在原处，数据照收。",
        "The machine's time was set back: until it has caught up, signs stand still; data is taken in.",
        lambda city: max(0, city.pipe.stamped() - city.clock.now()) / SECOND if city.clock.mode == "live" else 0.0,
        lambda _: 5,
    ),
    Measure(
        "uplink_waiting_mb",
        "MB",
        "待送往市级的数据",
        "Waiting for the line to the city",
        "线路断了或太慢：到上限后，数据留在本节点的库里，恢复后自动补送，不丢不重。",
        "The line is cut or too slow: beyond the limit the readings stay in this node's record and go up when it is back, none lost and none twice.",
        lambda city: 0 if city.uplink is None else city.uplink()[0] // MB,
        lambda city: 1 if city.uplink is None else max(1, city.uplink()[1] * 9 // 10 // MB),
        there=lambda city: city.uplink is not None,
    ),
    Measure(
        "rounds_failing",
        "rounds",
        "正在失败的例行工作",
        "Rounds that fail",
        "查看日志里的 keeper.failed；每一轮都会再试。",
        "Look for keeper.failed in the log; each is tried again at its next turn.",
        lambda city: len(city.failing),
        lambda _: 0,
    ),
    Measure(
        "feeds_failing",
        "rounds",
        "正在失败的接入",
        "Feeds that fail",
        "GET /api/sources 各行的 feed 写明是哪个数据源、为什么，不属于任何数据源的在 refused 里；不通的会自动重试，恢复后接着取。",
        "The rows of GET /api/sources say under feed which source it is and why, its refused what belongs to none; what does not come is tried again, and goes on where it stood.",
        lambda city: sum(report()["failing"] for _, report in city.feeds),
        lambda _: 0,
        outside=True,
    ),
    Measure(
        "ledger_whole",
        "",
        "台账完整",
        "Ledger whole",
        "台账与锚点不一致：停下来，运行 zhongshu verify，并与备份核对。",
        "The ledger does not agree with its anchor: stop, run zhongshu verify, and compare with a backup.",
        lambda city: float(city.ledger.whole),
        lambda _: 1,
        least=True,
    ),
)


def measured(city: City) -> list[dict[str, Any]]:
    """Return every measure now: {name, zh, en, unit, value, limit, least, well, outside, remedy_zh, remedy_en}."""
    found = []
    for one in (each for each in MEASURES if each.there(city)):
        value, limit = round(float(one.read(city)), 3), one.limit(city)
        held = {name: getattr(one, name) for name in ("name", "zh", "en", "unit", "least", "outside", "remedy_zh", "remedy_en")}
        found.append(held | {"value": value, "limit": limit, "well": one.well(value, limit)})
    return found
