"""The server: listens, tells clients from strangers, and forwards what clients ask for.

service, startup, sd_notify, early_signals  the server as a whole: before its workers start, and beside them
supervisor, worker_slot      the parent of the processes
worker_process, worker_link  one of them as its child, and the line between the two
observation, metrics_page    what the server as a whole tells of itself; stats/ is what it knows
control, control_messages, control_client, status  what a running server can be asked
check, findings, oddities    what is wrong with the files of one that does not run yet, or hardly meant
process, worker, shared      one of them, its sessions, and what these share; load/ is what it bears
session, login, clients      one client's connection, what it says of itself, and who has been here before
patience                     how long it may take to log in, and a stranger stay
front                        the web server that strangers who speak HTTP are led to
client_tunnel                what it has once it is logged in
origin, discovery            where it comes from, and whom it is told of for that
client_rules, authorizations what rules it is under, and what it may do beyond others
alerts                       what it is told of that it may not
api, api_parameters, status_report  its requests
gate, egress, geoip          where it may go, and where that is
forwards, rates, throttle    how much of it at once, and how fast
udpgw_channel, liveness      channels that the server speaks itself
osl_seeding                  keys that traffic earns
generate                     the files of a new server
"""
