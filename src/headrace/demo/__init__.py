"""A demonstration: a whole small network on this machine, with a censor in front of one server."""
