"""The database of a network, opened: views to read, changes to write.

A view sees one moment. A change is one transaction that says who makes it and why: it raises the
configuration versions of whatever clients will see differently, keeps the invariants, and leaves an audit
event for each object. Changes take turns; a dry run does all of it and then takes it back.
"""

from headrace.network.book.change import Change, ChangeEvent, Conflict, Invalid
from headrace.network.book.opening import Book
from headrace.network.book.view import NotKnown, View

__all__ = ["Book", "Change", "ChangeEvent", "Conflict", "Invalid", "NotKnown", "View"]
