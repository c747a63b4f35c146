"""Pieces of config files, and where they are written."""

from __future__ import annotations

from pathlib import Path

MODEM = '[[modems]]\nname = "sim-1"\nport = "/dev/ttyUSB0"\n'
SMPP = '[[smpp]]\nname = "a"\nhost = "h"\nsystem_id = "s"\n'


def write(tmp_path: Path, text: str) -> Path:
    """The file, with this text in it."""
    path = tmp_path / "hongyan.toml"
    path.write_text(text, encoding="utf-8")
    return path
