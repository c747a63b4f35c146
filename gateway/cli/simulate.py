"""`hongyan simulate`: the simulators as programs of their own, for trying out and for other people's tests."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import example, make_app, read_duration
from gateway.cli.output import Failure

if TYPE_CHECKING:
    from simulators.scenario import Scenario

ScenarioFile = Annotated[
    str | None,
    typer.Option("--scenario", help="What goes wrong: a TOML file, or the name of one that is shipped."),
]
ControlPort = Annotated[
    int | None,
    typer.Option(
        "--control",
        min=0,
        max=65535,
        help="Take faults on this port of 127.0.0.1 meanwhile; 0 takes a free one.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("Simulators, as programs of their own.")
    group.command("modems", epilog=example("hongyan simulate modems --modems 8 --scenario rainy-day.toml"))(
        modems
    )
    group.command("smsc", epilog=example("hongyan simulate smsc --port 2775 --scenario moody-carrier.toml"))(
        smsc
    )
    app.add_typer(group, name="simulate")


def modems(
    n: Annotated[int, typer.Option("--modems", "--count", min=1, max=1000, help="How many.")] = 2,
    directory: Annotated[Path, typer.Option(help="Where their ports appear, as sim-1, sim-2 ...")] = Path(
        "./var/modems"
    ),
    dialects: Annotated[
        str | None, typer.Option(help="Kinds of sticks, joined by commas; they take turns.")
    ] = None,
    network_time: Annotated[str, typer.Option(help="How long the network takes for a message.")] = "300ms",
    scenario: ScenarioFile = None,
    control: ControlPort = None,
) -> None:
    """Run simulated modems on pseudo-terminals.

    One simulated operator joins them.
    """
    from simulators.modem.dialect import DIALECTS  # noqa: PLC0415 - a gateway needs no simulator
    from simulators.modem.fleet import run_modems  # noqa: PLC0415

    chosen = tuple(dialects.split(",")) if dialects else tuple(DIALECTS)
    if unknown := [dialect for dialect in chosen if dialect not in DIALECTS]:
        known = ", ".join(DIALECTS)
        raise typer.BadParameter(f'"{unknown[0]}" is not known; write of {known}', param_hint="--dialects")
    _run(
        run_modems(
            n=n,
            directory=directory,
            dialects=chosen,
            network_time_s=read_duration(network_time, "--network-time"),
            scenario=_read_scenario(scenario),
            control_port=control,
            announce=_announce,
        )
    )


def smsc(
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 2775,
    account: Annotated[
        list[str] | None,
        typer.Option(help="SYSTEM_ID:PASSWORD; may be given several times. [default: hongyan:secret]"),
    ] = None,
    latency: Annotated[str, typer.Option(help="How long it takes to answer.")] = "10ms",
    scenario: ScenarioFile = None,
    control: ControlPort = None,
) -> None:
    """Run a simulated SMSC that takes SMPP 3.4 binds."""
    from simulators.smsc.server import run_smsc  # noqa: PLC0415 - a gateway needs no simulator

    accounts = dict(_read_account(given) for given in account or ["hongyan:secret"])
    _run(
        run_smsc(
            host=host,
            port=port,
            accounts=accounts,
            latency_s=read_duration(latency, "--latency"),
            scenario=_read_scenario(scenario),
            control_port=control,
            announce=_announce,
        )
    )


def _read_account(text: str) -> tuple[str, str]:
    system_id, colon, password = text.partition(":")
    if not system_id or not colon:
        raise typer.BadParameter(f'"{text}" will not do; write SYSTEM_ID:PASSWORD', param_hint="--account")
    return system_id, password


def _read_scenario(name: str | None) -> Scenario | None:
    from simulators.scenario import BadScenario, load_scenario  # noqa: PLC0415 - a gateway needs no simulator

    try:
        return load_scenario(name) if name else None
    except BadScenario as error:
        raise typer.BadParameter(str(error), param_hint="--scenario") from error


def _run(program: Coroutine[Any, Any, None]) -> None:
    """Until Ctrl-C, which is how one ends a simulator: exit 0."""
    try:
        asyncio.run(program)
    except KeyboardInterrupt:
        return
    except OSError as error:
        raise Failure(f"cannot start: {error.strerror or error}") from error


def _announce(line: str) -> None:
    with suppress(OSError):  # a simulator runs on when nobody looks any more
        print(line, flush=True)
