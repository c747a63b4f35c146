"""The call on the audit trail: a part of the table of `gateway.api.routes`."""

from __future__ import annotations

from typing import Final

from gateway.api.calls import audit
from gateway.api.route import Route
from gateway.model.message import Scope
from gateway.views.audit import AuditPage

AUDIT_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/audit",
        handler=audit.get_audit,
        group="audit",
        scope=Scope.ADMIN,
        query=audit.AuditFilter,
        answers={200: AuditPage},
    ),
)
