"""What journeys share: the command line as a person types it, a city run by a process of its own, and its folder opened afterwards."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from zhongshu import app, cli
from zhongshu.settings import Settings, read

QUIET = "import zhongshu.app.owner as o; o.Owner._live_in = lambda self: None; from zhongshu.cli import app; app()"
"""The command line, with the sandbox's simulated people staying at home."""


def settings(folder: Path, **more: Any) -> Settings:
    return read({"data": str(folder)} | more)


def ingest(folder: Path, path: Path, source: str) -> dict[str, int]:
    return app.ingest(settings(folder), path, source, "", lambda _what, _count: None)


def command(*words: object, code: int = 0) -> str:
    """Run the command line in this process; return what it printed."""
    done = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert done.exit_code == code, (words, done.exit_code, done.output[-2000:], done.exception)
    return done.stdout


def by_itself(*words: object, code: int = 0) -> str:
    """Run the command line in a process of its own; return what it printed."""
    done = subprocess.run([sys.executable, "-m", "zhongshu.cli", *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@contextmanager
def opened(folder: Path) -> Iterator[app.Assembly]:
    """Open a city that nobody runs."""
    with app.alone(settings(folder)) as (parts, _):
        yield parts


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class Running:
    """`zhongshu up` in a process of its own; ended by its own id."""

    def __init__(self, folder: Path, first: str = "") -> None:
        self.folder, port = folder, free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = (folder / "up.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{first}{QUIET}", "up", "--data", str(folder), "--port", str(port)], stdout=self.log, stderr=self.log, env=os.environ | {"ZS_COMMIT_S": "1"}
        )
        for _ in range(600):
            assert self.process.poll() is None, (folder / "up.log").read_text()[-3000:]
            try:
                if httpx.get(f"{self.url}/health", timeout=2, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.1)
        self.kill()
        raise AssertionError((folder / "up.log").read_text()[-3000:])

    def get(self, path: str, token: str) -> Any:
        answer = httpx.get(self.url + path, headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def send(self, source: str, batch: str, rows: list[dict[str, Any]], token: str) -> dict[str, Any]:
        body = "\n".join(map(json.dumps, rows))
        headers = {"Authorization": f"Bearer {token}", "Zs-Batch": batch, "Content-Type": "application/x-ndjson"}
        answer = httpx.post(f"{self.url}/api/sources/{source}/readings", content=body, headers=headers, timeout=20, trust_env=False)
        assert answer.status_code == 202, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt

    def kill(self) -> None:
        """End it without a word."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.log.close()

    def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()


@contextmanager
def running(folder: Path, first: str = "") -> Iterator[Running]:
    """Run a city until the end of the block; `first`: what its process does before anything else."""
    city = Running(folder, first)
    try:
        yield city
    finally:
        if city.process.poll() is None:
            city.stop()


def token(folder: Path, role: str, name: str) -> str:
    return command("token", "--role", role, "--name", name, "--data", folder).split()[-1]
