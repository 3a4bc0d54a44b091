"""The client: finds a server, keeps a tunnel to it, and offers it to applications as local proxies.

controller, phases, shared, assembly   one run, the owner of all that follows, what its parts share, and
                                       how it is put together from a configuration
search, establish, establishment_reports, servers, region_reporter
                                       looking for tunnels: headrace.establishment decides, these act
tunnel, liveness, api, tunnel_report   one attempt, what becomes of it, and its requests
operation, tunnel_pool, monitor, operate_settings
                                       tunnels in use: taking turns, and finding out when one is dead
connected_reporter, status_reporter, unreported_bytes, failed_tunnels, tag_check
                                       what servers are told, and asked
surroundings, sleep_watch              what the machine tells: its network, and that it slept
server_requests                        what a server asks of us
server_lists, fetcher, common_list, obfuscated_lists, downloads, list_import
                                       learning of more servers: when, from where, into the store
data_directory, migration              where files are kept; headrace.store.client is the store itself
local_proxies, local_connection, local_socks, proxy_options
                                       the local proxies, and how they are offered
http_proxy, local_http, http_forward, http_origin, http_origins, direct_channel, http_answers
                                       the HTTP proxy: CONNECT, and plain requests
local_pages, own_site, own_pages, pac  what it answers itself, to whom, and how browsers find it
url_proxy, url_paths, url_answer, icy  origins behind paths of it
split_tunnel, forward_stream           what goes past the tunnel; a stream to wherever, by the right way
udp, udp_association, udp_names, udp_flows, udpgw_client
                                       datagrams: SOCKS5 UDP ASSOCIATE, and the client's end of udpgw
notices, notice_types, notice_files    what is told to whatever runs the client
system_proxy                           the desktop's programs use the proxies
attended, control*, status, journal_file
                                       a client in the background, and asking it
"""
