"""What outlives a process: the server's seed history, and in `client/` all that a client remembers.

`sqlite_file` is what both have in common.

Nothing is exported here: client and server import the modules they use, so that neither loads the other's.
"""
