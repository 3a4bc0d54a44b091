"""What is made of a server: its ports and capabilities as others see them, its entry, its host's files.

    ports          protocols and their ports: the one place that knows
    capabilities   what an entry announces
    entries        encoded entries, signed
    network        all that is published, made when it is asked for

A view is all it takes; nothing here changes anything.
"""
