"""What every benchmark needs: a server of its own, what a process uses, and a table at the end. Asserts nothing."""

import contextlib
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from zhongshu.app.commands import through_owner
from zhongshu.settings import read

HERE = Path(__file__).parent
SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))
"""How long each load lasts."""


@dataclass
class Table:
    """Rows of (what, measured, beside it), printed as they come."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, measured: str, beside: str = "") -> None:
        """Print a row."""
        self.rows.append((what, measured, beside))
        print(f"{what:<66}  {measured:<58}  {beside}", flush=True)


def head() -> None:
    """Print on what it was measured."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}", flush=True)


class Spread(float):
    """The median of some runs, and their least and most, shown together: `f"{spread:,.0f}"`."""

    low: float
    high: float

    def __format__(self, form: str) -> str:
        """Show all three in one form."""
        return f"{format(float(self), form)} ({format(self.low, form)}–{format(self.high, form)})"


def runs(work: Callable[[], float], times: int = 3) -> Spread:
    """Run something some times, and return the spread of what it gives."""
    found = [work() for _ in range(times)]
    spread = Spread(statistics.median(found))
    spread.low, spread.high = min(found), max(found)
    return spread


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait(url: str, seconds: float = 300) -> float:
    """Return how long it took until an address answered."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            if httpx.get(url, trust_env=False, timeout=2).status_code < 500:
                return time.monotonic() - begun
        except httpx.HTTPError:
            time.sleep(0.05)
    raise TimeoutError(url)


@contextlib.contextmanager
def process(*command: str, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command beside, and end it."""
    held = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    try:
        yield held
    finally:
        held.terminate()
        held.wait()


@dataclass
class Server:
    """A running city: its port, its process, and how long it took to the first values."""

    city: Path
    port: int
    pid: int
    cold: float

    def token(self, role: str, name: str) -> str:
        """Return a bearer token."""
        return str(through_owner(read({"data": self.city}), "token", {"role": role, "name": name, "area": None}, lambda *_: None))

    def source(self, name: str) -> str:
        """Register a source and return the token of who writes to it."""
        steward = self.token("steward", f"{name}-steward")
        body = {"name": name, "entities": "known"}
        httpx.post(f"http://127.0.0.1:{self.port}/api/sources", json=body, headers={"authorization": f"Bearer {steward}"}, trust_env=False).raise_for_status()
        return self.token(f"source_writer:{name}", name)


@contextlib.contextmanager
def serve(city: Path, **environment: str) -> Iterator[Server]:
    """Run a city of its own."""
    port, begun = free_port(), time.monotonic()
    with process("-m", "zhongshu.cli", "up", "--data", str(city), "--port", str(port), **({"ZS_TWIN": "off"} | environment)) as held:
        wait(f"http://127.0.0.1:{port}/api/vitals")
        yield Server(city, port, held.pid, time.monotonic() - begun)


def load(port: int, url: str, token: str, size: int, connections: int, seconds: float = SECONDS, rate: float = 0) -> dict[str, Any]:
    """Run a load of readings in a process of its own; `rate`: readings a second at most (0: as fast as they are taken)."""
    command = [sys.executable, str(HERE / "load.py"), str(port), url, token, str(size), str(connections), str(seconds), str(rate)]
    out = subprocess.run(command, capture_output=True, text=True, check=False)
    if out.returncode:
        raise RuntimeError(out.stderr[-600:])
    return dict(json.loads(out.stdout))


def cpu_of(pid: int) -> float:
    """Return the CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(pid: int, seconds: float = 30) -> None:
    """Wait until a server that has just started has done what it does once, and uses little."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        before = cpu_of(pid)
        time.sleep(1)
        if cpu_of(pid) - before < 0.3:
            return


def rss(pid: int) -> float:
    """Return a process's resident memory in MB."""
    line = next(row for row in Path(f"/proc/{pid}/status").read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
