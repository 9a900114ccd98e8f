"""Govern: who may see and do what, and the ledger of what was seen and done. Every other stage is governed by it; it knows none of them."""

from zhongshu.govern.anchor import read_anchor
from zhongshu.govern.attempts import Attempts, network
from zhongshu.govern.catalogue import Catalogue, Grading
from zhongshu.govern.chain import Mark, canonical, deeds_since, lines, lines_of, sm3, verify
from zhongshu.govern.guard import Guard, admit, guest, unfold, visible, withheld_types
from zhongshu.govern.identity import DemoAccount, Identity, SignedIn
from zhongshu.govern.ledger import Ledger, Line, Looks, Witness, plain
from zhongshu.govern.parties import Grant, Party
from zhongshu.govern.policy import PackPolicy, Policy, check_pack
from zhongshu.govern.roles import ACTIONS, KINDS, PLACELESS, ROLES, VERBS, Role

__all__ = [
    "ACTIONS",
    "KINDS",
    "PLACELESS",
    "ROLES",
    "VERBS",
    "Attempts",
    "Catalogue",
    "DemoAccount",
    "Grading",
    "Grant",
    "Guard",
    "Identity",
    "Ledger",
    "Line",
    "Looks",
    "Mark",
    "PackPolicy",
    "Party",
    "Policy",
    "Role",
    "SignedIn",
    "Witness",
    "admit",
    "canonical",
    "check_pack",
    "deeds_since",
    "guest",
    "lines",
    "lines_of",
    "network",
    "plain",
    "read_anchor",
    "sm3",
    "unfold",
    "verify",
    "visible",
    "withheld_types",
]
