"""How changes of the network become known: to server hosts, download locations, and departments.

    contents, kinds, sources   what there is to publish, and what it is made from
    ledger, plan               what is where, and what has to be done
    worker, publishing         doing it
    places, stores             where it goes: storage services, directories, server hosts

What has to be done is found out anew each time, so that a publication that broke off is simply repeated.
"""
