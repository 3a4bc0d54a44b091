"""Properties of shaping: whatever the policy, streams carry what they are given."""

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ssh.test_shaper import HELLO, Shaped

from headrace.ssh.channel import Channel
from headrace.ssh.shaping import SEED_SIZE, Policy, Range, Step
from headrace.testing.peers import RecordingEndpoint

sizes = st.integers(0, 3000)
ranges = st.tuples(sizes, sizes).map(lambda pair: Range(min(pair), max(pair)))
steps = st.lists(st.builds(Step, ranges, ranges, ranges, ranges), max_size=8).map(tuple)
policies = st.builds(Policy, st.binary(min_size=SEED_SIZE, max_size=SEED_SIZE), steps, steps)


class Writer(RecordingEndpoint):
    """An endpoint with something to say, that says it as far as there is room."""

    def __init__(self, channel: Channel | None = None) -> None:
        super().__init__(channel=channel)
        self.unsent = b""
        self.said = b""

    def say(self, data: bytes) -> None:
        self.unsent += data
        self.said += data
        self.pump()

    def pump(self) -> None:
        assert self.channel is not None
        while self.unsent and (room := self.channel.room):
            piece, self.unsent = self.unsent[:room], self.unsent[room:]
            self.send(piece)
        if self.unsent:
            self.channel.wait()

    def writable(self) -> None:
        super().writable()
        self.pump()


@given(policies)
def test_any_policy_there_and_back(policy: Policy) -> None:
    assert Policy.decode(memoryview(policy.encode())) == policy


@given(
    policies,
    st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=4000)), max_size=12),
    st.booleans(),
)
def test_streams_carry_what_they_are_given(policy: Policy, said: list[tuple[bool, bytes]], tls: bool) -> None:
    shaped = Shaped(policy)
    near, far = Writer(), Writer()
    for writer, there in ((near, shaped.open()), (far, shaped.far[0])):
        channel = there.channel
        assert channel is not None
        writer.channel, channel.endpoint = channel, writer
    for upward, data in [(True, HELLO), *said] if tls else said:
        (near if upward else far).say(data)
        shaped.run()
    assert bytes(far.received) == near.said
    assert bytes(near.received) == far.said
