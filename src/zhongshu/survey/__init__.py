"""How a city gets into the record: its areas and entities, which area a point lies in, the made city, and the importers of real ones.

It stands beside the stages and knows none of them, nor any engine.
"""

from zhongshu.survey.areas import Areas
from zhongshu.survey.city import City, check_zone
from zhongshu.survey.entities import Entities
from zhongshu.survey.files import NOT_SURVEYED
from zhongshu.survey.gcj02 import gcj02_to_wgs84, wgs84_to_gcj02
from zhongshu.survey.importers import Columns, Note, Report, Wanted, import_areas
from zhongshu.survey.importers.adding import Called, put
from zhongshu.survey.importers.cities import CITY_READERS
from zhongshu.survey.importers.coordinates import to_cgcs2000
from zhongshu.survey.importers.models import READERS, Drawing, Imported, read_cityflow
from zhongshu.survey.importers.report import Report as Told
from zhongshu.survey.maker import make
from zhongshu.survey.maker.bones import CRS as BONES_CRS
from zhongshu.survey.maker.bones import FOLDER as BONES
from zhongshu.survey.maker.bones import MODELS as BONES_MODELS
from zhongshu.survey.place import Place
from zhongshu.survey.progress import Progress, Step
from zhongshu.survey.roads import Roads
from zhongshu.survey.touching import touched

__all__ = [
    "BONES",
    "BONES_CRS",
    "BONES_MODELS",
    "CITY_READERS",
    "NOT_SURVEYED",
    "READERS",
    "Areas",
    "Called",
    "City",
    "Columns",
    "Drawing",
    "Entities",
    "Imported",
    "Note",
    "Place",
    "Progress",
    "Report",
    "Roads",
    "Step",
    "Told",
    "Wanted",
    "check_zone",
    "gcj02_to_wgs84",
    "import_areas",
    "make",
    "put",
    "read_cityflow",
    "to_cgcs2000",
    "touched",
    "wgs84_to_gcj02",
]
