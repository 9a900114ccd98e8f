"""The check of a playbook's file from the command line, in both languages. Knows files; what is right it asks the stage."""

from pathlib import Path

from zhongshu.act.playbook import Fault, examine, read

LARGEST_READ = 2_000_000
"""Bytes of a file that are looked at; one that is longer is refused for its size anyway."""


def check_file(path: Path) -> tuple[list[str], bool]:
    """Return what is to be said of a playbook's file, a line each, and whether it can be run."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_READ)
    except OSError:
        return [f"读不到文件 {path.name}，请检查路径和权限。", f"The file {path.name} cannot be read; check its path and permissions."], False
    examined = examine(raw)
    if examined.faults:
        return [line for fault in examined.faults for line in _lines("✗", fault)], False
    playbook = read(raw)
    told = [line for warning in examined.warnings for line in _lines("!", warning)]
    parties = ", ".join(playbook.parties)
    told += [f"✓ {playbook.name_zh}：{len(playbook.forms)} 个任务，主体 {parties}", f"✓ {playbook.name_en}: {len(playbook.forms)} tasks by {parties}"]
    return [*told, f"  {playbook.version}"], True


def _lines(mark: str, fault: Fault) -> list[str]:
    return [f"{mark} {line}" for line in fault.lines()]
