"""A load of readings over loopback from a process of its own, bounded in time: raw keep-alive connections, each with streams of its own."""

import asyncio
import json
import sys
import time

import numpy as np
from crowd import KINDS, STREAMS


def template(streams: range) -> str:
    """Return a body with a mark where the time goes."""
    rows = []
    for i in streams:
        prop, _, low, high = KINDS[i % len(KINDS)]
        rows.append(f'{{"entity":"urn:zs:{prop.partition(".")[0]}:B{i}","property":"{prop}","time":@,"value":{low + i * 7 % max(high - low, 1)}}}')
    return "\n".join(rows)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str, body: bytes) -> tuple[int, bytes]:
    """Send one request on a connection that stays; return status and body."""
    writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
    return int(answer[9:12]), await reader.readexactly(length)


async def connection(port: int, head: str, bodies: list[str], seconds: float, pause: float, took: list[float]) -> int:
    """Send bodies one after the other, `pause` s apart at least, until the time is up (0: every body once); return how many were accepted with 202."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent, last, due = 0, 0, time.monotonic() + pause * np.random.default_rng(id(bodies) % 2**32).random()
    until = time.monotonic() + seconds
    while time.monotonic() < until if seconds else sent < len(bodies):
        if pause:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + pause, time.monotonic() - 10 * pause)
        last = max(last + 1, time.time_ns() // 1_000_000)
        body = bodies[sent % len(bodies)].replace("@", str(last)).encode()
        begun = time.monotonic()
        status, text = await ask(reader, writer, head, body)
        took.append(time.monotonic() - begun)
        if status != 202:
            raise RuntimeError(text.decode())
        sent += 1
    writer.close()
    return sent


async def main(port: int, url: str, token: str, size: int, connections: int, seconds: float, rate: float) -> dict[str, float]:
    """Warm up, run the load, and return readings per second and the latencies."""
    share = STREAMS // connections if size > 1 else 50
    bodies = [[template(range(c * share + k, c * share + k + size)) for k in range(0, max(share - size, 1), size)] for c in range(connections)]
    head = f"POST {url} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\ncontent-type: application/x-ndjson\r\n"
    pause = size * connections / rate if rate else 0.0
    await asyncio.gather(*(connection(port, head, bodies[c], 0, 0, []) for c in range(connections)))
    took: list[float] = []
    begun = time.monotonic()
    sent = sum(await asyncio.gather(*(connection(port, head, bodies[c], seconds, pause, took) for c in range(connections))))
    wall = time.monotonic() - begun
    return {"readings_s": sent * size / wall, "requests_s": sent / wall, "p50_ms": float(np.percentile(took, 50) * 1e3), "p99_ms": float(np.percentile(took, 99) * 1e3)}


if __name__ == "__main__":
    port, url, token, size, connections, seconds, *rate = sys.argv[1:]
    print(json.dumps(asyncio.run(main(int(port), url, token, int(size), int(connections), float(seconds), float(rate[0]) if rate else 0.0))))
