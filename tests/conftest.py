"""Every test gets the loops, networks and markers that ship in `headrace.testing`."""

pytest_plugins = ["headrace.testing.plugin"]
