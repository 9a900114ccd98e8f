"""The command line: up, ingest, recompute, explain, city, pack, tables, playbook, user, token, verify, backup, restore, move, twin. It asks the assembly and shows what comes of it."""

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from zhongshu import app as assembly
from zhongshu.app import check_pack, scenarios, twin
from zhongshu.app.recomputing import NO_STRETCH
from zhongshu.kernel.clock import parse_duration, parse_time
from zhongshu.kernel.problem import Problem
from zhongshu.settings import Settings, read
from zhongshu.survey import Called, City, Step, Wanted, check_zone, import_areas, make

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Zhongshu 城市中枢: a city's digital foundation.", pretty_exceptions_enable=False)
city_app = typer.Typer(no_args_is_help=True, help="Make a sandbox city, or import a real one's areas.")
pack_app = typer.Typer(no_args_is_help=True, help="Look after packs.")
user_app = typer.Typer(no_args_is_help=True, help="Look after accounts.")
tables_app = typer.Typer(no_args_is_help=True, help="Bring duty tables in.")
twin_app = typer.Typer(no_args_is_help=True, help="Bring models of real networks in, and run them.")
playbook_app = typer.Typer(no_args_is_help=True, help="Look after playbooks.")
app.add_typer(tables_app, name="tables")
app.add_typer(playbook_app, name="playbook")
app.add_typer(city_app, name="city")
app.add_typer(pack_app, name="pack")
app.add_typer(user_app, name="user")
app.add_typer(twin_app, name="twin")
screen = Console(stderr=True)
Data = Annotated[str | None, typer.Option(help="Folder of the city.")]
Areas = Annotated[list[str] | None, typer.Option(help="15-digit area, once for each; the city if not given.")]
Tell = Callable[[str, int], None]
Own = Callable[[Settings], AbstractContextManager[Any]]


class Line(Protocol):
    """A line of a report, in both languages."""

    @property
    def zh(self) -> str:
        """In Chinese."""

    @property
    def en(self) -> str:
        """In English."""


@contextmanager
def problems(code: int = 2) -> Iterator[None]:
    """Say a problem in both languages, and end with a code."""
    try:
        yield
    except Problem as problem:
        screen.print(problem.kind.code, style="bold", highlight=False, markup=False)
        screen.print(f"{problem.sentence('zh')}{problem.remedy('zh')}\n{problem.sentence()} {problem.remedy()}", highlight=False, markup=False)
        raise typer.Exit(code) from None


@contextmanager
def progress() -> Iterator[Tell]:
    """Show how far long work is."""
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=screen, transient=not screen.is_terminal) as bar:
        task = bar.add_task("…", total=None)
        yield lambda what, count: bar.update(task, description=f"{what} {count:,}" if count else what)


@contextmanager
def parts(settings: Settings) -> Iterator[assembly.Assembly]:
    """Own the city for one command."""
    with assembly.alone(settings) as (held, _):
        yield held


def _settings(data: str | None) -> Settings:
    """Return the settings of a command."""
    with problems():
        return read({"data": data})


def _through(settings: Settings, command: str, arguments: dict[str, Any], by_itself: Callable[[Any, Tell], Any], own: Own = parts) -> Any:  # noqa: ANN401 (what it gives)
    """Do a command through the city's owner where it runs, else alone, on what `own` opens of it."""
    with problems(), progress() as tell:
        assembly.need_city(settings.data)
        if assembly.is_owned(settings.data):
            return assembly.through_owner(settings, command, arguments, tell)
        with own(settings) as held:
            return by_itself(held, tell)


@app.command()
def up(
    data: Data = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    clock: Annotated[str | None, typer.Option(help="live, or replay@<RFC 3339>x<speed>.")] = None,
    population: Annotated[int, typer.Option(help="People in the sandbox city, if it must be made.")] = 300_000,
    role: Annotated[str | None, typer.Option(help="owner, or beside: a process that takes in and answers beside the owner.")] = None,
    file: Annotated[Path | None, typer.Option("--settings", help="TOML file of settings; ZS_SETTINGS names it for every command.")] = None,
) -> None:
    """Run the city; a sandbox city is made where there is none."""
    with problems():
        settings = read({"data": data, "host": host, "port": port, "clock": clock, "role": role, "settings": file})
        if settings.role == "beside" or not assembly.is_owned(settings.data):  # else who owns it is named below
            assembly.need_port(settings.host, settings.port)
        if settings.role == "beside":
            _beside(settings)
            return
        if not (settings.data / "city.toml").exists():
            screen.print("正在生成沙盒城市云汀市 · Making the sandbox city …")
            with progress() as tell:
                make(settings.data, population, 7, _steps(tell))
        assembly.log_as(settings.log)
        owner = assembly.Owner(settings)
        owner.start()
        about = owner.parts.about
        print(f"{about.name_zh} {about.name_en}: {owner.url}", flush=True)
        if about.sandbox and settings.loopback:
            print(f"演示账号 demo accounts (密码 password {settings.demo_password}): acceptor dispatcher handler checker duty steward admin citizen", flush=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server hands the signal on when it has answered: the city still has to be put down
        try:
            owner.serve()
        finally:
            owner.stop()


def _beside(settings: Settings) -> None:
    """Run a process beside the city's owner."""
    assembly.log_as(settings.log)
    beside = assembly.Beside(settings)
    beside.start()
    print(f"{beside.parts.about.name_zh} {beside.parts.about.name_en}: {beside.url}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        beside.serve()
    finally:
        beside.stop()


@app.command()
def ingest(
    file: Path,
    source: Annotated[str, typer.Option(help="Name of a registered source.")],
    data: Data = None,
    start: Annotated[str, typer.Option(help="RFC 3339 time of the first row, for tables without a time column.")] = "",
    json_: Annotated[bool, typer.Option("--json", help="End with one line of JSON.")] = False,  # noqa: FBT002 (a flag)
) -> None:
    """Take a file of a source in; ends with one line of counts."""
    with problems(), progress() as tell:
        counts = assembly.ingest(_settings(data), file, source, start, tell)
    print(json.dumps(counts) if json_ else f"accepted {counts['accepted']:,} · quarantined {counts['quarantined']:,} · duplicates {counts['duplicates']:,}")


@app.command()
def recompute(
    indicator: Annotated[str, typer.Argument(help="Code of the vital sign; every sign if not given.")] = "",
    data: Data = None,
    level: Annotated[str, typer.Option(help="city, district, street, community or cell.")] = "city",
    at: Annotated[str | None, typer.Option(help="RFC 3339; the last boundary if not given.")] = None,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339: compute at every step after it, up to --to.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="RFC 3339: the last step.")] = None,
    every: Annotated[str, typer.Option(help="How far a step is.")] = "1h",
    as_of: Annotated[str | None, typer.Option(help="RFC 3339: with what was known then; all that is known now if not given.")] = None,
    engine: Annotated[str, typer.Option(help="duckdb, or spark where the settings name one; for --from and --to.")] = "duckdb",
) -> None:
    """Compute a vital sign, or all of them, again from the warehouse alone, one JSON line a value: at one time, or at every step of a stretch."""
    settings = _settings(data)
    with problems():
        wanted = assembly.level_named(level)
        if start or end or as_of or engine != "duckdb":
            if at or not (start and end):
                raise NO_STRETCH(stretch=" ".join(f"{name} {value or '?'}" for name, value in (("--at", at), ("--from", start), ("--to", end)) if value or name != "--at"))
            stretch = {"start": parse_time(start), "end": parse_time(end), "every": parse_duration(every), "as_of": parse_time(as_of) if as_of else 0}
            _recompute_past(settings, {"indicator": indicator, "level": level, "engine": engine, **stretch})
            return
        moment = parse_time(at) if at else 0
    rows = _through(
        settings,
        "recompute",
        {"indicator": indicator, "level": level, "at": moment},
        lambda held, _: assembly.shown(held, assembly.recompute(held, wanted, moment, indicator)),
    )
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


def _recompute_past(settings: Settings, given: dict[str, Any]) -> None:
    """Compute a stretch, or go on with one, and hand its lines over."""
    told = _through(settings, "recompute_past", given, lambda held, tell: assembly.recompute_past(held, given, tell))
    if told["before"]:
        screen.print(f"接着上次做：{told['slices']} 段里有 {told['before']} 段已经算好。Going on where it stopped: {told['before']} of {told['slices']} slices were there.")
    assembly.hand_over(settings.data, told)


@app.command()
def explain(data: Data = None) -> None:
    """Print the wiring: packs, sources, vital signs with their cells, rules."""
    for line in _through(_settings(data), "explain", {}, lambda held, _: assembly.wiring(held)):
        print(line)


@app.command()
def token(
    role: Annotated[str, typer.Option(help="Role of the token.")],
    name: Annotated[str, typer.Option(help="Name of the service that will use it.")],
    data: Data = None,
    area: Annotated[str | None, typer.Option(help="15-digit area; the city if not given.")] = None,
) -> None:
    """Make a bearer token; it is the last word printed."""
    settings = _settings(data)
    print("token", _through(settings, "token", {"role": role, "name": name, "area": area}, lambda held, _: assembly.make_token(held, name, role, area)))


@user_app.command("add")
def user_add(
    account: str,
    role: Annotated[str, typer.Option(help="Role.")],
    password: Annotated[str | None, typer.Option(help="Password; left out, it is asked for, or read from the standard input.")] = None,
    data: Data = None,
    area: Areas = None,
    unit: Annotated[str, typer.Option(help="Department.")] = "",
    name: Annotated[str, typer.Option(help="Name shown.")] = "",
) -> None:
    """Add a person's account."""
    given = {"account": account, "role": role, "password": _password() if password is None else password, "area": area, "unit": unit, "name_zh": name, "name_en": name}
    print(_through(_settings(data), "user", given, lambda held, _: assembly.make_user(held, given)))


def _password() -> str:
    """Ask for a password, twice where somebody sits at the terminal; else read it from the standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password 密码", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


@user_app.command("grant")
def user_grant(account: str, role: Annotated[str, typer.Option(help="Role.")], area: Areas = None, data: Data = None) -> None:
    """Give an account a role for more areas, beside the roles it has; prints all of them."""
    given = {"account": account, "role": role, "area": area}
    for line in _through(_settings(data), "grant", given, lambda held, _: assembly.grant(held, given)):
        print(line)


@tables_app.command("import")
def tables_import(
    file: Path,
    kind: Annotated[str, typer.Option("--as", help="limits, classes, dispatch, duties, calendar, weights, plans, reasons or figures.")],
    data: Data = None,
    source: Annotated[str, typer.Option(help="What the rows are known by; the file's name if not given. The same source again replaces its rows.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Change it; without this it is only said what would change.")] = False,  # noqa: FBT002
) -> None:
    """Bring a duty table in from CSV or XLSX: prints what it changes. Open cases keep what they were opened under."""
    given = {"path": str(file.absolute()), "kind": kind, "source": source or file.stem, "apply": yes}
    told = _through(_settings(data), "table", given, lambda held, _: assembly.bring_table(held, given))
    for line in told["lines"]:
        print(line)
    done = "已装入 applied" if told["applied"] else "没有变化 nothing changes" if not told["lines"] else "未装入，加 --yes 装入 not applied: add --yes"
    print(f"{kind} · {told['source']}: +{told['new']} ~{told['changed']} -{told['ended']} ={told['same']} · {done}")


@playbook_app.command("check")
def playbook_check(file: Path) -> None:
    """Check a playbook's BPMN file: exit 0, or 1 with each element's id, the reason and the remedy."""
    lines, well = assembly.check_playbook(file)
    for line in lines:
        print(line)
    raise typer.Exit(0 if well else 1)


@app.command()
def verify(data: Data = None, repair: Annotated[bool, typer.Option(help="Write damaged files of the warehouse anew from the journal, where it still has them.")] = False) -> None:  # noqa: FBT002
    """Read everything there is; exit 0 only when all of it is whole."""
    told = _through(_settings(data), "verify", {"repair": repair}, lambda held, tell: assembly.checked(held, tell, mend=repair), assembly.stores_alone)
    for name in told["mended"]:
        print(f"mended 已修复 {name}")
    for line in told["wrong"]:
        print(line)
    print("whole 完整" if not told["wrong"] else f"{len(told['wrong'])} not whole 不完整")
    raise typer.Exit(1 if told["wrong"] else 0)


@app.command()
def backup(file: Path, data: Data = None) -> None:
    """Write the whole city to one file, also while it runs."""
    _through(_settings(data), "backup", {"path": str(file.absolute())}, lambda held, tell: assembly.backup(held, file, tell))
    print(f"{file} {file.stat().st_size:,} bytes")


@app.command()
def restore(file: Path, data: Data = None) -> None:
    """Unpack a backup into an empty folder."""
    settings = _settings(data)
    with problems(), progress() as tell:
        assembly.restore(file, settings, tell)
    print(settings.data)


@app.command()
def move(to: Annotated[Path, typer.Option(help="Settings file that names the new stores.")], data: Data = None) -> None:
    """Move a city that nobody runs onto other stores; prints each table's rows and checksum, compared before the switch."""
    with problems(), progress() as tell:
        lines = assembly.move(_settings(data), to, tell)
    for line in lines:
        print(line)


@city_app.command("make")
def city_make(
    data: Data = None,
    population: Annotated[int, typer.Option(help="How many people.")] = 300_000,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 7,
    zone: Annotated[str, typer.Option(help="IANA time zone.")] = "",
) -> None:
    """Make the sandbox city 云汀市."""
    settings = _settings(data)
    with problems(), progress() as tell:
        if zone:
            check_zone(zone)
        make(settings.data, population, seed, _steps(tell))
        if zone:
            replace(City.load(settings.data), time_zone=zone).save(settings.data)
    print(settings.data)


@city_app.command("import")
def city_import(
    file: Path,
    crs: Annotated[str, typer.Option(help="wgs84, cgcs2000, gcj02, EPSG:n, or file (as the file says); osm and gtfs are wgs84.")] = "",
    format_: Annotated[str, typer.Option("--as", help="areas, osm or gtfs.")] = "areas",
    data: Data = None,
    level: Annotated[str, typer.Option(help="Level of the polygons.")] = "street",
    codes: Annotated[Path | None, typer.Option(help="CSV from a feature's key to its code.")] = None,
    name: Annotated[str, typer.Option(help="Name of the city.")] = "",
    zone: Annotated[str, typer.Option(help="IANA time zone; if not given, as the file says, else UTC.")] = "",
) -> None:
    """Import a real city: areas from GeoJSON, GPKG or a shapefile; streets and buildings from OpenStreetMap; bus lines and stops from GTFS."""
    settings, called = _settings(data), name or file.name.split(".")[0]
    if format_ != "areas":
        with problems(1):
            city, told = assembly.import_city(settings.data, file, format_, crs, Called(called, called, zone, level))
        print(f"{city.name_zh} · {settings.data}")
        _say_report(told.taken, told.guessed, told.refused)
        return
    with problems(), progress() as tell:
        report = import_areas(file, settings.data, crs, Wanted(called, called, zone or "UTC", level, codes=codes), _steps(tell))
    for note in (*report.skipped, *report.mended):
        screen.print(note)
    print(f"imported {report.imported} of {report.features} · skipped {len(report.skipped)} · mended {len(report.mended)}")


@twin_app.command("import")
def twin_import(
    file: Path,
    format_: Annotated[str, typer.Option("--as", help="epanet, swmm, sumo, cityflow or pandapower; or uxsim: a SUMO net and its traffic as a model for sweeps.")],
    name: Annotated[str, typer.Option(help="What the model is called; the file's name if not given.")] = "",
    crs: Annotated[str, typer.Option(help="wgs84, cgcs2000, gcj02, EPSG:n, or plane:NAME for metres in a plane that several models share; where the file does not say it.")] = "",
    demand: Annotated[Path | None, typer.Option(help="File of traffic, for CityFlow.")] = None,
    data: Data = None,
) -> None:
    """Import a model of a real network; says what was taken, guessed and refused."""
    settings = _settings(data)
    with problems(1):
        card = twin.import_model(settings.data, file, twin.Asked(format_, name, crs, demand))
    print(f"{card.name} · {card.version}")
    _say_report(card.taken, card.guessed, card.refused)


@twin_app.command("run")
def twin_run(
    name: Annotated[str, typer.Argument(help="A model, or a scenario's .toml file.")],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How many hours a model runs; a scenario says it itself.")] = 24.0,
    seed: Annotated[int, typer.Option(help="Of what is drawn by lot in a model; a scenario says it itself.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,  # noqa: FBT002 (a flag)
    data: Data = None,
) -> None:
    """Run a model as its file says, or a scenario of several."""
    settings = _settings(data)
    with problems(1), progress() as tell:
        if name.endswith(".toml"):
            told = scenarios.run_scenario(settings.data, Path(name), lambda at, end: tell(f"{at / end:.0%}", 0))
        else:
            told = twin.run_model(settings.data, name, hours, seed)
    for line in [json.dumps(told, ensure_ascii=False)] if json_ else twin.lines(told):
        print(line)


def _say_report(taken: Mapping[str, int], guessed: Iterable[Line], refused: Iterable[Line]) -> None:
    """Print what an importer says."""
    for word, lines in (("taken 取用", [f"{count:,} {kind}" for kind, count in taken.items()]), ("guessed 推定", _said(guessed)), ("refused 未取", _said(refused))):
        print(f"{word}:" + ("" if lines else " -"))
        for line in lines:
            print(f"  {line}")


def _said(lines: Iterable[Line]) -> list[str]:
    return [text for line in lines for text in (line.zh, line.en)]


@pack_app.command("check")
def pack_check(folder: Path) -> None:
    """Check a pack's form; says what is wrong with it."""
    wrong = check_pack(folder)
    for line in wrong:
        print(line)
    print("ok" if not wrong else f"{len(wrong)} wrong")
    raise typer.Exit(1 if wrong else 0)


def _steps(tell: Tell) -> Callable[[Step], None]:
    return lambda step: tell(f"{step.number}/{step.total} {step.zh} · {step.en}", 0)


if __name__ == "__main__":
    sys.exit(app())
