"""The fuzzer's corpus replayed, and time that grows with the input and not with its square."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from drivers.base import Encoding
from drivers.codec.gsm7 import decode_gsm7
from drivers.codec.national_tables import Language
from drivers.codec.septets import pack_septets, unpack_septets, unpack_ussd
from drivers.codec.text import decode_text
from tests.fuzz.corpus import CORPUS, load_corpus
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.property

N_SMALL = 20_000
GROWTH = 8
SLACK = 4
"""Eight times the input may take 32 times as long on a busy machine; quadratic time would take 64."""


def test_every_target_has_a_corpus_and_it_is_small() -> None:
    files = list(CORPUS.iterdir())
    assert {file.stem for file in files} == set(TARGETS)
    assert sum(file.stat().st_size for file in files) < 64_000


@pytest.mark.parametrize("name", list(TARGETS))
def test_nothing_that_the_fuzzer_found_breaks_a_promise(name: str) -> None:
    inputs = load_corpus(name)
    assert inputs
    for octets in inputs:
        TARGETS[name](octets)
        TARGETS[name](octets[:-1])
        TARGETS[name](octets + octets)


@pytest.mark.parametrize(
    "work",
    [
        lambda n: decode_gsm7(b"\x1b" * n),
        lambda n: decode_gsm7(b"\x1be" * n, locking=Language.HINDI, single_shift=Language.URDU),
        lambda n: unpack_septets(bytes(n), 8 * n // 7 - 1, 3),
        lambda n: pack_septets(bytes(n), 3),
        lambda n: unpack_ussd(b"\xff" * n),
        lambda n: decode_text(Encoding.UCS2, b"\xd8" * n),
        lambda n: [TARGETS[name](b"\x00\x01" * n) for name in TARGETS],
    ],
)
def test_time_grows_with_the_input_and_not_with_its_square(work: Callable[[int], object]) -> None:
    ratios = []
    for _ in range(5):  # another program may take the processor's caches away for a while
        small, large = best_of_five(work, N_SMALL), best_of_five(work, GROWTH * N_SMALL)
        ratios.append(large / max(small, 1e-4))
        if ratios[-1] < SLACK * GROWTH:
            return
    pytest.fail(f"{GROWTH} times the input took {ratios} times as long")


def best_of_five(work: Callable[[int], object], n: int) -> float:
    times = []
    for _ in range(5):
        start = time.thread_time()
        work(n)
        times.append(time.thread_time() - start)
    return min(times)
