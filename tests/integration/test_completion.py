"""Tab completes commands and options in a real bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ASK = """eval "$(hongyan completion bash)"
COMP_WORDS=({words}); COMP_CWORD={n}
_hongyan_completion hongyan
echo "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["hongyan", "chan"], "channels channel"),
        (["hongyan", "keys", "rev"], "revoke"),
        (["hongyan", "keys", "create", "--na"], "--name"),
    ],
    ids=" ".join,
)
def test_bash_completes(words: list[str], expected: str) -> None:
    script = ASK.format(words=" ".join(words), n=len(words) - 1)
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=60, env=env, check=False
    )
    assert done.stdout.split() == expected.split(), done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "hongyan", "completion", shell],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "_HONGYAN_COMPLETE" in done.stdout
