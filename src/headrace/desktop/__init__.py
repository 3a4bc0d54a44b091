"""The desktop's proxy settings: read, changed while the client runs, and put back whatever happens.

    settings      what there is to know of any desktop's
    gnome, kde, environment, windows, macos    each desktop's own
    choice        which of them it is
    commands      the one door to programs of theirs
    record        what has been changed, on disk before it is
    system_proxy  one client at a time that changes them

Nothing is exported here: few runs need any of it.
"""
