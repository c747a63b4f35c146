"""`hongyan completion`: what a shell needs to complete commands, options and their values."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

from gateway.cli.options import example

_VARIABLE = "_HONGYAN_COMPLETE"


class Shell(StrEnum):
    """Shells that can be helped."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the command."""
    if _VARIABLE in os.environ:  # a shell asks
        completion_init()
    app.command("completion", epilog=example("hongyan completion bash"))(show_completion)


def show_completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish")]) -> None:
    """Print what makes Tab complete commands and options.

    For each session: in ~/.bashrc `eval "$(hongyan completion bash)"`; in ~/.zshrc, behind compinit,
    `eval "$(hongyan completion zsh)"`; for fish
    `hongyan completion fish > ~/.config/fish/completions/hongyan.fish`.
    """
    print(get_completion_script(prog_name="hongyan", complete_var=_VARIABLE, shell=shell.value))
