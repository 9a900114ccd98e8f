"""Two cities' open 311 data, declared as rows: one row per request, in local time.

Knows headers, states and zones; knows no format's code. Addresses in complaints are personal data: grade 2.
"""

from zhongshu.kernel.clock import DAY
from zhongshu.sense import RequestTable, Source

BALTIMORE_311 = Source(
    name="hotline.baltimore311",
    zh="巴尔的摩 311 诉求（公开数据，2014—2019 抽样）",
    en="Baltimore 311 requests (open data, sample of 2014–2019)",
    owner="dept-hotline",
    kind="requests",
    zone="America/New_York",
    entities="register",
    rhythm=DAY,
    grade=2,
    licence="City of Baltimore, Open Baltimore (CC BY as known)",
    mapping=RequestTable(
        id="ServiceRequestNum",
        also_id=("SRRecordID",),
        category="SRType",
        created="CreatedDate",
        state="SRStatus",
        due="DueDate",
        closed="CloseDate",
        text="Outcome",
        address="Address",
        lon="Longitude",
        lat="Latitude",
        channel="MethodReceived",
        unit="Agency",
        neighbourhood="Neighborhood",
        closed_states=("Closed", "Closed (Duplicate)", "Closed (Transferred)"),
        duplicate_states=("Closed (Duplicate)", "Open (Duplicate)", "New (Duplicate)"),
    ),
)

LA_311 = Source(
    name="hotline.la311",
    zh="洛杉矶 311 诉求（公开数据，2020-01）",
    en="Los Angeles 311 requests (open data, January 2020)",
    owner="dept-hotline",
    kind="requests",
    zone="America/Los_Angeles",
    entities="register",
    rhythm=DAY,
    grade=2,
    licence="City of Los Angeles open data (public domain as known)",
    mapping=RequestTable(
        id="srnumber",
        category="requesttype",
        created="createddate",
        state="status",
        closed="closeddate",
        text="actiontaken",
        address="address",
        lon="longitude",
        lat="latitude",
        channel="requestsource",
        unit="owner",
        neighbourhood="ncname",
        closed_states=("Closed", "Cancelled"),
    ),
)

SOURCES = (BALTIMORE_311, LA_311)
