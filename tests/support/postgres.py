"""A PostgreSQL of the tests' own on a loopback port, started once a run; and a new schema for each test that asks."""

import atexit
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

USER = "postgres"
_numbers = count()


def program(name: str) -> str | None:
    """Return where one of PostgreSQL's programs is, None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@cache
def server() -> str | None:
    """Start it and return its address, None where the programs are not installed; it ends with the run."""
    initdb, postgres = program("initdb"), program("postgres")
    if initdb is None or postgres is None:
        return None
    folder = Path(tempfile.mkdtemp(prefix="zs-postgres-"))
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    become: dict[str, Any] = {"cwd": "/"}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        known = pwd.getpwnam(USER)
        os.chown(folder, known.pw_uid, known.pw_gid)
        become |= {"user": known.pw_uid, "group": known.pw_gid, "extra_groups": []}
    made = [initdb, "-D", str(folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run(made, check=True, capture_output=True, **become)
    options = [f"listen_addresses=127.0.0.1 port={port} max_connections=200 unix_socket_directories={folder}"]
    started = subprocess.Popen(
        [postgres, "-D", str(folder / "data"), *(part for option in options[0].split() for part in ("-c", option))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **become,
    )

    def end() -> None:
        started.send_signal(signal.SIGINT)  # fast: whoever is still connected is cut off
        started.wait(20)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    url = f"postgresql://{USER}@127.0.0.1:{port}/{USER}"
    for _ in range(200):
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return url
    message = "PostgreSQL did not start"
    raise RuntimeError(message)


def new_schema(url: str) -> str:
    """Make a new schema and return the address of a desk in it."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{url}?options=-csearch_path%3D{name}"


def new_database(url: str) -> str:
    """Make a new database and return its address."""
    name = f"d{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.rpartition("/")[0] + f"/{name}"


def close_door(url: str, *, to: str) -> None:
    """Let nobody into a database, and cut off who is there: for them the server is away."""
    _door(url, to, open_=False)
    cut_off(url)


def open_door(url: str, *, to: str) -> None:
    """Let everybody into a database again."""
    _door(url, to, open_=True)


def _door(url: str, to: str, *, open_: bool) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {to.rpartition('/')[2]} ALLOW_CONNECTIONS {str(open_).lower()}".encode())


def cut_off(url: str) -> None:
    """Cut every other connection to the server, as a restart does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid() AND backend_type = 'client backend'")
