"""How an application is served until the program is told to stop: the same for the owner and for processes beside it."""

import gc
import sys
from typing import Any

import uvicorn

from zhongshu.settings import Settings


def serve(app: Any, settings: Settings) -> None:  # noqa: ANN401 (an ASGI application)
    """Serve where the settings say."""
    gc.freeze()  # what stands from here on is not looked through again
    gc.set_threshold(50_000, 20, 20)
    sys.setswitchinterval(0.0005)  # many threads that each hold it briefly: waiting 5 ms for each turn would be most of a group's time
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, log_level="warning", access_log=False, timeout_graceful_shutdown=2, server_header=False, proxy_headers=False
    )
    uvicorn.Server(config).run()
