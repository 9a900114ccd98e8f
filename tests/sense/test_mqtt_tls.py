"""MQTT with TLS against a real mosquitto: our own authority is trusted, another is refused and told of, and a client's certificate is shown where it is asked for."""

import datetime as dt
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from zhongshu.engines.sqlite_journal import SqliteJournal
from zhongshu.kernel.clock import MINUTE
from zhongshu.kernel.problem import Problem
from zhongshu.sense import MqttReader, Pipe
from zhongshu.sense.readers import mqtt as module


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


@dataclass
class Authority:
    """Signs certificates that hold for an hour."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(self.name, self.key, None)
        self.path = self.folder / f"{self.name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, name: str, key: Any, issuer: x509.Certificate | None) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        )
        return made.sign(self.key, hashes.SHA256())

    def give(self, name: str) -> tuple[Path, Path]:
        """Return a certificate and its key as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert, secret = self.folder / f"{self.name}-{name}.pem", self.folder / f"{self.name}-{name}.key"
        cert.write_bytes(self._sign(name, key, self.certificate).public_bytes(serialization.Encoding.PEM))
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        secret.chmod(0o644)
        return cert, secret


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    tmp_path.chmod(0o755)
    return Authority(tmp_path, "ours")


@pytest.fixture
def broker(ours: Authority, tmp_path: Path) -> Iterator[int]:
    """A mosquitto that speaks TLS only, and lets nobody in without a certificate of ours."""
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = int(held.getsockname()[1])
    cert, key = ours.give("broker")
    written = f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\ncafile {ours.path}\ncertfile {cert}\nkeyfile {key}\nrequire_certificate true\n"
    (tmp_path / "mosquitto.conf").write_text(written)
    process = subprocess.Popen(["mosquitto", "-c", str(tmp_path / "mosquitto.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listens() -> bool:
        assert process.poll() is None, "mosquitto does not run"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(listens)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def reader(desk: Any, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], MqttReader]]:
    monkeypatch.setattr(module, "FIRST_DELAY", 0.05)
    started: list[MqttReader] = []

    def start(url: str) -> MqttReader:
        started.append(MqttReader(url, "city", {"known": desk.known}, desk.intake, pipe.submit))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.mark.port
def test_readings_come_by_tls_with_our_own_authority_and_certificate(desk: Any, ours: Authority, broker: int, reader: Callable[[str], MqttReader], journal: SqliteJournal) -> None:
    cert, key = ours.give("city")
    reader(f"mqtts://127.0.0.1:{broker}?ca={ours.path}&cert={cert}&key={key}")
    device = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="device")
    device.tls_set(str(ours.path), *map(str, ours.give("device")))
    device.connect("127.0.0.1", broker)
    device.loop_start()
    row = {"entity": "urn:zs:Gauge:1", "property": "Gauge.rain", "time": (desk.clock.at - MINUTE) // 1000, "value": 1.5}
    until(lambda: bool(device.publish("zhongshu/known", json.dumps(row), qos=1).wait_for_publish(1) or time.sleep(0.1) or journal.counts().get("known", {}).get("accepted")))
    device.disconnect()
    device.loop_stop()
    assert journal.counts()["known"]["accepted"] == 1


@pytest.mark.port
def test_a_broker_of_another_authority_is_refused_and_told_of(
    ours: Authority, broker: int, reader: Callable[[str], MqttReader], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Authority(tmp_path, "other")
    cert, key = ours.give("city")
    held = reader(f"mqtts://127.0.0.1:{broker}?ca={other.path}&cert={cert}&key={key}")
    until(lambda: "mqtt.untrusted" in caplog.text)
    assert "certificate" in caplog.text and "Check that ca" in caplog.text and not held._client.is_connected()


@pytest.mark.port
def test_a_certificate_of_another_host_is_refused(ours: Authority, broker: int, reader: Callable[[str], MqttReader], caplog: pytest.LogCaptureFixture) -> None:
    cert, key = ours.give("city")
    reader(f"mqtts://localhost:{broker}?ca={ours.path}&cert={cert}&key={key}")
    until(lambda: "mqtt.untrusted" in caplog.text)
    assert "localhost" in caplog.text


def test_certificate_files_that_cannot_be_read_are_a_problem(desk: Any, ours: Authority, tmp_path: Path) -> None:
    cert, key = ours.give("city")
    _, foreign = Authority(tmp_path, "other").give("city")
    (tmp_path / "torn.pem").write_text("-----BEGIN CERTIFICATE-----\nx")
    for query in (f"ca={tmp_path}/none.pem", f"ca={tmp_path}/torn.pem", f"cert={cert}&key={foreign}"):
        with pytest.raises(Problem, match=r"mqtt\.bad_certificate") as told:
            MqttReader(f"mqtts://h?{query}", "x", {}, desk.intake, lambda _: None)  # type: ignore[arg-type,return-value]
        assert told.value.sentence("zh")
    for url in (f"mqtt://h?ca={ours.path}", f"mqtts://h?cert={cert}", f"mqtts://h?key={key}", "mqtts://h?insecure=1"):
        with pytest.raises(Problem, match=r"mqtt\.bad_url"):
            MqttReader(url, "x", {}, desk.intake, lambda _: None)  # type: ignore[arg-type,return-value]
