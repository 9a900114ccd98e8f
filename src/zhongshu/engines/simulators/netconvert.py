"""SUMO's own programme that makes a net of plain files, run as a process beside the model's files."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

from zhongshu.engines.simulators.faults import HUNG, MISSING, MODEL

_LIMIT = 600


def convert(folder: Path) -> None:
    """Make `net.net.xml` of `plain.nod.xml` and `plain.edg.xml` in a folder; roads may turn only as `plain.con.xml` says, where there is one."""
    home = find_spec("sumo")
    if home is None or home.origin is None:
        raise MISSING(engine="SUMO")
    given = [
        part
        for kind, name in (("node", "plain.nod.xml"), ("edge", "plain.edg.xml"), ("connection", "plain.con.xml"))
        if (folder / name).exists()
        for part in (f"--{kind}-files", name)
    ]
    try:
        done = subprocess.run(  # noqa: S603 (SUMO's own programme, and names of ours)
            [Path(home.origin).parent / "bin" / "netconvert", *given, "-o", "net.net.xml", "--no-turnarounds", "true"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise HUNG(engine="netconvert", seconds=_LIMIT) from None
    if done.returncode:
        cause = next((line for line in done.stderr.splitlines() if line.startswith("Error")), done.stderr.strip())
        raise MODEL(engine="netconvert", model="plain.nod.xml", cause=cause)
