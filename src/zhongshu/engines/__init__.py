"""Engines: what fills the kernel's ports. Only the assembly (`app`) imports them, each by its file; they never import a stage."""
