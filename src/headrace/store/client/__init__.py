"""What a client remembers: one SQLite file in its data directory, made to survive anything. Inside out:

    schema      the tables, and the steps that lead to them
    lock        one process at a time in a directory
    log_check   what is lost of a log that a killed process left
    chores      what SQLite does beside the event loop: checkpoints, the check after an unclean end
    entry_row   a server entry as a row
    salvage     row by row out of a damaged file
    outages     what people are told of a file that cannot be used for a while
    store_file  the file on disk: opened in any state, mended, kept short of log
    database    questions to it, whatever happens: no SQLite error leaves it
    entries     server entries; random_walk: the order they are tried in; importing: many at once
    tables      SLOKs, ETags, values, dial parameters
    statistics  what is to be reported once
    store       ClientStore, all of the above

Source: server lists spec §1.8, client spec §7.
"""
