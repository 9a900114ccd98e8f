"""Writes the generated half of the reference: settings, problems, routes, indicators, roles, and the drawing of a case's way.

`python docs/generate.py` writes; `--check` only tells what is out of date. It reads the program's own tables and must never hold a fact itself.
"""

# ruff: noqa: INP001 (a script beside the pages it writes)

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import zhongshu
from zhongshu.act import mermaid
from zhongshu.app import installed_packs
from zhongshu.govern import ROLES, Guard, Policy
from zhongshu.judge import Indicator, read_packs
from zhongshu.kernel.clock import show_duration
from zhongshu.kernel.problem import kinds
from zhongshu.serve.problems import STATUS
from zhongshu.serve.routes import ROUTES
from zhongshu.settings import SETTINGS
from zhongshu.survey.maker.bones.sheet import ASSUMED, SHEET

HERE = Path(__file__).parent
ALONE = "zhongshu.engines.simulators.adapters."
MADE = "<!-- Made by docs/generate.py from the program's own tables; do not edit. -->"


def cell(text: object) -> str:
    """Return a text as one cell of a table."""
    return str(text).replace("|", "\\|").replace("\n", " ").strip()


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]) + "\n"


def page(title: str, about: str, *parts: str) -> str:
    """Return a whole page."""
    return "\n".join((MADE, "", f"# {title}", "", about, "", *parts))


def load_everything() -> None:
    """Import every file of the program, so that every declared row is there; the simulators' adapters declare none and bear no company."""
    for module in pkgutil.walk_packages(zhongshu.__path__, "zhongshu."):
        if not module.name.startswith(ALONE):
            importlib.import_module(module.name)


def settings() -> str:
    """Return the settings' page."""
    rows = [(f"`{s.name}`", f"`ZS_{s.name.upper()}`", f"`{s.default}`" if s.default else "(empty)", s.help) for s in SETTINGS]
    return page(
        "Settings",
        "Read from the environment; `zhongshu up` takes the first few as options too. In force until the city is started again.",
        table(("name", "environment", "default", "what it does"), rows),
    )


def problems() -> str:
    """Return the problems' page."""
    rows = [
        (f"`{k.code}`", STATUS[k.sort], f"{k.zh}{k.remedy_zh}", f"{k.en} {k.remedy_en}")
        for k in sorted(kinds().values(), key=lambda k: k.code)
        if k.code.partition(".")[0] != "test"
    ]
    about = "What is told when something cannot be done: a code that never changes, a sentence and its remedy. Over HTTP they come as `application/problem+json` with the status below; words in `{}` are particulars."
    return page("Problems", about, table(("code", "status", "中文", "English"), rows))


def routes() -> str:
    """Return the routes' page."""
    guard = Guard(Policy([p.policy for p in installed_packs() if p.policy is not None]))
    rows = [
        (
            r.method,
            f"`{r.url}`",
            (r.handler.__doc__ or "").split("\n")[0],
            f"{r.action} {r.kind}",
            ", ".join(able) if len(able := guard.able(r.action, r.kind)) < len(ROLES) else "everyone",
        )
        for r in ROUTES
    ]
    about = "The HTTP API. The guard is asked for the action and kind shown; a role works within the areas it was given for. The whole specification is at `/openapi.json` of a running city, a plain reading of it at `/docs`."
    roles = table(("role", "中文", "English", "given for"), [(f"`{r.name}`", r.zh, r.en, f"{r.coarsest.name.lower()} to {r.finest.name.lower()}") for r in ROLES.values()])
    return page("Routes", about, table(("method", "address", "what it does", "permission", "roles that may"), rows), "## Roles", "", roles)


def indicators() -> str:
    """Return the vital signs' page."""
    packs = installed_packs()
    properties = {p.name: p for pack in packs for p in pack.properties}
    signs, rules = read_packs([(p.name, p.folder) for p in packs], properties, 990000000000000)
    parts = []
    for pack in packs:
        own = [i for i in signs if i.pack == pack.name]
        if own:
            parts += [f"## {pack.about['name']['zh']} {pack.about['name']['en']}", "", table(("code", "sign", "what it is", "window", "bands and their source"), map(sign, own))]
    told = table(("code", "rule", "sign", "opens"), [(f"`{r.code}`", f"{r.name['zh']} {r.name['en']}", r.indicator, r.opens) for r in rules])
    about = "Every vital sign the installed packs declare. A sign without a band that holds in a city today is 未定标: it shows its value and has no colour."
    return page("Vital signs", about, *parts, "## Rules", "", told)


def sign(indicator: Indicator) -> tuple[str, ...]:
    """Return a sign's row."""
    longest = max((m.window for m in indicator.measures.values()), default=0)
    bands = [f"{cited(b.source)}: " + ", ".join(f"{s.level} {s.op} {s.facet or f'{s.value:g}'}" for s in b.steps) for b in indicator.bands]
    formula = indicator.words
    return (
        f"`{indicator.code}`",
        f"{indicator.name['zh']} {indicator.name['en']} ({indicator.unit})",
        f"{formula['zh']} {formula['en']}",
        show_duration(longest) if longest else "",
        "; ".join(bands) or "未定标 unset",
    )


def cited(source: Mapping[str, str]) -> str:
    """Return a band's document and clause, in Chinese and then in English."""
    said = (between.join(filter(None, (source.get(f"doc{tail}"), source.get(f"clause{tail}")))) for tail, between in (("", " "), ("_en", ", ")))
    return " ".join(filter(None, said))


def way() -> str:
    """Return the drawing of a case's way."""
    drawn = [
        part for language, title in (("zh", "案件的办理环节"), ("en", "The way of a case")) for part in (f"## {title}", "", "```mermaid", mermaid(language).rstrip(), "```", "")
    ]
    return page("The way of a case", "Drawn from the table in `src/zhongshu/act/states.py`; nothing else moves a case.", *drawn)


def assumptions() -> str:
    """Return the assumption sheet of the made city's networks."""
    rows = [(f"`{row.id}`", row.zh, row.en, f"{row.value:g}", row.unit, "假定 assumed" if row.source == ASSUMED else row.source) for row in SHEET]
    about = "Every rule that roads, sewers, water and grid of a made city are laid by. The maker reads these rows, and writes them beside the models as `survey/bones/assumptions.json`."
    return page("Assumptions of a made city", about, table(("id", "规则", "rule", "value", "unit", "source"), rows))


PAGES: dict[str, Callable[[], str]] = {"settings": settings, "problems": problems, "routes": routes, "indicators": indicators, "way-of-a-case": way, "assumptions": assumptions}


def main() -> int:
    """Write what is out of date, or with `--check` name it and return 1."""
    load_everything()
    stale = 0
    for name, make in PAGES.items():
        path, text = HERE / "reference" / f"{name}.md", make()
        if not path.exists() or path.read_text("utf-8") != text:
            stale += 1
            print(f"{'out of date' if '--check' in sys.argv else 'written'}: docs/reference/{name}.md")
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(text, "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
