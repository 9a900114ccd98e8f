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
    "worker-src 'self' blob:; child-src blob:; font-src 'self'; object-src 'none'; base-uri 'self'; frame-ancestors 'self'; form-action 'self'")
HEADERS = [
    (b"content-security-policy", CSP.encode()), (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"), (b"x-frame-options", b"SAMEORIGIN"),
    (b"permissions-policy", b"camera=(self), geolocation=(self), microphone=(self)"), (b"cross-origin-opener-policy", b"same-origin"),
]
NO_STORE = (b"cache-control", b"no-store")


class SecurityHeaders:
    """Puts the security headers on every answer; API answers are never cached."""

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
                cache = [NO_STORE] if scope["path"].startswith("/api") else []
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
            return FileResponse(file)
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


def documentation(spec: dict[str, Any]) -> str:
    """Return the API's documentation as one plain page, made from the specification."""
    rows = []
    for path, methods in sorted(spec["paths"].items()):
        for method, operation in methods.items():
            parameters = ", ".join(f"{p['name']} ({p['in']})" for p in operation.get("parameters", []))
            rows.append(
                f"<section><h2><code>{method.upper()} {html.escape(path)}</code></h2><p>{html.escape(operation.get('summary', ''))}</p>"
                f"<p>{html.escape(operation.get('description', ''))}</p>" + (f"<p>Parameters: {html.escape(parameters)}</p>" if parameters else "") + "</section>")
    style = "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1B242B}code{background:#F6F7F8}h2{font-size:1rem;margin:1.5rem 0 .25rem}p{margin:.25rem 0}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>Zhongshu API</title><style>{style}</style>"
        f"<main><h1>Zhongshu API {html.escape(spec['info']['version'])}</h1><p>Specification: <a href=/openapi.json>/openapi.json</a></p>{''.join(rows)}</main></html>")
