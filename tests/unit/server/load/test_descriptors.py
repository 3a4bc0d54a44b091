"""The budget of file descriptors, against this process's own."""

import os
import resource

from headrace.server.load.descriptors import Descriptors, raise_limit
from headrace.server.stats.process_figures import open_files


def test_the_limit_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        assert Descriptors().limit == min(soft, 256)
        raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_quarter_is_for_those_who_are_in() -> None:
    assert Descriptors(1000).budget == 750


def test_it_is_spent_when_so_many_are_open_and_not_before() -> None:
    descriptors = Descriptors((open_files() + 60) * 4 // 3)
    assert not descriptors.spent()
    assert descriptors.relieved()
    taken = []
    try:
        while not descriptors.spent():
            taken.append(os.dup(2))
            assert len(taken) < 200
        assert not descriptors.relieved()
        assert len(taken) > 30
        for _ in range(len(taken) // 2):
            os.close(taken.pop(0))
        assert descriptors.relieved()
    finally:
        for number in taken:
            os.close(number)


def test_where_no_file_can_be_opened_it_is_spent() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    descriptors = Descriptors(soft)
    lowest = os.dup(2)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        assert descriptors.spent()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
