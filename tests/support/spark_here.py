"""Whether Spark can be started on this machine, asked once; the tests that need it skip and say what is missing."""

import importlib.util
import re
import shutil
import subprocess
from functools import cache

LEAST = 17


@cache
def missing() -> str:
    """Return what Spark lacks here, in words and with the remedy; nothing: it has all."""
    if importlib.util.find_spec("pyspark") is None:
        return "pyspark is not installed: uv sync --group bench, or pip install 'zhongshu[spark]'"
    java = shutil.which("java")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr if java else ""
    found = re.search(r'version "(\d+)', said)
    return "" if found and int(found[1]) >= LEAST else f"Java {LEAST} is not installed: apt-get install openjdk-17-jre-headless"
