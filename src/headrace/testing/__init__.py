"""Test kit, shipped: paired in-memory peers, virtual time, a loopback network, builders.

Other people's projects may use it as well; `headrace.testing.plugin` is a pytest plugin.
"""
