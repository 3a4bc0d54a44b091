"""What an observer can tell of our traffic, measured on captures of the loopback interface, and by probes.

suite                        the whole measurement: controls, subjects in batches, probes
report                       a row of the table: detector, subject, sample, hits, bound, bar, control
judging                      what detectors are to say, of controls and of subjects

subjects, stock, cutting     whose traffic it is: ours in each mode, the deployed programs', in pieces
controls                     traffic that detectors must recognise
capture, flows               tcpdump on the loopback interface; captured packets as flows
children, at_once, ports     other programs, several at a time, and where they listen

first_packet                 F1: what looks fully encrypted
dpi, pattern_rules           F2: DPI programs that run today, and rules of those that do not
uniformity, random_parts     F3: what should be random is exactly that
first_flight                 F4: the sizes of the first segments, beside ordinary ones
encapsulated, handshake_learner, inner_handshakes  F5: TLS handshakes inside a tunnel, and who notices them
page_loads, pages            pages loaded through tunnels, for that
walk, alphabet               F7 and F8: lengths in the clear, few values at one place
probes/                      active probing, P1 to P8
front, visitors              what strangers hear who speak HTTP, and what a web server says to them

shapes, headers, learner     sizes as everybody sees them, read off headers; an observer that learns
corpus                       ordinary traffic to compare with, recorded once and kept
exchanges, handshakes, commands, websites, nginx, certificates  what it is made by

It needs the packages of the `dev` extra and some programs; a detector that is not there is "not run".
"""
