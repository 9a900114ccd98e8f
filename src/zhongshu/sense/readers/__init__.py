"""Readers of files: each turns a table of some shape into batches, by the source's declared mapping."""
