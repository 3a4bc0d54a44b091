"""OSSH prefix specs as configuration files have them: {name: [["", regular expression]]} (tunnel spec §3)."""

from headrace.base.errors import DocumentError

__all__ = ["RawPrefixSpecs", "read_prefix_specs"]

RawPrefixSpecs = dict[str, list[tuple[str, str]]]


def read_prefix_specs(raw: RawPrefixSpecs, file: str, field: str) -> dict[str, str]:
    """Return name to regular expression. Raises DocumentError for a spec that is not exactly one expression.

    The first text of the pair selects targets in the network's other transforms; a prefix always has it
    empty.
    """
    for name, pairs in raw.items():
        if len(pairs) != 1:
            raise DocumentError(
                f"{file}: {field}: spec {name} has {len(pairs)} pairs: "
                'write exactly one, [["", regular expression]]'
            )
    return {name: pairs[0][1] for name, pairs in raw.items()}
