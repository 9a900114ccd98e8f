"""Foresee: what happens next, simulated by published engines before anyone is sent out. Its first engines come with the twin."""
