"""What a server counts and tells of itself: numbers of all its clients together, never an address.

names                                what is counted, in one list
snapshot, worker_snapshot            the figures of a worker, which add up to those of the server
process_figures                      what a process uses of its machine
event_log, request_fields            a line for each event, and what it says of a client
"""
