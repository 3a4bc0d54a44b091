from headrace.obfuscation.seed_history import SEED_CAPACITY, SEED_LIFETIME, SeedMemory


def seed(number: int) -> bytes:
    return number.to_bytes(16, "big")


def test_the_rule_as_specified() -> None:
    assert SEED_LIFETIME == 30 * 86_400
    assert SEED_CAPACITY == 1_000_000


def test_a_seed_is_new_once() -> None:
    memory = SeedMemory()
    assert [memory.seen(seed(1), 0), memory.seen(seed(1), 1), memory.seen(seed(2), 1)] == [False, True, False]


def test_a_seed_is_forgotten_after_its_time() -> None:
    memory = SeedMemory(lifetime=100)
    assert not memory.seen(seed(1), 0)
    assert memory.seen(seed(1), 99)
    assert memory.seen(seed(1), 198), "the repeat renewed it"
    assert not memory.seen(seed(1), 298)


def test_the_least_recently_seen_goes_first() -> None:
    memory = SeedMemory(capacity=2)
    memory.seen(seed(1), 0)
    memory.seen(seed(2), 1)
    memory.seen(seed(1), 2)
    memory.seen(seed(3), 3)
    assert len(memory) == 2
    assert memory.seen(seed(1), 4)
    assert not memory.seen(seed(2), 5)
