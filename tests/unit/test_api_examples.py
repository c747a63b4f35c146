"""Every call that takes a body shows one, and what is shown is what the call takes and answers."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import msgspec
import pytest

from gateway.api.docs import render_page
from gateway.api.examples import ANSWERS, REQUESTS
from gateway.api.openapi import make_document, name_operation
from gateway.api.route import JSON
from gateway.api.routes import ROUTES

pytestmark = pytest.mark.unit

DOCUMENT = make_document(ROUTES)
OPERATIONS = {
    operation["operationId"]: operation for path in DOCUMENT["paths"].values() for operation in path.values()
}
BODIES = {name_operation(route): route.bodies for route in ROUTES if route.bodies}
SHAPES = {
    name_operation(route): shape
    for route in ROUTES
    for status, shape in route.answers.items()
    if status < 300 and isinstance(shape, type)
}


def _faults(value: Any, schema: Any) -> list[str]:
    validator = jsonschema_rs.Draft202012Validator(schema | {"components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def test_every_call_that_takes_a_body_has_an_example():
    assert REQUESTS.keys() == BODIES.keys()


@pytest.mark.parametrize(
    ("name", "title"), [(name, title) for name, examples in REQUESTS.items() for title in examples]
)
def test_a_call_takes_its_example(name, title):
    content = OPERATIONS[name]["requestBody"]["content"][JSON]
    body = content["examples"][title]["value"]
    assert _faults(body, content["schema"]) == []
    assert any(_reads(body, shape) for shape in BODIES[name])


def _reads(body: Any, shape: type) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(body), type=shape)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_as_its_example(name):
    contents = [
        response["content"][JSON]
        for status, response in OPERATIONS[name]["responses"].items()
        if status.startswith("2")
    ]
    assert contents
    for content in contents:
        assert _faults(content["example"], content["schema"]) == []
        # What the shape does not know is not shown either.
        shown = msgspec.convert(content["example"], SHAPES[name], strict=False)
        assert content["example"].keys() <= msgspec.to_builtins(shown).keys() | {"secret"}


def test_the_check_finds_a_wrong_example():
    content = OPERATIONS["create_webhook"]["requestBody"]["content"][JSON]
    assert _faults({"name": "orders", "url": "https://shop.example", "batch": 101}, content["schema"])
    assert _faults({"name": "orders", "url": "https://shop.example", "unknown": 1}, content["schema"])


def test_the_page_shows_them():
    page = render_page(DOCUMENT).decode()
    assert "https://statistics.example/events" in page
    assert "a code that is of no use after five minutes" in page
