"""What an observer can tell of our traffic, measured on captures of the loopback interface, and by probes.

report       a row of the table: detector, subject, sample, hits, bound, bar, control
flows        captured packets as flows: segments with time and direction, and the streams they make
capture      tcpdump on the loopback interface
uniformity, random_parts    F3: what should be random is exactly that
first_flight                F4: the sizes of the first segments, beside ordinary ones
encapsulated, handshake_learner, inner_handshakes  F5: TLS handshakes inside a tunnel, and who notices them
page_loads, pages           pages loaded through tunnels, for that
shapes, headers, learner    sizes as everybody sees them, read off headers; an observer that learns
corpus       ordinary traffic to compare with, recorded once and kept
exchanges, handshakes, commands, websites, certificates, ports  what it is made by
probes/      active probing, P1 to P8

It needs the packages of the `dev` extra and some programs; a detector that is not there is "not run".
"""
