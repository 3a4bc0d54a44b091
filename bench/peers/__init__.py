"""Peers that need a program of their own to take part."""
