"""What a user starts with (operations spec §3.1): made for one sponsor and channel, in seconds.

    configuration   everything that is built in: ids, entries, keys, and where lists are
    checks          what a bundle must have, and must not
    private_keys    which never are in it
    source          the bundles of all campaigns, for publication
    archive         one file that runs: the client and a bundle
    sharing         a bundle as a link, and as a QR code

A bundle is a client's configuration. The client itself is the same for everybody.
"""
