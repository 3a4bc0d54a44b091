"""Finding a server that answers, as rules without I/O: whom to dial next, when, how, and which to keep.

    scheduler, states      when to dial, whom to keep and drop: the machine, and the table it runs on
    policy, settings       keeping the best; how eagerly servers are dialled
    candidates, order      which server is tried next
    replay, replay_record  doing again what worked
    dial_parameters        every choice made for an attempt, before it begins
    dial_settings, latency what the choices are made from
    stages, journal        how far an attempt has come, and what became of it

Time, randomness and what is known of servers are handed in; `headrace.client` carries out what is decided.
"""
