"""What happens to a network's things in their lives. Each function takes a change and returns what it did.

    making       keys and passwords of new servers and hosts
    creation     new servers, and the test before anybody is told of them
    standing     paused, restored, drained, removed; addresses swapped
    rotation     new keys for what has some
    stepping     older servers leaving lists when newer ones are ready
    replacing    fresh servers for a channel's old ones
    pruning      old servers taken away
    revoking     a capability taken from all servers at once
    brands       sponsors, campaigns, channels, providers
    pages        landing pages, rules and banners, checked
    settings     the network's settings, by name
    exchange     channels to servers as lines of JSON, out and in; rows: one such line

The change commits, or does not: nothing here does.
"""
