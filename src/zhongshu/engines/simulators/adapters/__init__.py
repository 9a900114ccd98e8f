"""Each engine's own words behind the port. They are an extra, and some bear no other library beside them: only a worker's process imports these files."""
