"""Packs: one folder per domain or story, each a set of declared rows that one reader in a stage serves.

Packs never import packs; `needs` in a pack's manifest grants the right to name another pack's types.
"""
