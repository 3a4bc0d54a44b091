"""Bundles, made from a book as it is."""

import json
from typing import Any

from headrace.network.book import Book, View
from headrace.network.bundles.checks import encode_bundle
from headrace.network.bundles.source import bundle
from headrace.network.model import Campaign
from headrace.network.publish.sources.material import Material
from headrace.network.rendering.network import NetworkRendering

__all__ = ["changed", "first_bundle", "material_of"]


def material_of(view: View) -> Material:
    """Return a view as sources look at it."""
    return Material(view, NetworkRendering(view))


def first_bundle(book: Book) -> bytes:
    """Return the bundle of the campaign for the first channel."""
    with book.view() as view:
        channel = view.channel("channel-0")
        (campaign,) = view.all(Campaign, Campaign.channel_id == channel.id)
        return bundle(material_of(view), campaign)


def changed(data: bytes, **fields: Any) -> bytes:
    """Return a bundle with other fields; those that are None are left out."""
    whole = json.loads(data) | fields
    return encode_bundle({name: value for name, value in whole.items() if value is not None})
