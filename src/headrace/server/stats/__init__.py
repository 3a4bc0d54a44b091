"""What a server counts and tells of itself: numbers of all its clients together, never an address.

names                                what is counted, in one list
snapshot, worker_snapshot            the figures of a worker, which add up to those of the server
process_figures, machine_figures     what a process uses, and what the machine does
loop_lag, file_times                 how late the event loop is, and how old the files are
tunnel_record, traffic               one tunnel and what went through it
worker_stats, strangers              what becomes of a worker's sessions, and of those who are no clients
destination_bytes                    how much went where, by labels that the operator chose
load_events, load_reports            the load, told now and then
event_log, request_fields            a line for each event, and what it says of a client
metrics                              the figures as metrics
"""
