"""A line between two cities' nodes and what is measured of it every second; times in µs.

Declares only: which lines there are is the settings' to say.
"""

from zhongshu.kernel.clock import HOUR, SECOND
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES = (EntityType("Link", "线路", "Link", "link", {}),)

PROPERTIES = (
    Property("Link.latency", "ms", "1", 0, 86_400_000, SECOND, HOUR, "单程时延", "One-way delay"),
    Property("Link.loss", "%", "0.1", 0, 100, SECOND, HOUR, "探测丢失率", "Share of probes lost"),
    Property("Link.waiting", "1", "1", 0, 1_000_000_000, SECOND, HOUR, "对端待送的消息", "Messages that wait at the other end"),
)
