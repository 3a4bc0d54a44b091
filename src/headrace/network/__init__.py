"""The operator's side: one model of the whole network, safe changes to it, and what is published of it.

    model      entities and their invariants, in a database
    book       the database opened: views to read, changes to write
    vault      secrets at rest
    custody    the keys that the book has, as signers
    signing    keys of the network, signers, the offline flow
    lifecycle  servers from creation to removal, and capabilities taken from all of them at once
    rendering  server entries and what else is made of a server
    exports    least-privilege extracts, one for each audience
    strategy   who may learn of which server
    publish    plan, ledger, workers, stores
    bundles    what a user starts with: configurations, zipapps, links

Nothing of it is on a server or in a client: those get extracts. It needs the extra `network`.
"""
