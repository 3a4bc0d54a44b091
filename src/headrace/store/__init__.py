"""What outlives a process: SQLite stores, reloadable files, the server's seed history.

Nothing is exported here: client and server import the modules they use, so that neither loads the other's.
"""
