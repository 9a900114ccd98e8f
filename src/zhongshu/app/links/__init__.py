"""Lines between a city and its districts 数联: a district's node sends its readings up, the city takes them in, whatever the line does meanwhile.

The district puts messages into a stream of its own NATS server, a leaf of the city's; the city acknowledges one when its journal has it, and then it
leaves the stream. So a cut line costs nothing until the stream's limit, and beyond it the district waits: its own record holds what is to be sent.
"""

from zhongshu.app.links.down import Downlink
from zhongshu.app.links.up import Uplink

__all__ = ["Downlink", "Uplink"]
