"""The page and what it needs: static files with their fallback, the base map with ranges, security headers, and the API's own documentation."""

import html
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC = Path(__file__).parent.parent / "static"
CSP = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self' blob:; child-src blob:; font-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'; form-action 'self'"
)
HEADERS = [
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"permissions-policy", b"camera=(self), geolocation=(self), microphone=(self)"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
WORKER = "sw.js"
"""The page's service worker: a browser asks for it anew each time, so that a new release is seen at once."""
NO_STORE = (b"cache-control", b"no-store")


class SecurityHeaders:
    """Puts the security headers on every answer; API answers are not cached, but those that say they are public: drawings."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, adding headers to the start of the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = any(name == b"cache-control" and value.startswith(b"public") for name, value in message.get("headers", []))
                cache = [NO_STORE] if scope["path"].startswith("/api") and not kept else []
                message["headers"] = [*message.get("headers", []), *HEADERS, *cache]
            await send(message)

        await self.app(scope, receive, with_headers)


def mount(app: Starlette, folder: Path) -> None:
    """Serve the base map of a city and the page; any other path that is not the API's is the page's own."""
    (folder / "map").mkdir(parents=True, exist_ok=True)
    app.mount("/map", StaticFiles(directory=folder / "map"))
    if (STATIC / "assets").exists():
        app.mount("/assets", StaticFiles(directory=STATIC / "assets"))

    async def page(request: Any) -> Response:  # noqa: ANN401 (Starlette's request)
        path = request.url.path.lstrip("/")
        if path and (file := _file(path)) is not None:
            return FileResponse(file, headers={"Cache-Control": "no-cache"} if path == WORKER else None)
        if path.startswith("api/"):
            raise HTTPException(404)
        index = STATIC / "index.html"
        if not index.exists():
            return HTMLResponse("<!doctype html><title>Zhongshu 城市中枢</title><p>The page was not built (ZS_SKIP_WEB). The API is at <a href=/docs>/docs</a>.</p>")
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    app.add_route("/{path:path}", page, methods=["GET", "HEAD"], include_in_schema=False)


def _file(path: str) -> Path | None:
    """Return the page's own file of this path; None for what is none, or could be none."""
    try:
        file = (STATIC / path).resolve()
        return file if STATIC in file.parents and file.is_file() else None
    except (OSError, ValueError):  # a name too long, or with a byte no name has
        return None


def _bodies(held: dict[str, Any]) -> str:
    """Return the media types of a body with their shapes."""
    return ", ".join(f"<code>{html.escape(media)}</code> {_type(row.get('schema', {}))}" for media, row in held.get("content", {}).items())


def _type(row: dict[str, Any]) -> str:
    """Return a schema as a few words, named shapes as links."""
    if "$ref" in row:
        name = html.escape(row["$ref"].rpartition("/")[2])
        return f"<a href=#{name}>{name}</a>"
    if "anyOf" in row:
        kinds = [_type(each) for each in row["anyOf"] if each.get("type") != "null"]
        return " or ".join(kinds) + "?" * (len(kinds) < len(row["anyOf"]))
    kind = row.get("type", "any")
    null = "?" * (isinstance(kind, list) and "null" in kind)
    kind = " or ".join(k for k in kind if k != "null") if isinstance(kind, list) else str(kind)
    if "items" in row:
        return f"[{_type(row['items'])}]{null}"
    if kind == "object" and "properties" in row:
        return "{" + ", ".join(f"{name}: {_type(each)}" for name, each in row["properties"].items()) + "}"
    return html.escape(str(row.get("format", kind))) + null


def documentation(spec: dict[str, Any]) -> str:
    """Return the API's documentation as one plain page, made from the specification."""
    rows = []
    for path, methods in sorted(spec["paths"].items()):
        for method, operation in methods.items():
            parameters = ", ".join(f"{p['name']} ({p['in']})" for p in operation.get("parameters", []))
            rows.append(
                f"<section><h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{html.escape(operation.get('summary', ''))}</p>"
                + (f"<p>{html.escape(operation['description'])}</p>" if operation.get("description") else "")
                + (f"<p>Parameters: {html.escape(parameters)}</p>" if parameters else "")
                + f"<p>Takes: {_bodies(operation.get('requestBody', {}))}</p>" * ("requestBody" in operation)
                + "".join(f"<p>Gives {status}: {_bodies(row)}</p>" for status, row in operation["responses"].items() if status < "300")
                + "</section>"
            )
    rows.append("<h1>Shapes</h1><p><code>?</code> behind a type: may be null; behind a name: may be absent.</p>")
    for name, held in sorted(spec.get("components", {}).get("schemas", {}).items()):
        needed = held.get("required", [])
        named = ", ".join(f"{field}{'' if field in needed else '?'}: {_type(row)}" for field, row in held.get("properties", {}).items())
        rows.append(f"<section id={html.escape(name)}><h2><code>{html.escape(name)}</code></h2><p>{named}</p></section>")
    style = "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1B242B}code{background:#F6F7F8}h2{font-size:1rem;margin:1.5rem 0 .25rem}p{margin:.25rem 0}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Zhongshu API</title><style>{style}</style>"
        f"<main><h1>Zhongshu API {html.escape(spec['info']['version'])}</h1><p>Specification: <a href=/openapi.json>/openapi.json</a></p>{''.join(rows)}</main></html>"
    )
