"""What an observer can tell of our traffic, measured on captures of the loopback interface, and by probes.

report       a row of the table: detector, subject, sample, hits, bound, bar, control
flows        captured packets as flows: segments with time and direction, and the streams they make
capture      tcpdump on the loopback interface
uniformity   F3: what should be random is exactly that
first_flight, encapsulated  F4 and F5: sizes of the first segments, handshakes inside a tunnel
shapes, learner             sizes as everybody sees them; an observer that learns
websites, certificates, exchanges, ports  ordinary traffic to compare with
probes/      active probing, P1 to P8

It needs the packages of the `dev` extra and some programs; a detector that is not there is "not run".
"""
