"""City furniture that no domain pack of the sandbox speaks for yet, and what each of them says.

Declares only: no limit, no level, no source stands here.
"""

from zhongshu.kernel.clock import HOUR, MINUTE
from zhongshu.kernel.entity import EntityType
from zhongshu.kernel.quantity import Property

TYPES = (
    EntityType("StreetLight", "路灯", "Street light", "light", {"power_w": int}),
    EntityType("TrashBin", "智能垃圾桶", "Rubbish bin", "bin", {"litres": int}),
    EntityType("Camera", "视频监控", "Camera", "camera", {"gb28181": str, "bearing_deg": int, "view_deg": int, "reach_m": int}),
    EntityType("Building", "建筑", "Building", "building", {"height_m": float}),
)

PROPERTIES = (
    Property("StreetLight.power", "W", "0.1", 0, 5000, 5 * MINUTE, HOUR, "路灯功率", "Street light power"),
    Property("TrashBin.fill", "%", "1", 0, 100, 5 * MINUTE, HOUR, "垃圾桶满溢度", "Bin fill"),
    Property("Camera.online", "1", "1", 0, 1, 5 * MINUTE, HOUR, "摄像机在线", "Camera online"),
)
