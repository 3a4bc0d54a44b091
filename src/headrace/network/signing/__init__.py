"""The network's own keys: what they are for, how they sign, and how one takes over from another.

    kinds      purposes, and what holds for each
    making     new keys, and keys that are there already
    signer     what signs entries and packages: a key here, or signatures from elsewhere
    offline    requests to a machine that has a key and nothing else, and its answers
    key_files  a private key in a file of its own, closed with a passphrase
    reading    files of both kinds
    rotation   which key signs what while two are active

All but `rotation` works without a database, where a key is kept.
"""
