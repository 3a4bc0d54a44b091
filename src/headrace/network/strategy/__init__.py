"""Who may learn of which server, and what that costs: rules without a database and without I/O.

    roles        by what a server reaches users, which follows from what is set of it
    subset       which servers are in whose list
    choice       at which provider a new host is made
    recipes      which protocols and ports a new server gets
    diversity    how many servers share a network, a provider, a port
    simulator    what somebody learns of the network who asks from many addresses, for days
    population   a made-up network for that
    exposure     who can learn of one server, how, from when to when
    pruning      whose time is long over
    selector     servers named by what they have in common
    revocation   which servers a capability is taken from, and what is left then

Functions take entities of the model, as they are in a view, and the time, aware and UTC (operations spec
§1.3, 1.4, 1.7, 1.10, 1.12).
"""
