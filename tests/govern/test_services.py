"""Services: an account of a service stands for the same roles, whoever asks for a token of it."""

import pytest

from zhongshu.govern import Grant, Identity, Party
from zhongshu.kernel.problem import Problem

CITY, DISTRICT = 990100_000_000_000, 990101_000_000_000


def test_a_service_that_stands_keeps_its_roles(identity: Identity) -> None:
    def service(*roles: str, area: int = CITY) -> Party:
        return Party("devices", "设备", "Devices", tuple(Grant(role, area) for role in roles), kind="service")

    held = identity.service(service("source_writer:sandbox.devices"), actor="system")
    _, robots = identity.issue_token(held, "robot", actor="system")
    assert identity.service(service("source_writer:sandbox.devices"), actor="operator") == held
    for other, code in (
        (service("source_writer:gauges"), "identity.other_roles"),
        (service("admin"), "identity.other_roles"),
        (service(), "identity.other_roles"),
        (service("source_writer:sandbox.devices", "steward"), "identity.other_roles"),
        (service("dispatcher", area=DISTRICT), "identity.other_roles"),
        (service("source_writer"), "identity.unknown_role"),
    ):
        with pytest.raises(Problem) as caught:
            identity.service(other, actor="operator")
        assert caught.value.kind.code == code
    with pytest.raises(Problem) as caught:
        identity.service(service("admin"), actor="operator")
    for language in ("zh", "en"):
        assert "source_writer:sandbox.devices" in caught.value.sentence(language)
        assert "zhongshu user grant devices" in caught.value.remedy(language)
    assert identity.principal_of(bearer=robots).roles == (("source_writer:sandbox.devices", CITY),)
    person = Party("zhiban", "值班长 甲", "Duty officer A", (Grant("duty_officer", CITY),))
    identity.add_party(person, actor="system")
    with pytest.raises(Problem) as caught:
        identity.service(person, actor="operator")
    assert caught.value.kind.code == "identity.account_taken", "a person's account is no service's, whatever its roles"
