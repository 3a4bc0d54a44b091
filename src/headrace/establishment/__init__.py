"""Finding a server that answers, as rules without I/O: whom to dial next, when, how, and which to keep.

    dial_parameters  every choice made for an attempt, before it begins
    stages           how far an attempt has come

Time, randomness and what is known of servers are handed in; `headrace.client` carries out what is decided.
"""
