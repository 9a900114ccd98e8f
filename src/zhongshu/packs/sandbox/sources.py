"""The sandbox city's own feeds: made readings and made requests, in the native shape.

Knows no signal and no story: it only says who may send what.
"""

from zhongshu.kernel.clock import HOUR, MINUTE, SECOND
from zhongshu.sense import Source

DEVICES = Source(
    name="sandbox.devices",
    zh="云汀市感知设备（模拟）",
    en="Yunting's devices (simulated)",
    owner="dept-iot",
    zone="Asia/Shanghai",
    entities="known",
    rhythm=5 * SECOND,
    future=MINUTE,
    past=HOUR,
    licence="made by Zhongshu; Apache-2.0",
)

OFFICES = Source(
    name="sandbox.offices",
    zh="云汀市气象台与热线话务平台（模拟）",
    en="Yunting's weather office and call centre (simulated)",
    owner="dept-iot",
    zone="Asia/Shanghai",
    entities="register",
    rhythm=MINUTE,
    future=MINUTE,
    past=HOUR,
    licence="made by Zhongshu; Apache-2.0",
)

VOICES = Source(
    name="sandbox.voices",
    zh="云汀市市民诉求（模拟）",
    en="Yunting's citizens' requests (simulated)",
    owner="dept-hotline",
    kind="requests",
    zone="Asia/Shanghai",
    entities="register",
    rhythm=MINUTE,
    grade=2,
    licence="made by Zhongshu; Apache-2.0",
)

SOURCES = (DEVICES, OFFICES, VOICES)
