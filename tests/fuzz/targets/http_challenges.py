"""What a proxy offers for logging in: any text gives challenges, which can be written and read again."""

from headrace.base.rng import SeededRng
from headrace.codec.digest import Digest
from headrace.codec.http_challenges import MAX_CHALLENGES, Challenge, parse_challenges, quote
from headrace.codec.http_login_way import Identity, Impossible

SEEDS = [
    b'Basic realm="x"',
    b'Digest realm="a, \\"b", nonce=c, qop="auth,auth-int", algorithm=MD5-sess, stale=true, opaque=""',
    b"Negotiate, NTLM TlRMTVNTUAACAAAA==, Basic\nDigest nonce=y,,realm=\xfc, algorithm=SHA-256",
    b'a="b\\',
]


def fuzz(data: bytes) -> None:
    """`data` holds header values, one in each line."""
    offered = parse_challenges(data.decode("utf-8", "surrogateescape").split("\n"))
    assert len(offered) <= MAX_CHALLENGES
    assert parse_challenges(written(challenge) for challenge in offered) == offered
    way = Digest(Identity('a"\\n', "b", "proxy.example"), SeededRng(1))
    try:
        way.challenged(offered, closing=False)
    except Impossible:
        return
    (answer,) = parse_challenges([way.authorization("a.example:80")])
    taken = next(offer for offer in offered if offer.parameters.get("nonce") == answer.parameters["nonce"])
    assert answer.parameters["realm"] in (taken.parameters.get("realm"), *_realms(offered))
    assert answer.parameters["username"] == 'a"\\n'


def _realms(offered: list[Challenge]) -> list[str]:
    return [offer.parameters["realm"] for offer in offered if "realm" in offer.parameters]


def written(challenge: Challenge) -> str:
    """Write a challenge as RFC 9110 would have it."""
    parameters = ", ".join(f"{name}={quote(value)}" for name, value in challenge.parameters.items())
    return (
        f"{challenge.scheme} {challenge.data}".rstrip()
        + (", " if challenge.data and parameters else " ")
        + parameters
    )
