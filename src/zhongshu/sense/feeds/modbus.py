"""Registers of a Modbus TCP device, polled: neighbours are read together, a value is read by its type and word order, then scaled.

A register that the device refuses is named and costs no other. Knows no plant. Function codes 1 to 4 only: it never writes.
"""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from zhongshu.kernel.clock import rfc3339
from zhongshu.kernel.problem import declare
from zhongshu.sense.feeds.batches import of_readings
from zhongshu.sense.feeds.declared import Modbus, Register
from zhongshu.sense.feeds.feed import NO_EXTRA, Part, Secret
from zhongshu.sense.feeds.marks import Mark
from zhongshu.sense.intake import Intake
from zhongshu.sense.source import Source

NO_REGISTER = declare(
    "connector.no_register",
    "invalid",
    zh=("Modbus 设备不给这些寄存器：{registers}。", "请核对 at、of 和 device；其余寄存器照常读取。"),
    en=("The Modbus device does not give these registers: {registers}.", "Check at, of and device; the others are read."),
)
TOGETHER = 120
"""Registers in one question at most; the protocol allows 125."""
_WORDS = {"int16": 1, "uint16": 1, "int32": 2, "uint32": 2, "int64": 4, "uint64": 4, "float32": 2, "float64": 4}
_BITS = ("coil", "discrete")


class ModbusReader:
    """Polls one device."""

    def __init__(self, row: Modbus, source: Source, intake: Intake, secret: Secret) -> None:  # noqa: ARG002 (the protocol has no secrets)
        """Take the row, its source and what checks."""
        self.row, self.source, self._intake = row, source, intake
        self._blocks = blocks(row.registers)

    def read(self, mark: Mark, stop: threading.Event) -> Iterator[Part]:  # noqa: ARG002 (registers have no past)
        """Yield the registers' values as they are now."""
        try:
            from pymodbus.client import ModbusTcpClient  # noqa: PLC0415 (an extra's)
        except ImportError as error:
            raise NO_EXTRA(kind="modbus", module="pymodbus") from error
        parts = urlsplit(self.row.address)
        client: Any = ModbusTcpClient(parts.hostname or "", port=parts.port or 502, timeout=5, retries=1, reconnect_delay=0)
        with closing(client):
            if not client.connect():
                message = f"{parts.hostname}:{parts.port or 502}: connection refused"
                raise ConnectionError(message)
            rows: list[dict[str, Any]] = []
            refused: list[str] = []
            for block in self._blocks:
                if stop.is_set():
                    return
                self._block(client, block, rows, refused)
        odd = NO_REGISTER(registers=", ".join(refused)) if refused else None
        yield Part(of_readings(self.source, self._intake, rows) if rows else None, odd=odd)

    def _block(self, client: Any, block: list[Register], rows: list[dict[str, Any]], refused: list[str]) -> None:  # noqa: ANN401 (an extra's)
        """Read neighbours; where the device refuses them together, each alone."""
        first, end = block[0].at, max(r.at + _size(r) for r in block)
        ask = {"holding": client.read_holding_registers, "input": client.read_input_registers, "coil": client.read_coils, "discrete": client.read_discrete_inputs}[block[0].of]
        answer = ask(first, count=end - first, device_id=self.row.device)
        held = answer.bits if block[0].of in _BITS else answer.registers
        if answer.isError() or len(held) < end - first:
            if len(block) > 1:
                for register in block:
                    self._block(client, [register], rows, refused)
            else:
                refused.append(f"{block[0].of} {first}")
            return
        now = rfc3339(self._intake.clock.now())
        for register in block:
            words = held[register.at - first : register.at - first + _size(register)]
            rows.append({"entity": register.entity, "property": register.property, "unit": register.unit, "time": now, "value": _value(client, register, words)})


def blocks(registers: list[Register]) -> list[list[Register]]:
    """Return registers in blocks that one question can read: of one table, without gaps, at most `TOGETHER` long."""
    found: list[list[Register]] = []
    for register in sorted(registers, key=lambda r: (r.of, r.at)):
        last = found[-1] if found else None
        fits = last is not None and last[0].of == register.of and register.at <= max(r.at + _size(r) for r in last) and register.at + _size(register) - last[0].at <= TOGETHER
        if last is not None and fits:
            last.append(register)
        else:
            found.append([register])
    return found


def _size(register: Register) -> int:
    return 1 if register.of in _BITS else _WORDS[register.type]


def _value(client: Any, register: Register, words: list[Any]) -> float:  # noqa: ANN401 (an extra's)
    if register.of in _BITS:
        raw = float(words[0])
    else:
        raw = client.convert_from_registers(list(words), client.DATATYPE[register.type.upper()], word_order=register.words)
    return raw if (register.scale, register.offset) == (1.0, 0.0) else round(raw * register.scale + register.offset, 9)
