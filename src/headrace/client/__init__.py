"""The client: finds a server, keeps a tunnel to it, and offers it to applications as local proxies.

controller                             one run, and the owner of all that follows
search, establish, candidates, servers
                                       looking for a tunnel: rounds, races, attempts, who is known
tunnel, monitor, api                   one attempt, what becomes of it, and its requests
server_requests                        what a server asks of us
server_lists, fetcher, common_list, obfuscated_lists, downloads, list_import
                                       learning of more servers: when, from where, into the store
data_directory                         where files are kept; headrace.store.client is the store itself
local_connection, local_socks, local_http, http_forward
                                       the local proxies
notices                                what is told to whatever runs the client
"""
