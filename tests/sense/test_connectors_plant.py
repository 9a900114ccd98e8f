"""OPC UA and Modbus against the libraries' own servers on loopback: values arrive, the server goes away and comes back, nothing is doubled."""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import DAY, LiveClock
from zhongshu.kernel.journal import Entry
from zhongshu.sense import Feed
from zhongshu.sense.feeds import feed as runner
from zhongshu.sense.feeds.declared import Register
from zhongshu.sense.feeds.modbus import TOGETHER, blocks

RAIN, WARM = {"entity": "urn:zs:Gauge:1", "property": "Gauge.rain"}, {"entity": "urn:zs:Gauge:1", "property": "Gauge.temp"}


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def until(what: Callable[[], bool], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def stored(record: list[Entry], property_: str = "Gauge.rain") -> list[tuple[int, float]]:
    return [(r["valid"], r["raw"]) for e in record if e.table is not None for r in e.table.to_pylist() if r["property"] == property_]


def accepted(journal: SqliteJournal) -> int:
    return journal.counts().get("open", {}).get("accepted", 0)


class Looped:
    """A server on an event loop of its own thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()


class Plant(Looped):
    """An OPC UA server with two variables."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.run(self._open(port))

    async def _open(self, port: int) -> None:
        from asyncua import Server

        self.server = Server()
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/plant")
        space = await self.server.register_namespace("urn:plant")
        self.nodes = [await self.server.nodes.objects.add_variable(f"ns={space};s={name}", name, value) for name, value in (("rain", 1.5), ("name", "text"))]
        self.space = space
        await self.server.start()

    def set(self, value: Any, number: int = 0) -> None:
        self.run(self.nodes[number].write_value(value))

    def bad(self) -> None:
        from asyncua import ua

        self.run(self.nodes[0].write_value(ua.DataValue(ua.Variant(9.5, ua.VariantType.Double), ua.StatusCode(ua.StatusCodes.BadSensorFailure))))

    def stop(self) -> None:
        self.run(self.server.stop())
        self.end()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "FIRST_DELAY", 0.1)
    monkeypatch.setattr(runner, "LONGEST_DELAY", 0.3)


@pytest.mark.port
@pytest.mark.usefixtures("hasty")
def test_opc_ua_changes_come_and_a_server_that_comes_back_doubles_nothing(desk: Any, feed_of: Callable[..., Feed], journal: SqliteJournal, record: list[Entry]) -> None:
    pytest.importorskip("asyncua", reason="OPC UA is not installed: pip install 'zhongshu[feeds]'")
    desk.clock = desk.intake.clock = LiveClock()
    plant = Plant(port := free_port())
    nodes = [RAIN | {"node": f"ns={plant.space};s=rain"}, WARM | {"node": f"ns={plant.space};s=name"}, WARM | {"node": "ns=9;s=none"}]
    held = feed_of({"kind": "opcua", "address": f"opc.tcp://127.0.0.1:{port}/plant", "every": "50ms", "nodes": nodes})
    held.start()
    until(lambda: stored(record) != [])
    assert stored(record)[0][1] == 1.5 and abs(stored(record)[0][0] - time.time() * 1e6) < DAY
    assert held.report()["last_error"]["code"] == "connector.no_node" and not held.report()["failing"], "one variable that is not there costs no other"
    for value in (2.5, 3.5, 4.5):
        plant.set(value)
        until(lambda value=value: stored(record)[-1][1] == value)
    until(lambda: [r["code"] for r in journal.quarantine("open", 0, 9)] == ["reading.not_a_number"])
    plant.bad()
    until(lambda: len(stored(record)) == 5)
    assert stored(record)[-1][1] is None or stored(record)[-1][1] != 9.5, "a bad value is none"
    plant.stop()
    until(lambda: held.report()["failing"])
    plant = Plant(port)
    plant.set(7.5)
    until(lambda: stored(record)[-1][1] == 7.5)
    until(lambda: not held.report()["failing"])
    held.stop()
    plant.stop()
    keys = [valid for valid, _ in stored(record)]
    assert len(keys) == len(set(keys)) and accepted(journal) == len(keys)


@pytest.mark.port
@pytest.mark.usefixtures("hasty")
def test_opc_ua_tells_the_present_value_again_after_a_break_and_it_changes_nothing(desk: Any, feed_of: Callable[..., Feed], journal: SqliteJournal, record: list[Entry]) -> None:
    pytest.importorskip("asyncua", reason="OPC UA is not installed: pip install 'zhongshu[feeds]'")
    desk.clock = desk.intake.clock = LiveClock()
    plant = Plant(port := free_port())
    row = {"kind": "opcua", "address": f"opc.tcp://127.0.0.1:{port}/plant", "every": "50ms", "nodes": [RAIN | {"node": f"ns={plant.space};s=rain"}]}
    for _ in range(3):
        held = feed_of(row)
        held.start()
        until(lambda held=held: held.report()["last_success"] is not None and len(stored(record)) == 1 and held.state.newest is not None)
        held.stop()
    plant.stop()
    assert accepted(journal) == 1 and len(stored(record)) == 1


class Device(Looped):
    """A Modbus TCP device."""

    def __init__(self, port: int, registers: list[int]) -> None:
        super().__init__()
        self.run(self._open(port, registers))

    async def _open(self, port: int, registers: list[int]) -> None:
        from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
        from pymodbus.server import ModbusTcpServer

        block = ModbusSequentialDataBlock(1, registers)
        bits = ModbusSequentialDataBlock(1, [1, 0, 1])
        self.server = ModbusTcpServer(ModbusServerContext(ModbusDeviceContext(hr=block, ir=block, co=bits, di=bits), single=True), address=("127.0.0.1", port))
        await self.server.serve_forever(background=True)

    def stop(self) -> None:
        self.run(self.server.shutdown())
        self.end()


def words(form: str, value: float) -> list[int]:
    packed = struct.pack(f">{form}", value)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


@pytest.mark.port
@pytest.mark.usefixtures("hasty")
def test_modbus_values_come_by_type_order_and_scale_and_go_on_after_a_break(desk: Any, feed_of: Callable[..., Feed], journal: SqliteJournal, record: list[Entry]) -> None:
    pytest.importorskip("pymodbus", reason="Modbus is not installed: pip install 'zhongshu[feeds]'")
    registers = [*words("f", 12.5), *reversed(words("i", -150)), *words("h", -7), *words("d", 33.25), 65535]
    device = Device(port := free_port(), registers)
    gauges = [f"urn:zs:Gauge:{name}" for name in "abcdefg"]
    declared: list[dict[str, Any]] = [
        {"at": 0, "type": "float32"},
        {"at": 2, "type": "int32", "words": "little", "scale": -0.1},
        {"at": 4, "type": "int16", "offset": 10.0},
        {"at": 5, "type": "float64", "of": "input"},
        {"at": 9, "type": "uint16", "scale": 0.001},
        {"at": 0, "of": "coil"},
        {"at": 5000, "type": "uint16"},
    ]
    rows = [row | {"entity": gauge, "property": "Gauge.rain"} for row, gauge in zip(declared, gauges, strict=True)]
    held = feed_of({"kind": "modbus", "address": f"modbus://127.0.0.1:{port}", "every": "50ms", "registers": rows})
    held.once()
    found = {r["entity"]: r["raw"] for e in record if e.table is not None for r in e.table.to_pylist()}
    assert found == dict(zip(gauges[:6], [12.5, 15.0, 3.0, 33.25, 65.535, 1.0], strict=True))
    assert held.report()["last_error"]["code"] == "connector.no_register" and "holding 5000" in json.dumps(held.report())
    desk.clock.at += 1_000_000
    held.start()
    until(lambda: accepted(journal) == 12)
    device.stop()
    until(lambda: held.report()["failing"])
    device = Device(port, registers)
    until(lambda: not held.report()["failing"])
    desk.clock.at += 1_000_000
    until(lambda: accepted(journal) == 18)
    held.stop()
    device.stop()
    keys = [(r["entity"], r["valid"]) for e in record if e.table is not None for r in e.table.to_pylist()]
    assert len(keys) == len(set(keys)) == 18


REGISTERS = st.lists(
    st.builds(
        lambda at, of, type_: Register(at, "e", "p", None, of, type_),
        st.integers(0, 2000),
        st.sampled_from(["holding", "input", "coil"]),
        st.sampled_from(["int16", "float32", "float64"]),
    ),
    max_size=200,
)


@given(REGISTERS)
def test_blocks_hold_every_register_once_and_fit_one_question(registers: list[Register]) -> None:
    found = blocks(registers)
    assert sorted((r.of, r.at, r.type) for block in found for r in block) == sorted((r.of, r.at, r.type) for r in registers)
    for block in found:
        size = {"int16": 1, "float32": 2, "float64": 4}
        ends = [r.at + (1 if r.of == "coil" else size[r.type]) for r in block]
        assert max(ends) - block[0].at <= TOGETHER and len({r.of for r in block}) == 1
        covered = {a for r, end in zip(block, ends, strict=True) for a in range(r.at, end)}
        assert covered == set(range(block[0].at, max(ends))), "no register is asked for that nobody declared"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    import logging

    names = ("asyncua", "pymodbus.logging")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)
