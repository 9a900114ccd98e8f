"""What of the record drives the models, and what of their state is told as readings."""

from zhongshu.foresee import Drive, Sight, Source

_PERSISTENCE = Source("WMO-No. 1198, Guidelines for Nowcasting Techniques (2017)", "persistence and extrapolation serve for the first half hour; no radar is extrapolated here")
_PLACE = Source("assumed", "a sensor shows the state of the model's object that it stands at")

DRIVES = (Drive("RainGauge.intensity", "sewers:gage.rain", 5_000, _PERSISTENCE, hold="30m"),)

SIGHTS = (
    Sight("WaterLevelSensor.depth", "sewers:node.ponding", 150, _PLACE, event=15.0, facets={"kind": "underpass"}),
    Sight("WaterLevelSensor.fill", "sewers:node.fill", 60, _PLACE, event=80.0, facets={"kind": "manhole"}),
    Sight("TrafficDetector.speed", "roads:edge.speed", 40, _PLACE, event=15.0, below=True),
)
