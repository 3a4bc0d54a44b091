"""How receive windows grow and shrink: fast readers get more, stalled ones little, all have a bound."""

from headrace.ssh.channel import INITIAL_WINDOW, MAX_DATA, MAX_WINDOW, Channel
from headrace.testing.peers import RecordingEndpoint, SshPair


def stream(pair: SshPair, sender: RecordingEndpoint, count: int) -> int:
    """Send `count` bytes as far as the window goes; return how many went."""
    sent = 0
    while sent < count:
        channel = sender.channel
        assert channel is not None
        size = min(MAX_DATA, channel.room, count - sent)
        if not size:
            break
        sender.send(bytes(size))
        sent += size
        pair.run()
    return sent


def connected() -> SshPair:
    pair = SshPair().start()
    pair.run()
    return pair


def growths(pair: SshPair) -> list[int]:
    assert pair.client.connection is not None
    return [channel.growth for channel in pair.client.connection.channels.values()]


def test_a_reader_that_keeps_up_gets_the_largest_window() -> None:
    pair = connected()
    pair.open()
    sender = pair.accepted[0][2]
    assert stream(pair, sender, 8 * MAX_WINDOW) == 8 * MAX_WINDOW
    assert growths(pair) == [MAX_WINDOW - INITIAL_WINDOW]


def test_a_reader_that_stalls_from_the_start_parks_the_first_window() -> None:
    pair = connected()
    _, channel = pair.open()
    channel.hold()
    assert stream(pair, pair.accepted[0][2], MAX_WINDOW) == INITIAL_WINDOW


def test_a_reader_that_was_behind_is_given_less() -> None:
    pair = connected()
    _, channel = pair.open()
    sender = pair.accepted[0][2]
    stream(pair, sender, 8 * MAX_WINDOW)
    channel.hold()
    assert stream(pair, sender, 2 * MAX_WINDOW) >= MAX_WINDOW // 2
    channel.release()
    pair.run()
    assert growths(pair) == [MAX_WINDOW // 2 - INITIAL_WINDOW]
    assert stream(pair, sender, 8 * MAX_WINDOW) == 8 * MAX_WINDOW


def test_many_readers_share_one_window_of_growth_and_give_it_back() -> None:
    pair = connected()
    channels: list[Channel] = [pair.open()[1] for _ in range(40)]
    for _, _, sender in list(pair.accepted):
        stream(pair, sender, MAX_WINDOW)
    assert sum(growths(pair)) <= MAX_WINDOW
    connection = pair.client.connection
    assert connection is not None
    assert connection.growth_left == MAX_WINDOW - sum(growths(pair))
    for channel in channels:
        channel.close()
    pair.run()
    assert connection.growth_left == MAX_WINDOW
