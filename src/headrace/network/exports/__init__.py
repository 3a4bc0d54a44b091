"""Least-privilege extracts: one typed record for each audience, and nothing that is not in it leaves.

    classified    what each field of a record is made of, and whether its audience may see that
    entry         server entries, for clients
    host          the configuration of a server, for its host
    psinet        what every server is told of the network
    departments   statistics, operations of hosts, feedback, mail
    forbidden     what must not be in what an audience is given, and the search for it

Tests hold every record against the model, and every file against what is in the database.
"""
