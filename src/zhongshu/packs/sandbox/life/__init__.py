"""The sandbox's life: weather, water, devices, simulated people and the story of a storm.

It stands outside the city it enlivens: it speaks HTTP with accounts of its own and must never reach into a stage.
"""
