"""What the manual shows, so that tests can do exactly that."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def find_block(page: str, language: str, word: str) -> str:
    """The one code block of a page that is in a language and holds a word."""
    blocks = re.findall(
        rf"^```{language}\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    (block,) = (block for block in blocks if word in block)
    return str(block)
