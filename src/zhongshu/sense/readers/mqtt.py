"""Readings by MQTT: topic `zhongshu/<source>`, QoS 1; a message is acknowledged to the broker only when its readings are on disk.

What cannot be read is kept whole in the quarantine and then acknowledged. Knows the broker and the intake; nothing of what readings mean.
"""

import hashlib
import logging
import selectors
import ssl
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from zhongshu.kernel.journal import Batch, Receipt
from zhongshu.kernel.problem import Problem, declare
from zhongshu.kernel.reason import why
from zhongshu.sense.intake import Intake
from zhongshu.sense.source import UNKNOWN_SOURCE, Source

BAD_URL = declare(
    "mqtt.bad_url",
    "invalid",
    zh=("看不懂的 MQTT 地址“{url}”。", "请写成 mqtt://用户:口令@主机:1883，或 mqtts://…:8883?ca=…&cert=…&key=…。"),
    en=("The MQTT address '{url}' cannot be read.", "Write mqtt://user:password@host:1883, or mqtts://…:8883?ca=…&cert=…&key=…."),
)
BAD_CERTIFICATE = declare(
    "mqtt.bad_certificate",
    "invalid",
    zh=("读不了 MQTT 的证书文件（ca={ca}，cert={cert}，key={key}）：{why_zh}。", "请核对路径、权限和 PEM 格式；私钥须与证书成对，且不设口令。"),
    en=(
        "The certificate files of MQTT cannot be read (ca={ca}, cert={cert}, key={key}): {why_en}.",
        "Check paths, rights and that they are PEM; the key belongs to the certificate and has no password.",
    ),
)
UNTRUSTED = declare(
    "mqtt.untrusted",
    "refused",
    zh=(
        "没有连接 MQTT 服务器 {host}：TLS 核验不通过（{why_zh}）。",
        "请核对 ca 是否为签发该服务器证书的机构、证书是否在有效期内、主机名是否一致，以及对方是否要求客户端证书（cert、key）。",
    ),
    en=(
        "The MQTT broker {host} was not connected to: TLS does not hold ({why_en}).",
        "Check that ca is the authority that signed the broker's certificate, its dates and its host name, and whether the broker asks for a client's certificate (cert, key).",
    ),
)

TOPIC = "zhongshu/"
PORTS = {"mqtt": 1883, "mqtts": 8883}
AGAIN = 1.0
"""Seconds until a message that could not be kept is tried again."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
"""Seconds between tries to connect."""
_log = logging.getLogger(__name__)


class MqttReader:
    """One connection to one broker, with a session that outlives it: what is published meanwhile waits there."""

    def __init__(self, url: str, client_id: str, sources: Mapping[str, Source], intake: Intake, submit: Callable[[Batch], "Future[Receipt]"]) -> None:
        """Take the broker's address and who takes batches. Raises `mqtt.bad_url`."""
        self._sources, self._intake, self._submit = sources, intake, submit
        self._stop = threading.Event()
        self._connection = 0
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._host, self._port, self._client = _client(url, client_id)
        self._client.on_connect = self._connected
        self._client.on_message = self._message
        self._client.on_disconnect = lambda *_: _log.warning("mqtt.disconnected %s:%d", self._host, self._port)

    def start(self) -> None:
        """Connect, and connect again whenever that fails."""
        self._client.connect_async(self._host, self._port, keepalive=30)
        self._thread.start()

    def stop(self) -> None:
        """Leave the broker; what is not acknowledged it sends again to the next of this name."""
        self._stop.set()
        self._client.disconnect()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        """Stay connected. The library's own loop waits by select(), which breaks once a process has a thousand files open: a city with many open screens has."""
        delay = FIRST_DELAY
        while not self._stop.is_set():
            try:
                self._client.reconnect()
                delay = FIRST_DELAY
                self._serve()
            except ssl.SSLError as error:
                _log.warning("%s", UNTRUSTED(host=f"{self._host}:{self._port}", **why(getattr(error, "verify_message", "") or error, "证书或加密方式不对")))
            except (OSError, ValueError) as error:
                _log.warning("mqtt.unreachable %s:%d %s", self._host, self._port, error)
            self._stop.wait(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _serve(self) -> None:
        """Read and write as the socket allows, until the connection is gone."""
        with selectors.DefaultSelector() as selector:
            watched: Any = None
            while (line := self._client.socket()) is not None:
                wants = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._client.want_write() else 0)
                if watched is not line:
                    selector.register(line, wants)
                    watched = line
                else:
                    selector.modify(line, wants)
                pending = bool(getattr(line, "pending", lambda: 0)())  # what TLS has read already
                ready = selector.select(0 if pending else 0.5)
                events = ready[0][1] if ready else 0
                if (pending or events & selectors.EVENT_READ) and self._client.loop_read() != mqtt.MQTT_ERR_SUCCESS:
                    return
                if events & selectors.EVENT_WRITE and self._client.loop_write() != mqtt.MQTT_ERR_SUCCESS:
                    return
                if self._client.loop_misc() != mqtt.MQTT_ERR_SUCCESS:
                    return

    def _connected(self, client: mqtt.Client, _data: object, _flags: object, reason: Any, _properties: object = None) -> None:  # noqa: ANN401 (paho's)
        if reason.is_failure:
            _log.warning("mqtt.refused %s:%d %s", self._host, self._port, reason)
            return
        self._connection += 1
        client.subscribe(TOPIC + "+", qos=1)

    def _message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self._take(message, self._connection)

    def _take(self, message: mqtt.MQTTMessage, connection: int) -> None:
        """Hand a message to the journal and acknowledge it when it is durable; if that fails, try again until the connection is gone."""
        try:
            done = self._submit(self._read(message.topic.removeprefix(TOPIC), bytes(message.payload)))
        except Exception as error:  # noqa: BLE001 (an exception here would end the connection's thread)
            self._later(message, connection, error)
        else:
            done.add_done_callback(lambda future: self._kept(message, connection, future))

    def _kept(self, message: mqtt.MQTTMessage, connection: int, future: "Future[Receipt]") -> None:
        if (error := future.exception()) is not None:
            self._later(message, connection, error)
        elif connection == self._connection and not self._stop.is_set():
            self._client.ack(message.mid, message.qos)

    def _later(self, message: mqtt.MQTTMessage, connection: int, error: BaseException) -> None:
        _log.warning("mqtt.not_kept %s: %s", message.topic, error)
        if not self._stop.is_set() and connection == self._connection:
            timer = threading.Timer(AGAIN, self._take, (message, connection))
            timer.daemon = True
            timer.start()

    def _read(self, name: str, payload: bytes) -> Batch:
        """Turn a payload into a batch. Its id is its content's, so that a message sent again changes nothing."""
        batch = f"mqtt:{hashlib.sha256(payload).hexdigest()[:32]}"
        source = self._sources.get(name)
        if source is None:
            stranger = Source(name[:100] or "mqtt", name, name, "")
            return self._intake.unreadable(stranger, payload, UNKNOWN_SOURCE(source=name), batch)
        try:
            return self._intake.requests(source, payload, batch) if source.kind == "requests" else self._intake.receive(source, payload, batch=batch)
        except Problem as problem:
            return self._intake.unreadable(source, payload, problem, batch)


def _client(url: str, client_id: str) -> tuple[str, int, mqtt.Client]:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise BAD_URL(url=url) from None
    if not parts.hostname:
        raise BAD_URL(url=url)
    given = {name: held[0] for name, held in parse_qs(parts.query).items()}
    if given.keys() - ({"ca", "cert", "key"} if parts.scheme == "mqtts" else set()) or ("key" in given) != ("cert" in given):
        raise BAD_URL(url=url)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False, manual_ack=True)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        client.tls_set_context(_trust(given))
    return parts.hostname, port, client


def _trust(given: Mapping[str, str]) -> ssl.SSLContext:
    """Return whom to trust (`ca`, else the system's authorities) and who we are (`cert`, `key`); raises `mqtt.bad_certificate`."""
    ca, cert, key = (given.get(name, "") for name in ("ca", "cert", "key"))
    try:
        context = ssl.create_default_context(cafile=ca or None)
        if cert:
            context.load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise BAD_CERTIFICATE(ca=ca, cert=cert, key=key, **why(error, "内容不是 PEM，或私钥与证书不成对")) from error
    return context
