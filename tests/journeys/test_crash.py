"""Killed under load a few times: what was acknowledged is there, once. `make bench` does it hundreds of times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.port
CRASH = Path(__file__).parents[2] / "benchmarks" / "crash.py"


@pytest.mark.parametrize("where", ["in its folder", "on a cluster"])
def test_what_was_acknowledged_outlives_kills(where: str, request: pytest.FixtureRequest) -> None:
    more = []
    if where == "on a cluster":
        request.getfixturevalue("postgresql")
        request.getfixturevalue("nats")
        more = ["--cluster"]
    done = subprocess.run([sys.executable, str(CRASH), "--kills", "2", "--seed", "1", "--json", *more], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert (found["kills"], found["readings"] > 1000, found["steps"] > 5, found["step_readings"] > 2) == (2, True, True, True)
    wrong = {name: found[name] for name in ("readings_lost", "readings_twice", "steps_lost", "histories_wrong", "step_readings_wrong", "faults")}
    assert wrong == dict.fromkeys(wrong, 0), done.stderr[-2000:]
