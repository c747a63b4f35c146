"""The OpenAPI 3.1 document, made from the table of routes and the structs: it can't say what the code does not do."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from gateway.api.examples import ANSWERS, REQUESTS
from gateway.api.route import JSON, Route
from gateway.http.problem import CONTENT_TYPE as PROBLEM_TYPE
from gateway.http.problem import Problem

Schema = dict[str, Any]
"""A JSON Schema or OpenAPI object."""

_PATH_NAME = re.compile(r"\{(\w+)\}")
_ARG = re.compile(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {8}.*)*)", re.MULTILINE)
_REF = "#/components/schemas/"
_PROBLEMS = {
    400: "The body can't be read.",
    401: "No key came, or one that is not known.",
    403: "The caller may not do this; a key lacks the scope.",
    404: "Nothing here has this id, name or address.",
    408: "The body did not come in time.",
    409: "The state of the message or channel forbids this.",
    413: "The body is too large.",
    415: "The body is packed or written in a way that is not read here.",
    422: "Something in the request is wrong; `errors` says what.",
    429: "The key comes too fast, or has too much waiting; the detail names the limit.",
    501: "This channel can't do that.",
    502: "The network or the modem refused.",
    503: "Not now; the detail says why.",
    504: "The network did not answer in time.",
    507: "There is no room to store this; nothing was accepted.",
}
_INTRODUCTION = (
    "Send and receive text messages by USB modems and SMPP accounts. Authenticate with `Authorization: Bearer KEY`; "
    "`hongyan keys create` makes a key. Refusals are `application/problem+json` (RFC 9457) with a stable `code`. "
    "Times are RFC 3339 in UTC. Numbers in answers are E.164, or the digits of a short code."
)


def make_document(routes: Iterable[Route]) -> Schema:
    """The whole document, ready to be encoded."""
    routes = tuple(routes)
    refs, components = _make_schemas(routes)
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _describe(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "hongyan", "version": _version(), "description": _INTRODUCTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(route.group for route in routes)],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": _refusals(refs),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic", "description": "The password is a key."},
            },
        },
    }


def _version() -> str:
    try:
        return version("hongyan")
    except PackageNotFoundError:
        return "0"


def name_operation(route: Route) -> str:
    """The id of a call: the name of its handler."""
    return getattr(route.handler, "__name__", route.path)


def _describe(route: Route, refs: dict[type, Schema]) -> Schema:
    summary, _, rest = (inspect.getdoc(route.handler) or "").partition("\n\n")
    operation: Schema = {
        "operationId": name_operation(route),
        "tags": [route.group],
        "summary": summary.replace("\n", " "),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route, refs),
    }
    if rest:
        operation["description"] = rest
    if route.scope is not None:
        operation["security"] = [{"key": []}, *([{"password": []}] if route.takes_basic else [])]
        operation["x-scope"] = route.scope.value
    if route.bodies:
        shapes = [refs[body] for body in route.bodies]
        shape = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        content: Schema = {"schema": shape}
        if bodies := REQUESTS.get(name_operation(route)):
            content["examples"] = {title: {"value": body} for title, body in bodies.items()}
        operation["requestBody"] = {"required": route.body_required, "content": {JSON: content}}
    return operation


def _path_parameters(route: Route) -> list[Schema]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _PATH_NAME.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[Schema]:
    _, components = msgspec.json.schema_components([route.query], ref_template=f"{_REF}{{name}}")
    notes = _notes(route.query)
    parameters = []
    for name, schema in components[route.query.__name__]["properties"].items():
        # A parameter is left out, never null.
        choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
        parameter: Schema = {"name": name, "in": "query", "schema": choices[0] if choices else schema}
        if name in notes:
            parameter["description"] = notes[name]
        parameters.append(parameter)
    return parameters


def _header_parameters(route: Route) -> list[Schema]:
    return [
        {"name": name, "in": "header", "description": purpose, "schema": {"type": "string"}}
        for name, purpose in route.headers
    ]


def _responses(route: Route, refs: dict[type, Schema]) -> Schema:
    responses: Schema = {}
    for status, shape in route.answers.items():
        response: Schema = {"description": _SUCCESS.get(status) or _PROBLEMS.get(status, "Done.")}
        if isinstance(shape, str):
            response["content"] = {shape: {"schema": {} if shape == JSON else {"type": "string"}}}
        elif shape is not None:
            response["content"] = {JSON: {"schema": refs[shape]}}
            if (body := ANSWERS.get(name_operation(route))) is not None:
                response["content"][JSON]["example"] = body
        responses[str(status)] = response
    for status in sorted({*route.problems, *_usual_problems(route)} - route.answers.keys()):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    responses["default"] = {"$ref": "#/components/responses/default"}
    return responses


_SUCCESS = {201: "Made.", 202: "Accepted: it is on disk.", 204: "Done; there is nothing to say."}


def _usual_problems(route: Route) -> Iterable[int]:
    if route.scope is not None:
        yield from (401, 403, 422, 429, 503)
    if route.method in {"POST", "PUT", "PATCH"}:
        yield from (400, 408, 413, 415)


def _refusals(refs: dict[type, Schema]) -> Schema:
    content = {PROBLEM_TYPE: {"schema": refs[Problem]}}
    texts = {str(status): text for status, text in _PROBLEMS.items()} | {"default": "Any other refusal."}
    return {name: {"description": text, "content": content} for name, text in texts.items()}


def _make_schemas(routes: Iterable[Route]) -> tuple[dict[type, Schema], dict[str, Schema]]:
    """A reference for each struct in use, and the schemas that they point to."""
    shapes: dict[type, None] = {Problem: None}
    for route in routes:
        shapes.update(dict.fromkeys([*route.bodies, route.query]))
        shapes.update(dict.fromkeys(shape for shape in route.answers.values() if isinstance(shape, type)))
    refs, components = msgspec.json.schema_components(shapes, ref_template=f"{_REF}{{name}}")
    for shape in shapes:
        if shape.__name__.endswith("Query"):
            del components[shape.__name__]  # They stand in the parameters.
    structs = _find_structs(shapes)
    for name, component in components.items():
        _lift_notes(component, structs.get(name))
    renamed = {_public_name(name): _rename(component) for name, component in components.items()}
    return {shape: _rename(ref) for shape, ref in zip(shapes, refs, strict=True)}, renamed


def _find_structs(shapes: Iterable[type]) -> dict[str, type]:
    """All structs that ``shapes`` are made of, by name."""
    found: dict[str, type] = {}

    def visit(kind: msgspec.inspect.Type) -> None:
        if isinstance(kind, msgspec.inspect.StructType) and kind.cls.__name__ not in found:
            found[kind.cls.__name__] = kind.cls
            for field in kind.fields:
                visit(field.type)
        for part in (getattr(kind, "item_type", None), *getattr(kind, "types", ())):
            if part is not None:
                visit(part)

    for shape in shapes:
        visit(msgspec.inspect.type_info(shape))
    return found


def _lift_notes(component: Schema, shape: type | None) -> None:
    """Move what the docstring says of each field to that field."""
    if "description" in component:
        component["description"] = component["description"].partition("\n\n")[0].strip()
    if shape is None:
        return
    for name, note in _notes(shape).items():
        if (field := component.get("properties", {}).get(name)) is not None:
            field["description"] = note


def _notes(shape: type) -> dict[str, str]:
    """What the docstrings of a struct and its parents say of each field."""
    notes: dict[str, str] = {}
    for parent in reversed(shape.__mro__):
        _, _, args = (inspect.cleandoc(parent.__doc__ or "")).partition("\nArgs:\n")
        for names, note in _ARG.findall(args):
            notes.update(dict.fromkeys(names.split(", "), re.sub(r"\s+", " ", note).replace("``", "`")))
    return notes


def _public_name(name: str) -> str:
    return name.removesuffix("Out")


def _rename(part: Any) -> Any:
    """The same piece of the document with the names that the outside sees."""
    if isinstance(part, dict):
        return {
            key: _public_name(value)
            if key in {"$ref", "title"} and isinstance(value, str)
            else _rename(value)
            for key, value in part.items()
        }
    return [_rename(item) for item in part] if isinstance(part, list) else part
