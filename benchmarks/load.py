"""A load of readings over loopback from a process of its own, bounded in time: raw keep-alive connections, each with streams of its own."""

import asyncio
import json
import sys
import time

import numpy as np

STREAMS = 100_000


def template(entities: range) -> str:
    """Return a body with a mark where the time goes."""
    return "\n".join(f'{{"entity":"urn:zs:TrafficDetector:B{i}","property":"TrafficDetector.speed","time":@,"value":{30 + i % 40}}}' for i in entities)


async def connection(port: int, head: str, bodies: list[str], seconds: float, took: list[float]) -> int:
    """Send bodies one after the other until the time is up (0: every body once); return how many were accepted with 202."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = 0
    until = time.monotonic() + seconds
    last = 0
    while time.monotonic() < until if seconds else sent < len(bodies):
        last = max(last + 1, time.time_ns() // 1_000_000)
        body = bodies[sent % len(bodies)].replace("@", str(last)).encode()
        begun = time.monotonic()
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
        text = await reader.readexactly(length)
        took.append(time.monotonic() - begun)
        if answer[9:12] != b"202":
            raise RuntimeError(text.decode())
        sent += 1
    writer.close()
    return sent


async def main(port: int, url: str, token: str, size: int, connections: int, seconds: float) -> dict[str, float]:
    """Warm up, run the load, and return readings per second and the latencies."""
    share = STREAMS // connections if size > 1 else 50
    bodies = [[template(range(c * share + k, c * share + k + size)) for k in range(0, max(share - size, 1), size)] for c in range(connections)]
    head = f"POST {url} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\ncontent-type: application/x-ndjson\r\n"
    await asyncio.gather(*(connection(port, head, bodies[c], 0, []) for c in range(connections)))
    took: list[float] = []
    begun = time.monotonic()
    sent = sum(await asyncio.gather(*(connection(port, head, bodies[c], seconds, took) for c in range(connections))))
    wall = time.monotonic() - begun
    return {"readings_s": sent * size / wall, "requests_s": sent / wall, "p50_ms": float(np.percentile(took, 50) * 1e3), "p99_ms": float(np.percentile(took, 99) * 1e3)}


if __name__ == "__main__":
    port, url, token, size, connections, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(main(int(port), url, token, int(size), int(connections), float(seconds)))))
