"""Simulators: published engines behind the kernel's one port, each run in a process and a folder of its own. Nothing here knows the city."""
