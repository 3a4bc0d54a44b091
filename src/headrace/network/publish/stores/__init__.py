"""Where published objects go: the same few operations on a storage service, a directory, and server hosts.

    stored       an object to be published, and which names are good
    store        what every store can do, its errors, and a put that is verified
    directory    a directory which a web server shows
    s3           a bucket of an S3-compatible storage service
    hosts        files on server hosts, and the local stand-in for them
    opening      all of them by URL
    tree         files below a directory that are whole or not there at all
    directories  directories below a root, opened without following links

Nothing here knows what an object means, or whether it has to be put.
"""
