"""The corpus in the tree: what the fuzzer found worth keeping, a line of hex each."""

from __future__ import annotations

from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def load_corpus(name: str) -> list[bytes]:
    """The inputs of one target, the shortest first."""
    return [bytes.fromhex(line) for line in (CORPUS / f"{name}.hex").read_text("ascii").splitlines()]
