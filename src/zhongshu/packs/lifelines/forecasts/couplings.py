"""How one lifeline bears on another, as rows over four networks by the roles sewers, roads, grid and water. Each says where its bound comes from.

Declares only: which models take the roles, and what is changed, a scenario says.
"""

from zhongshu.foresee import Coupling, Near, Source

_LAID = Source("云汀市（虚构）管线布置：每座泵房、每个信号路口由最近的 10 千伏母线供电 · made city: each pump house and signal is fed by the 10 kV bus beside it")

COUPLINGS: tuple[Coupling, ...] = (
    Coupling(
        name="积水封路 · a flooded road is closed",
        what="sewers:node.ponding",
        op=">=",
        value=15,
        unit="cm",
        target="roads:edge.closed",
        then=1,
        otherwise=0,
        near=Near(5),
        source=Source("GB 50014-2021", "4.1.4"),
    ),
    Coupling(
        name="环网柜进水跳闸 · a flooded ring main unit trips",
        what="sewers:node.ponding",
        op=">=",
        value=30,
        unit="cm",
        target="grid:bus.on",
        then=0,
        near=Near(16),
        source=Source("《电力设备管理》2023 年第 22 期，配电网防灾抗灾能力提升研究（站内地坪约高出室外 300 mm）", "2"),
    ),
    Coupling(
        name="停电停供水泵 · a water pump without power stops",
        what="grid:bus.supplied",
        op="=",
        value=0,
        unit="1",
        target="water:pump.speed",
        then=0,
        otherwise=1,
        near=Near(8),
        source=_LAID,
    ),
    Coupling(
        name="停电停排水泵 · a drainage pump without power stops",
        what="grid:bus.supplied",
        op="=",
        value=0,
        unit="1",
        target="sewers:pump.setting",
        then=0,
        otherwise=1,
        near=Near(25),
        source=_LAID,
    ),
    Coupling(
        name="停电信号灯灭 · a signal without power is dark",
        what="grid:bus.supplied",
        op="=",
        value=0,
        unit="1",
        target="roads:signal.dark",
        then=1,
        otherwise=0,
        near=Near(16),
        source=_LAID,
    ),
    Coupling(
        name="灯灭路口慢行 · past a dark signal one drives slowly",
        what="grid:bus.supplied",
        op="=",
        value=0,
        unit="1",
        target="roads:edge.speed",
        then=8.3,
        near=Near(16),
        source=Source("假定：信号熄灭后各进口轮流停让，全段按 30 km/h 计 · assumed: all approaches give way in turn, 30 km/h"),
    ),
)
