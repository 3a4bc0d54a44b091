"""What a server bears: how much at once, how fast, and who goes first when it is too much.

door                         whether new connections are taken, and why not
admission, accept_rate       handshakes and connections, as many as there is time for
newcomers                    who is not logged in yet, no more than there is room for
descriptors, memory          what the system gives a process, and what to do when it runs short
readings, limiter, duty      the machine as a whole: when it takes no more, and when it does again
"""
