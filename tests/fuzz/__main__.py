"""Run the fuzzer: ``python -m tests.fuzz [seconds] [target ...]``, from the dependency group ``fuzz``.

Each target runs in a process of its own for its share of the time (600 seconds in all unless told otherwise),
from the corpus in the tree and the published TPDUs among the test vectors. What it finds goes to
``build/fuzz/TARGET``, and an input that breaks a promise to ``build/fuzz/TARGET-crash-*``: once mended, its
hex belongs into the corpus.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.fuzz.corpus import load_corpus
from tests.fuzz.targets import TARGETS
from tests.support.vectors import load_vectors

WORKSHOP = Path("build/fuzz")
DEFAULT_SECONDS = 600


def main(arguments: list[str]) -> int:
    """Run each target in turn; the number of those that failed."""
    seconds = int(arguments[0]) if arguments else DEFAULT_SECONDS
    names = arguments[1:] or list(TARGETS)
    return sum(_run_apart(name, seconds // len(names)) != 0 for name in names)


def _run_apart(name: str, seconds: int) -> int:
    workshop = WORKSHOP / name
    workshop.mkdir(parents=True, exist_ok=True)
    for table in ("deliver", "submit", "status_report"):
        for index, vector in enumerate(load_vectors("tpdus", table)):
            (workshop / f"{table}-{index}").write_bytes(_without_sca(bytes.fromhex(vector["pdu"])))
    for index, octets in enumerate(load_corpus(name)):
        (workshop / f"corpus-{index}").write_bytes(octets)
    options = [f"-max_total_time={seconds}", "-timeout=2", "-max_len=600", "-print_final_stats=1"]
    options.append(f"-artifact_prefix={workshop.parent}/{name}-")
    print(f"== {name}, {seconds} s", flush=True)  # noqa: T201
    command = [sys.executable, "-m", "tests.fuzz.one", name, str(workshop), *options]
    return subprocess.run(command, check=False).returncode


def _without_sca(pdu: bytes) -> bytes:
    return pdu[pdu[0] + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
