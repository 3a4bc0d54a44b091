"""A prefix spec's regular expression.

Invariant: it compiles or raises DocumentError; what compiles generates a prefix in bounded time, no longer
than 65,520 bytes, the same for the same randomness.
"""

from headrace.base.errors import DocumentError
from headrace.base.rng import SeededRng
from headrace.obfuscation import PrefixSpecs
from headrace.obfuscation.prefix import MAX_PREFIX

SEEDS = [rb"^(?i:GET|POST) /[a-z\d_-]{1,9}(\.[[:alpha:]]{3})? HTTP/1\.[01]\r\n\x0a*$"]


def fuzz(data: bytes) -> None:
    try:
        specs = PrefixSpecs.compile({"x": data.decode("latin-1")})
    except DocumentError:
        pass
    else:
        prefix = specs.generate("x", SeededRng(1))
        assert prefix is not None
        assert len(prefix) <= MAX_PREFIX
        assert prefix == specs.generate("x", SeededRng(1))
