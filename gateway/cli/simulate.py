"""`hongyan simulate`: the simulators as programs of their own, for trying out and for other people's tests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from gateway.cli.options import Config, example, make_app, read_duration, read_text
from gateway.cli.output import Failure
from gateway.cli.serve import read_store

if TYPE_CHECKING:
    from simulators.scenario import Scenario

_ANSWER_S = 10.0

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
        help="Listen on this port of 127.0.0.1 for faults to cause meanwhile; 0 takes a free port.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("Simulators, as programs of their own.", "hongyan simulate modems --modems 8")
    group.command("modems", epilog=example("hongyan simulate modems --modems 8 --scenario rainy-day.toml"))(
        modems
    )
    group.command("smsc", epilog=example("hongyan simulate smsc --port 2775 --scenario moody-carrier.toml"))(
        smsc
    )
    group.command("reply", epilog=example("hongyan simulate reply +8613900139000 TD"))(reply)
    app.add_typer(group, name="simulate")


def modems(
    n: Annotated[int, typer.Option("--modems", "--count", min=1, max=1000, help="How many modems.")] = 2,
    directory: Annotated[Path, typer.Option(help="Where their ports appear, as sim-1, sim-2 ...")] = Path(
        "./var/modems"
    ),
    dialects: Annotated[
        str | None, typer.Option(help="Kinds of sticks, joined by commas; the modems get them by turns.")
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
        ),
        f"127.0.0.1:{control}",
    )


def smsc(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it listens; 0 takes a free port.")
    ] = 2775,
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
        ),
        f"{host}:{port}",
    )


def reply(
    sender: Annotated[str, typer.Argument(metavar="FROM", help="The phone's number.")],
    text: Annotated[str, typer.Argument(help="The text that it writes; - reads it from stdin.")],
    to: Annotated[
        str | None,
        typer.Option(help="Whom it writes to. [default: who wrote to it last]", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--control",
            min=1,
            max=65535,
            help="Control port of the simulators. [default: that of the gateway that runs on simulated channels]",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Let a simulated phone write to the gateway.

    The simulated network must run: in `hongyan serve` on simulated channels, or as `hongyan simulate` with --control.
    """
    asked = {"do": "say", "from": sender, "text": read_text(text), **({"to": to} if to else {})}
    answer = _ask(port or _find_control(config), asked)
    if not answer.get("ok"):
        raise Failure(str(answer.get("error")))
    print(f"{answer['from']}  wrote to {answer['to']}")


def _find_control(config: Path | None) -> int:
    """The control port that a gateway on simulated channels has written beside its store."""
    from gateway.settings.store import CONTROL, beside_store  # noqa: PLC0415

    file = beside_store(read_store(config), CONTROL)
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        raise Failure(
            f"no simulated network runs here (there is no {file}); start it with `make run` or "
            "`hongyan serve --simulate`, and run this in the same folder or with the same --config"
        ) from None


def _ask(port: int, question: object) -> dict[str, Any]:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_ANSWER_S) as wire:
            wire.sendall(msgspec.json.encode(question) + b"\n")
            with wire.makefile("rb") as lines:
                answer = msgspec.json.decode(lines.readline())
    except ConnectionRefusedError:
        raise Failure(
            f"connection refused: no simulator listens at 127.0.0.1:{port}; start it, or name its --control port"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise Failure(f"what listens at 127.0.0.1:{port} gave no answer of a simulator: {error}") from None
    return answer if isinstance(answer, dict) else {}


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


def _run(program: Coroutine[Any, Any, None], where: str) -> None:
    """Until Ctrl-C, which is how one ends a simulator: exit 0."""
    try:
        asyncio.run(program)
    except KeyboardInterrupt:
        return
    except OSError as error:
        what = f"{error.filename}: " if error.filename else f"{where}: "
        raise Failure(f"cannot start: {what}{error.strerror or error}") from error


def _announce(line: str) -> None:
    with suppress(OSError):  # a simulator runs on when nobody looks any more
        print(line, flush=True)
