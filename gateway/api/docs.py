"""The page at ``/docs``: the OpenAPI document for people, as one HTML file without script or outside asset."""

from __future__ import annotations

import re
from html import escape
from typing import Any

import msgspec

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #ccd3dc;padding-bottom:.3rem}
code,pre{font:14px/1.4 ui-monospace,monospace;background:#f1f4f8;border-radius:4px;padding:.1rem .3rem}
pre{padding:.8rem;white-space:pre-wrap}
details{border:1px solid #ccd3dc;border-radius:6px;margin:.6rem 0;padding:.5rem .8rem}
summary{cursor:pointer}.m{display:inline-block;min-width:4.2rem;font-weight:700}.s{color:#5a6675}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td,th{text-align:left;vertical-align:top;padding:.25rem .6rem
.25rem 0;border-bottom:1px solid #e4e9ef}nav{display:flex;flex-wrap:wrap;gap:0 1rem}body{overflow-wrap:anywhere}
td:first-child,th{overflow-wrap:normal}
@media(max-width:40rem){body{margin:1rem auto}td,th{display:block;border:0;padding:0;overflow-wrap:anywhere}th:empty
{display:none}tr{display:block;border-bottom:1px solid #e4e9ef;padding:.4rem 0}}
@media(prefers-color-scheme:dark){body{color:#d9e0e8;background:#14181e}code,pre{background:#222932}
details,h2{border-color:#39424e}td,th,tr{border-color:#2a323c}.s{color:#93a0ae}a{color:#7db7ff}}
""".replace("\n", "")
_EXAMPLE = """curl http://127.0.0.1:8080/v1/messages \\
  -H "Authorization: Bearer $HONGYAN_KEY" \\
  -d '{"to": "+8613800138000", "text": "hello"}'"""


def render_page(document: dict[str, Any]) -> bytes:
    """The page, as UTF-8."""
    info = document["info"]
    groups = [group["name"] for group in document["tags"]]
    sections = "".join(_section(group, document) for group in groups)
    schemas = "".join(_schema(name, schema) for name, schema in document["components"]["schemas"].items())
    links = "".join(f'<a href="#{group}">{group}</a>' for group in (*groups, "schemas"))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head><body>"
        f'<h1>{escape(info["title"])} API <span class="s">{escape(info["version"])}</span></h1>'
        f"<p>{_prose(info['description'])}</p><pre>{escape(_EXAMPLE)}</pre>"
        f'<nav>{links}<a href="/openapi.json">openapi.json</a></nav>{sections}'
        f'<h2 id="schemas">schemas</h2>{schemas}</body></html>'
    ).encode()


def _section(group: str, document: dict[str, Any]) -> str:
    calls = "".join(
        _call(method, path, operation, document["components"]["responses"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if group in operation["tags"]
    )
    return f'<h2 id="{group}">{group}</h2>{calls}'


def _call(method: str, path: str, operation: dict[str, Any], refusals: dict[str, Any]) -> str:
    scope = operation.get("x-scope")
    needs = f"<p>Needs a key with the scope <code>{scope}</code>.</p>" if scope else ""
    more = f"<p>{_prose(operation['description'])}</p>" if "description" in operation else ""
    return (
        f'<details id="{operation["operationId"]}"><summary><span class="m">{method.upper()}</span> '
        f'<code>{escape(path)}</code> <span class="s">{_prose(operation["summary"])}</span></summary>'
        f"{more}{needs}{_parameters(operation['parameters'])}{_body(operation)}"
        f"{_responses(operation['responses'], refusals)}</details>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = [
        (p["name"], f"{p['in']}, {_kind(p['schema'])}", p.get("description", "")) for p in parameters
    ]  # fmt: skip
    return _table("Parameter", rows)


def _body(operation: dict[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    (content,) = operation["requestBody"]["content"].values()
    examples = "".join(
        f"<p>{_prose(title)}:</p><pre>{escape(_write(example['value']))}</pre>"
        for title, example in content.get("examples", {}).items()
    )
    return f"<p>Body: {_kind(content['schema'])}</p>{examples}"


def _write(body: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(body), indent=2).decode()


def _responses(responses: dict[str, Any], refusals: dict[str, Any]) -> str:
    rows = []
    for status, given in responses.items():
        response = refusals[status] if "$ref" in given else given
        shapes = [_kind(content["schema"]) for content in response.get("content", {}).values()]
        rows.append((status, ", ".join(shapes), response["description"]))
    return _table("Answer", rows)


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (field, _kind(shape) + (", required" if field in required else ""), shape.get("description", ""))
        for field, shape in schema.get("properties", {}).items()
    ]
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", ()))
    about = _prose(schema.get("description", ""))
    return (
        f'<details id="schema-{name}"><summary><code>{name}</code> <span class="s">{about}</span></summary>'
        f"{values}{_table('Field', rows)}</details>"
    )


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words, with links to what it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    words = [str(schema.get("format") or schema.get("type") or "anything")]
    words += [f"{label} {schema[limit]}" for limit, label in _LIMITS.items() if limit in schema]
    return escape(" ".join(words))


_LIMITS = {"minimum": "from", "maximum": "to", "maxLength": "up to", "pattern": "like"}


def _table(head: str, rows: list[tuple[str, str, str]]) -> str:
    if not rows:
        return ""
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td><td>{_prose(note)}</td></tr>"
        for name, kind, note in rows
    )
    return f"<table><tr><th>{head}</th><th></th><th></th></tr>{lines}</table>"


def _prose(text: str) -> str:
    """Text with its `code` marked."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
