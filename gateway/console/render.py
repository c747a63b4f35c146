"""Templates to pages, and the files that pages need; all of it from this package, nothing from another host."""

from __future__ import annotations

import hashlib
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, NamedTuple

import jinja2
from markupsafe import Markup

from gateway.console.cells import kind_of_cell
from gateway.console.words import LANGUAGES, Translator

SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self';"
        " font-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # with no-referrer browsers would send forms with the origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""On every page: what it loads is ours, and nobody frames it."""
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Asset(NamedTuple):
    """A file that pages load.

    Args:
        version: changes with its octets, so that browsers may keep it for ever.
    """

    octets: bytes
    content_type: str
    version: str


class Renderer:
    """Turns templates and values into pages.

    Attributes:
        assets: name -> file of ``static``.
    """

    def __init__(self) -> None:
        self.assets = _load_assets()
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("gateway.console"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {
            "asset": self._address,
            "LANGUAGES": LANGUAGES,
            "kind_of_cell": kind_of_cell,
        }
        self._environment.filters |= {"time": show_time, "figure": show_figure}

    def render(self, template: str, t: Translator, **values: Any) -> str:
        """A page of ``templates``.

        Args:
            t: says words in the visitor's language.
        """
        return self._environment.get_template(template).render(t=t, **values)

    def _address(self, name: str) -> str:
        return f"/console/static/{name}?v={self.assets[name].version}"


def show_time(at: datetime | None) -> Markup:
    """An instant: in UTC as it is sent; the page's script says it in the visitor's own zone.

    >>> from datetime import UTC
    >>> str(show_time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))
    '<time datetime="2026-01-02T03:04:05Z">2026-01-02 03:04:05 UTC</time>'
    """
    if at is None:
        return Markup("–")
    return Markup('<time datetime="{:%Y-%m-%dT%H:%M:%SZ}">{:%Y-%m-%d %H:%M:%S} UTC</time>').format(at, at)


def show_figure(value: float | None) -> str:
    """A figure, with its thousands apart.

    >>> show_figure(1234567), show_figure(0.5), show_figure(None)
    ('1,234,567', '0.5', '–')
    """
    if value is None:
        return "–"
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    )


def _load_assets() -> dict[str, Asset]:
    assets: dict[str, Asset] = {}
    for file in (files("gateway.console") / "static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            octets = file.read_bytes()
            assets[file.name] = Asset(octets, kind, hashlib.sha256(octets).hexdigest()[:12])
    return assets
