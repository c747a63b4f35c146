"""The calls on consents and on a person's data: a part of the table of `gateway.api.routes`."""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.api.calls import consents, subjects
from gateway.api.route import IDEMPOTENCY, Route
from gateway.http.query import PageQuery
from gateway.model.message import Scope
from gateway.views import consents as shapes
from gateway.views.subjects import ErasedOut, SubjectOut

_read = partial(Route, method="GET", group="consents", scope=Scope.READ)
_manage = partial(Route, group="consents", scope=Scope.MANAGE)

CONSENT_ROUTES: Final[tuple[Route, ...]] = (
    _manage(
        method="POST",
        path="/v1/consents",
        handler=consents.record_consents,
        bodies=(shapes.ConsentsRequest, shapes.ConsentRequest),
        answers={200: shapes.ConsentsOut},
        problems=(409, 507),
        headers=IDEMPOTENCY,
    ),
    _read(
        path="/v1/consents",
        handler=consents.get_consents,
        query=consents.ConsentQuery,
        answers={200: shapes.ConsentPage},
    ),
    _read(path="/v1/consents/key", handler=consents.get_proof_key, answers={200: shapes.ProofKeyOut}),
    _manage(
        method="GET",
        path="/v1/consents/proof",
        handler=consents.prove_messages,
        query=consents.ProofQuery,
        answers={200: consents.ZIP},
        problems=(404, 409),
    ),
    _manage(
        method="POST",
        path="/v1/consents/proof",
        handler=consents.prove_numbers,
        bodies=(shapes.ProofRequest,),
        answers={200: consents.ZIP},
        problems=(404, 409),
    ),
    _read(
        path="/v1/consents/{number}",
        handler=consents.get_consent_history,
        query=PageQuery,
        answers={200: shapes.ConsentHistory},
    ),
    Route(
        method="GET",
        path="/v1/subjects/{number}",
        handler=subjects.get_subject,
        group="subjects",
        scope=Scope.ADMIN,
        answers={200: SubjectOut},
    ),
    Route(
        method="DELETE",
        path="/v1/subjects/{number}",
        handler=subjects.erase_data,
        group="subjects",
        scope=Scope.ADMIN,
        answers={200: ErasedOut},
    ),
)
