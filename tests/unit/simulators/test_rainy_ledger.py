"""The books that the soak closes notice what is lost, doubled, or made up."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.rainy_world import Ledger

pytestmark = pytest.mark.unit


def balanced() -> Ledger:
    return Ledger(
        accepted={"m1": "+861", "m2": "+862", "m3": "+863"},
        n_parts={"m1": 2, "m2": 1, "m3": 1},
        sent_in=[("+86138", "hi"), ("+86138", "hi")],
        told={
            "m1": {"status": "delivered"},
            "m2": {"status": "uncertain"},
            "m3": {"status": "failed", "error": {"code": "cms_1"}},
        },
        stored=Counter({("+86138", "hi"): 2}),
        seen={"+861": Counter({b"1": 1, b"2": 1})},
    )


def test_balanced_books_have_no_discrepancies():
    assert balanced().discrepancies() == []
    assert balanced().statuses() == {"delivered": 1, "uncertain": 1, "failed": 1}


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda b: b.seen["+861"].update([b"1"]), "sent twice"),
        (lambda b: b.seen["+861"].pop(b"2"), "1 of 2 parts"),
        (lambda b: b.told.pop("m2"), "LOST"),
        (lambda b: b.told["m2"].update(status="queued"), "queued"),
        (lambda b: b.told["m3"].pop("error"), "without a reason"),
        (lambda b: b.stored.subtract([("+86138", "hi")]), "sent 2, stored 1"),
        (lambda b: b.stored.update([("+86138", "ho")]), "sent 0, stored 1"),
    ],
)
def test_spoiled_books_are_noticed(spoil, expected):
    books = balanced()
    spoil(books)
    (found,) = books.discrepancies()
    assert expected in found
