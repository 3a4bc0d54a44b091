"""How changes of the network become known: to server hosts, download locations, and departments.

stores     the places: storage services, directories that a web server shows, the hosts
"""
