"""What one may be allowed to do, by name; and which of that a role of a person or a scope of an API key brings.

A permission is asked for at the door, never a role: roles are bundles that this table alone knows. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.model.message import Scope
from gateway.model.user import Role


class Permission(StrEnum):
    """One thing that somebody may do.

    Attributes:
        NUMBERS_WHOLE: see whole numbers where `log.mask_numbers` hides most digits from others.
        LISTS_EXPORT: take whole lists out as a file.
    """

    MESSAGES_READ = "messages.read"
    MESSAGES_SEND = "messages.send"
    MESSAGES_MANAGE = "messages.manage"
    INBOUND_READ = "inbound.read"
    INBOUND_ANSWER = "inbound.answer"
    CHANNELS_READ = "channels.read"
    CHANNELS_OPERATE = "channels.operate"
    ROUTES_READ = "routes.read"
    ROUTES_MANAGE = "routes.manage"
    SUPPRESSIONS_READ = "suppressions.read"
    SUPPRESSIONS_MANAGE = "suppressions.manage"
    CONSENTS_READ = "consents.read"
    CONSENTS_MANAGE = "consents.manage"
    REVIEWS_READ = "reviews.read"
    APPROVALS_DECIDE = "approvals.decide"
    WEBHOOKS_READ = "webhooks.read"
    WEBHOOKS_MANAGE = "webhooks.manage"
    ALARMS_READ = "alarms.read"
    ALARMS_MANAGE = "alarms.manage"
    REPORTS_READ = "reports.read"
    LISTS_EXPORT = "lists.export"
    NUMBERS_WHOLE = "numbers.whole"
    HEALTH_READ = "health.read"
    SETTINGS_READ = "settings.read"
    SETTINGS_RELOAD = "settings.reload"
    KEYS_MANAGE = "keys.manage"
    USERS_MANAGE = "users.manage"
    AUDIT_READ = "audit.read"


ALL: Final = frozenset(Permission)
_P = Permission
_LOOK: Final = frozenset(
    {
        _P.MESSAGES_READ,
        _P.INBOUND_READ,
        _P.CHANNELS_READ,
        _P.ROUTES_READ,
        _P.SUPPRESSIONS_READ,
        _P.CONSENTS_READ,
        _P.REVIEWS_READ,
        _P.WEBHOOKS_READ,
        _P.ALARMS_READ,
        _P.REPORTS_READ,
    }
)

OF_ROLE: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: _LOOK,
    Role.AUTHOR: _LOOK | {_P.MESSAGES_SEND, _P.INBOUND_ANSWER, _P.NUMBERS_WHOLE},
    Role.APPROVER: _LOOK | {_P.APPROVALS_DECIDE},
    Role.ANALYST: _LOOK | {_P.LISTS_EXPORT},
    Role.OPERATOR: _LOOK
    | {
        _P.MESSAGES_SEND,
        _P.MESSAGES_MANAGE,
        _P.INBOUND_ANSWER,
        _P.CHANNELS_OPERATE,
        _P.ROUTES_MANAGE,
        _P.SUPPRESSIONS_MANAGE,
        _P.CONSENTS_MANAGE,
        _P.WEBHOOKS_MANAGE,
        _P.ALARMS_MANAGE,
        _P.LISTS_EXPORT,
        _P.NUMBERS_WHOLE,
        _P.HEALTH_READ,
        _P.SETTINGS_READ,
    },
    Role.ADMIN: ALL,
}
"""What each role may do."""

OF_SCOPE: Final[Mapping[Scope, frozenset[Permission]]] = {
    Scope.READ: _LOOK | {_P.LISTS_EXPORT, _P.AUDIT_READ, _P.HEALTH_READ},
    Scope.SEND: frozenset({_P.MESSAGES_SEND, _P.INBOUND_ANSWER, _P.NUMBERS_WHOLE}),
    Scope.MANAGE: frozenset(
        {
            _P.MESSAGES_MANAGE,
            _P.CHANNELS_OPERATE,
            _P.ROUTES_MANAGE,
            _P.SUPPRESSIONS_MANAGE,
            _P.CONSENTS_MANAGE,
            _P.APPROVALS_DECIDE,
            _P.WEBHOOKS_MANAGE,
            _P.ALARMS_MANAGE,
            _P.NUMBERS_WHOLE,
        }
    ),
    Scope.ADMIN: ALL,
}
"""What each scope of an API key allows."""
