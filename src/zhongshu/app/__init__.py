"""The assembly, read top to bottom: engines → guard → stages → packs → serve. The only floor that sees engines."""

from zhongshu.app.assembly import Assembly, open_city
from zhongshu.app.beside import Beside
from zhongshu.app.commands import alone, backup, bare_city, checked, ingest, move, need_city, need_port, recompute, restore, shown, stores_alone, through_owner, verify, wiring
from zhongshu.app.duties import bring_table
from zhongshu.app.installed import Installed, installed_packs
from zhongshu.app.logs import begin as log_as
from zhongshu.app.owner import Owner
from zhongshu.app.pack_form import check_pack
from zhongshu.app.people import grant, make_token, make_user
from zhongshu.app.playbooks import check_file as check_playbook
from zhongshu.app.recomputing import hand_over, level_named, recompute_past
from zhongshu.app.surveying import import_city
from zhongshu.engines.owner_lock import is_owned

__all__ = [
    "Assembly",
    "Beside",
    "Installed",
    "Owner",
    "alone",
    "backup",
    "bare_city",
    "bring_table",
    "check_pack",
    "check_playbook",
    "checked",
    "grant",
    "hand_over",
    "import_city",
    "ingest",
    "installed_packs",
    "is_owned",
    "level_named",
    "log_as",
    "make_token",
    "make_user",
    "move",
    "need_city",
    "need_port",
    "open_city",
    "recompute",
    "recompute_past",
    "restore",
    "shown",
    "stores_alone",
    "through_owner",
    "verify",
    "wiring",
]
