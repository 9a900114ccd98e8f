"""Serve: what goes outward. Routes with their permissions, our own JSON API, the live stream and the page; no stage knows of it."""
