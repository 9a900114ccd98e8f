"""What is fetched by HTTP: bounded in size and time, tried again when it fails in passing, with the secret added at the last moment and never shown.

Knows nothing of what is fetched. Redirects are not followed, and nothing is asked of another host than the row's.
"""

import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from zhongshu.kernel.clock import parse_duration
from zhongshu.kernel.problem import Problem, declare
from zhongshu.sense.feeds.declared import Web
from zhongshu.sense.feeds.feed import Later, Secret
from zhongshu.sense.handing import Stopped
from zhongshu.sense.rows import MAX_BODY, TOO_LARGE

REFUSED = declare(
    "connector.answered",
    "unavailable",
    zh=("对方答复 HTTP {status}。", "请检查地址、账号和权限；会自动重试。"),
    en=("The other side answered HTTP {status}.", "Check the address, the account and its rights; it is tried again."),
)
ELSEWHERE = declare(
    "connector.elsewhere",
    "refused",
    zh=("下一页指向另一台主机（{host}），没有去取。", "请核对接口；口令只送给所写的主机。"),
    en=("The next page is on another host ({host}); it was not asked for.", "Check the interface; the secret goes to the host that is written only."),
)
TOO_SLOW = declare(
    "connector.too_slow",
    "unavailable",
    zh=("一次答复超过了 {seconds} 秒。", "请减小每页的条数，或加长 timeout。"),
    en=("One answer took longer than {seconds} s.", "Ask for smaller pages, or lengthen timeout."),
)

TRIES, PAUSE = 4, 0.5
"""How often one page is asked for, and seconds before it is asked for again: doubled each time."""
PATIENCE, LONGEST_WAIT = 30.0, 3600.0
"""Seconds for which one page waits where the other side asks for a pause, and for which the whole feed does."""
_PASSING = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the bytes (unpacked), and the address of the next page where the head names one."""

    content: bytes
    link: str


class Fetcher:
    """One row's way to the other side; a connection is kept between questions."""

    def __init__(self, row: Web, secret: Secret) -> None:
        """Take the row and where its secret is."""
        self._row, self._secret = row, secret
        self._timeout = parse_duration(row.timeout) / 1e6
        self._client: httpx.Client | None = None

    def get(self, url: str, parameters: Mapping[str, str], stop: threading.Event) -> Answer:
        """Ask, again where it fails in passing; raises a Problem, `Later`, or what the network raises."""
        if _origin(url) != _origin(self._row.address):
            raise ELSEWHERE(host=urlsplit(url).hostname)
        for tried in range(1, TRIES + 1):
            try:
                return self._ask(url, parameters, stop)
            except (httpx.TransportError, Later) as error:
                pause, asked = PAUSE * 2 ** (tried - 1), error.seconds if isinstance(error, Later) else 0.0
                if tried == TRIES or asked > PATIENCE:
                    raise
                if stop.wait(max(pause, asked)):
                    raise Stopped from None
        raise Stopped

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, url: str, parameters: Mapping[str, str], stop: threading.Event) -> Answer:
        headers, added, auth = self._signed()
        if self._client is None:
            verify: ssl.SSLContext | bool = ssl.create_default_context(cafile=self._row.ca) if self._row.ca else True
            self._client = httpx.Client(verify=verify, trust_env=False, follow_redirects=False, timeout=self._timeout)
        asked = httpx.URL(url).copy_merge_params({**parameters, **added})
        began, held, size = time.monotonic(), [], 0
        with self._client.stream("GET", asked, headers=headers, auth=auth) as answer:
            if answer.status_code != httpx.codes.OK:
                raise self._said(answer)
            unpacked = _unpacker(answer.headers.get("content-encoding", ""))
            for packed in answer.iter_raw():
                if stop.is_set():
                    raise Stopped
                if time.monotonic() - began > self._timeout:
                    raise TOO_SLOW(seconds=self._timeout)
                part = unpacked(packed, MAX_BODY - size + 1)
                size += len(part)
                held.append(part)
                if size > MAX_BODY:
                    raise TOO_LARGE(limit=MAX_BODY)
            return Answer(b"".join(held), answer.links.get("next", {}).get("url", ""))

    def _signed(self) -> tuple[dict[str, str], dict[str, str], httpx.Auth | None]:
        """Return headers, parameters and sign that carry the secret."""
        how, _, name = self._row.auth.partition(" ")
        secret, headers = self._secret.get(), {"Accept": "*/*", "Accept-Encoding": "gzip", "User-Agent": "zhongshu", **self._row.headers}
        match how:
            case "bearer":
                return headers | {"Authorization": f"Bearer {secret}"}, {}, None
            case "basic":
                return headers, {}, httpx.BasicAuth(self._row.user, secret)
            case "header":
                return headers | {name: secret}, {}, None
            case "query":
                return headers, {name: secret}, None
        return headers, {}, None

    def _said(self, answer: httpx.Response) -> Problem | Later:
        """Return what a status other than 200 means: to be asked again, or a Problem."""
        problem = REFUSED(status=answer.status_code)
        return Later(problem, _wait(answer.headers.get("retry-after", ""))) if answer.status_code in _PASSING else problem


def _unpacker(coding: str) -> Callable[[bytes, int], bytes]:
    """Return what undoes a body's coding piece by piece, giving so many bytes at most; raises DecodingError for one that was not asked for."""
    match coding.strip().lower():
        case "" | "identity":
            return lambda packed, _: packed
        case "gzip":
            return zlib.decompressobj(31).decompress
    message = f"the coding {coding[:40]} was not asked for"
    raise httpx.DecodingError(message)


def _wait(said: str) -> float:
    """Return seconds until one may ask again, as the other side says; 0 where it does not."""
    try:
        seconds = float(said) if said.isdigit() else parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
