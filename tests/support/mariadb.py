"""A MariaDB of the tests' own on a loopback port, started once a run, where its server is installed."""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

import pymysql

USER, PASSWORD = "reader", "tests-only"


def program() -> str | None:
    """Return where the server is, None where it is not installed."""
    return shutil.which("mariadbd")


def _made(server: str, folder: Path) -> None:
    """Make an empty database; the server's own tables are not needed where there are no accounts."""
    subprocess.run([server, "--no-defaults", "--bootstrap", f"--datadir={folder}", "--skip-networking"], input=b"CREATE DATABASE city;\n", check=True, capture_output=True)


@cache
def server() -> int | None:
    """Start it and return its port, None where it is not installed; it ends with the run. It lets everyone in: it listens on loopback."""
    found = program()
    if found is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="zs-mariadb-"))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
    own: dict[str, Any] = {}
    if os.geteuid() == 0:
        own["user"] = "nobody"
        os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    _made(found, folder)
    for path in folder.rglob("*"):
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam("nobody").pw_uid, -1)
    named = [f"--{key}={value}" for key, value in own.items()]
    options = ["--no-defaults", *named, f"--datadir={folder}", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder}/s", "--skip-grant-tables", "--skip-networking=0"]
    started = subprocess.Popen([found, *options], stdout=subprocess.DEVNULL, stderr=(folder / "log").open("wb"))

    def end() -> None:
        started.terminate()
        started.wait(20)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    for _ in range(200):
        try:
            connect(port).close()
        except pymysql.err.OperationalError:
            time.sleep(0.1)
        else:
            return port
    raise RuntimeError((folder / "log").read_text("utf-8", "replace"))


def connect(port: int) -> "pymysql.connections.Connection[Any]":
    """Connect as one who may write."""
    return pymysql.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD, database="city", autocommit=True)
