"""The network's documents: server entries, configurations, traffic rules. Read and written, never fetched.

    json_canonical   JSON exactly as signed documents have it
    entry_fields     a server entry as the mapping that is stored and forwarded
    server_entry     the same entry, typed, as dialling needs it
    capabilities     tunnel protocols and the capabilities that announce them
    server_list      lists of encoded entries
    entry_signature  signing and verifying an entry
    signed_package   the signed carrier of lists; package_stream is its outside
    transfer_urls    where a document is to be had, and from where first
    packed_entry     a server entry in CBOR
    access_link      a client's configuration as a link that people send to one another
    osl              lists that open to clients with a certain traffic history: a room of its own
    config_reader    what the configuration files have in common; json_lines is where in one something is
    client_config    the client's configuration file: client_config_fields, client_config_checks and
                     local_proxy_checks; upstream_proxy_url, custom_headers, host_patterns and
                     additional_parameters are parts
    proxy_environment  the upstream proxy that the environment names
    server_config    the server's configuration file; load_limits is a part
    server_files     the files that every server begins with
    psinet           what a server tells clients of the network
    traffic_rules    limits on clients; traffic_filter and port_policy are its parts
    authorizations   signed texts that give clients an access type for a while
    blocklist        destinations that clients are kept away from
    geoip_record     what a record of a GeoIP database says of an address
    prefix_specs     the prefixes that both sides may be configured with
    tactics_config   the part of a tactics file that a server needs itself

A document that cannot be used raises DocumentError, with a text for the person who wrote the document.
"""
