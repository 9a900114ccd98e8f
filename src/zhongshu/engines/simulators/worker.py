"""A simulator in a process and a temporary folder of its own, so that what breaks, hangs or eats memory there costs only its run.

`python -m zhongshu.engines.simulators.worker NAME FOLDER` is the process; `Worker` is who asks it. What goes in and out is checked here, once for every engine.
"""

import contextlib
import importlib
import math
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from zhongshu.engines.simulators.faults import BROKEN, HUNG, INPUT, KILLED, MISSING, NOT_A_NUMBER
from zhongshu.engines.simulators.wire import LOG, put, take
from zhongshu.kernel.problem import Problem, kinds
from zhongshu.kernel.simulator import Inputs, Objects, Outputs, Simulator

ENGINES = {
    "swmm": ("swmm", "Swmm", "SWMM"),
    "epanet": ("epanet", "Epanet", "EPANET"),
    "sumo": ("sumo", "Sumo", "SUMO"),
    "uxsim": ("uxsim", "Uxsim", "UXsim"),
    "pandapower": ("power", "Power", "pandapower"),
}
"""Name → module, class, and the name people know."""
LIMIT = 600.0
"""So many seconds a call may take."""


class Worker:
    """The port, spoken to a process. Raises a Problem of the twin's kinds whatever happens over there; after one that ended the process it is of no more use."""

    def __init__(self, engine: str, *, limit: float = LIMIT) -> None:
        """Start the process of an engine, and do not wait for it: several start beside each other. Each call may take `limit` seconds."""
        self.engine, self.limit = engine, limit
        self.folder = Path(tempfile.mkdtemp(prefix=f"zhongshu-{engine}-"))
        self._version = ""
        self.inputs: Mapping[str, str] = {}
        self.observed: Mapping[str, str] = {}
        self.objects: Objects = {}
        self.spent = 0.0
        """Seconds the engine's process was waited for."""
        self._known: dict[str, frozenset[str]] = {}
        self._stopped = False
        self._log = (self.folder / LOG).open("wb")
        self._process = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-m", __name__, engine, str(self.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        self._asked, self._answers = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)

    def version(self) -> str:
        """Return the engine's name and version."""
        return self._version

    def load(self, model: Path, start: int, seed: int = 0, driven: Collection[str] = ()) -> Objects:
        """Read a model and stand at `start`."""
        self._version, self.inputs, self.observed = self._ask("about")
        self.objects = {kind: tuple(names) for kind, names in self._ask("load", str(model.resolve()), start, seed, list(driven)).items()}
        self._known = {kind: frozenset(names) for kind, names in self.objects.items()}
        return self.objects

    def set_inputs(self, inputs: Inputs) -> None:
        """Apply forcing and control; what the model has not, and what is no number, is refused whole."""
        for what, values in inputs.items():
            known = self._known.get(what.partition(".")[0], frozenset())
            for name, value in values.items():
                if what not in self.inputs or name not in known or not math.isfinite(value):
                    raise INPUT(what=f"{what} {name} = {value}")
        self._ask("set_inputs", inputs)

    def step(self, until: int) -> None:
        """Advance to a city time."""
        self._ask("step", until)

    def outputs(self, wanted: Collection[str] = ()) -> Outputs:
        """Return the observed state, or of it what is wanted; a value that is no number ends the run with the object's name."""
        if unknown := [what for what in wanted if what not in self.observed]:
            raise INPUT(what=", ".join(unknown))
        out: Outputs = self._ask("outputs", list(wanted))
        for what, values in out.items():
            if not (fine := np.isfinite(values)).all():
                raise NOT_A_NUMBER(engine=self._version, what=f"{what} {self.objects[what.partition('.')[0]][int(np.argmin(fine))]}")
        return out

    def snapshot(self) -> bytes:
        """Return the state as bytes."""
        return bytes(self._ask("snapshot"))

    def restore(self, snapshot: bytes) -> None:
        """Go back to a state of the same model."""
        self._ask("restore", snapshot)

    @property
    def alive(self) -> bool:
        """Tell whether the process is there and may be asked."""
        return self._process.poll() is None and not self._stopped

    def stop(self) -> None:
        """End the process at once, from any thread: a call that is under way ends with `twin.killed`."""
        self._stopped = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process and remove its folder."""
        self.stop()
        self._process.wait()
        for stream in (self._asked, self._answers, self._log):
            with contextlib.suppress(OSError):
                stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, verb: str, *given: object) -> Any:  # noqa: ANN401 (what the verb gives)
        begun = time.monotonic()
        try:
            put(self._asked, (verb, self.limit, given))
            answer = self._answer(begun + self.limit)
        except (EOFError, BrokenPipeError):
            raise self._gone() from None
        finally:
            self.spent += time.monotonic() - begun
        if "problem" in answer:
            raise Problem(kinds()[answer["problem"]], answer["particulars"])
        return answer["answer"]

    def _answer(self, end: float) -> Any:  # noqa: ANN401 (what the verb gives)
        """Read an answer; a process that gives none in time is ended."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._answers, selectors.EVENT_READ)
            if not ready.select(max(0.0, end - time.monotonic())):
                self.stop()
                raise HUNG(engine=ENGINES[self.engine][2], seconds=f"{self.limit:g}")
        return take(self._answers)

    def _gone(self) -> Problem:
        code = self._process.wait()
        name = self._version or ENGINES[self.engine][2]
        if code == -signal.SIGALRM:
            return HUNG(engine=name, seconds=f"{self.limit:g}")
        last = (self.folder / LOG).read_text("utf-8", "replace").strip().splitlines()[-1:]
        if code < 0 or self._stopped:
            return KILLED(engine=name, how=signal.Signals(-code).name if code < 0 else "stopped")
        return BROKEN(engine=name, cause=last[0] if last else f"exit {code}")


def _made(engine: str, folder: Path) -> Simulator:
    module, name, known = ENGINES[engine]
    try:
        made: Simulator = getattr(importlib.import_module(f"zhongshu.engines.simulators.adapters.{module}"), name)(folder)
    except ImportError as error:
        raise MISSING(engine=known, why=str(error)) from None
    return made


def _serve(engine: str, folder: Path, asked: BinaryIO, answers: BinaryIO) -> None:
    """Answer until nobody asks any more. A call that takes too long ends the process, also where nobody waits for it."""
    simulator: Simulator | Problem
    try:
        simulator = _made(engine, folder)
    except Problem as missing:
        simulator = missing
    while True:
        verb, limit, given = take(asked)
        signal.setitimer(signal.ITIMER_REAL, limit + 1)
        try:
            if isinstance(simulator, Problem):
                raise simulator  # noqa: TRY301 (as if it had been met here)
            put(answers, {"answer": _done(simulator, verb, given)})
        except Problem as problem:
            put(answers, {"problem": problem.kind.code, "particulars": {key: str(value) for key, value in problem.particulars.items()}})
        except Exception as error:  # noqa: BLE001 (an engine may raise anything; its run ends with a sentence)
            put(answers, {"problem": BROKEN.code, "particulars": {"engine": ENGINES[engine][2], "cause": f"{type(error).__name__}: {error}"}})
        signal.setitimer(signal.ITIMER_REAL, 0)


def _done(simulator: Simulator, verb: str, given: list[Any]) -> object:
    if verb == "about":
        return simulator.version(), dict(simulator.inputs), dict(simulator.observed)
    if verb == "load":
        model, start, seed, driven = given
        return simulator.load(Path(model), start, seed, driven)
    return getattr(simulator, verb)(*given)


def main() -> None:
    """Be the process: what engines print goes to the log, only answers go to who asks."""
    engine, folder = sys.argv[1], Path(sys.argv[2])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(5)
    os.chdir(folder)
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(engine, folder, sys.stdin.buffer, answers)
    shutil.rmtree(folder, ignore_errors=True)  # who asked is gone, and cannot


if __name__ == "__main__":
    main()
