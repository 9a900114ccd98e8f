"""How often someone may try to sign in: each failure makes the next try wait longer. Kept in memory, bounded; it knows no account's rows."""

import ipaddress
import threading
from collections import OrderedDict

from zhongshu.kernel.clock import HOUR, MINUTE, SECOND
from zhongshu.kernel.problem import ProblemKind, declare

TOO_MANY = declare(
    "session.too_many",
    "busy",
    zh=("登录尝试过于频繁。", "请等 {seconds} 秒再试；忘记密码请联系系统管理员。"),
    en=("Too many attempts to sign in.", "Wait {seconds} seconds and try again; if the password is forgotten, ask the administrator."),
)


class Attempts:
    """Counts failures by key. The first `free` cost nothing, then the wait doubles from 1 s to `longest`; an hour of quiet forgets."""

    def __init__(self, free: int, longest: int = 5 * MINUTE, capacity: int = 10_000, refusal: ProblemKind = TOO_MANY) -> None:
        """Set how many failures are free, the longest wait (µs), how many keys are kept, and what is said to who comes too soon."""
        self._refusal = refusal
        self._free, self._longest, self._capacity = free, longest, capacity
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._gate = threading.Lock()

    def charge(self, key: str, now: int) -> None:
        """Count a try as failed before it is made, so that many at once gain nothing; raise the refusal (`session.too_many`) if it comes too soon."""
        with self._gate:
            count, last = self._failed.get(key, (0, now))
            if now - last > HOUR:
                count = 0
            if (wait := last + self._wait(count) - now) > 0:
                raise self._refusal(seconds=-(-wait // SECOND))
            self._failed[key] = (count + 1, now)
            self._failed.move_to_end(key)
            while len(self._failed) > self._capacity:
                self._failed.popitem(last=False)

    def refund(self, key: str) -> None:
        """Take one counted try back."""
        with self._gate:
            if key in self._failed:
                count, last = self._failed[key]
                self._failed[key] = (max(0, count - 1), last)

    def forget(self, key: str) -> None:
        """Forget a key's failures: its holder signed in."""
        with self._gate:
            self._failed.pop(key, None)

    def __len__(self) -> int:
        """Return how many keys are kept."""
        return len(self._failed)

    def _wait(self, count: int) -> int:
        return 0 if count < self._free else min(self._longest, SECOND << min(30, count - self._free))


def network(address: str) -> str:
    """Return what an address is counted by: an IPv4 address itself, an IPv6 address's /64, anything else cut short."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)
