-- Who is called for events: standing webhooks, made over the API.
CREATE TABLE webhooks (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    url           TEXT NOT NULL,
    -- Lists as JSON: types of events such as 'message.*'; tags and channels of which an event must have one, none for all.
    types         TEXT NOT NULL,
    tags          TEXT NOT NULL,
    channels      TEXT NOT NULL,
    -- Events of one call at most; 1 for the plain form.
    batch         INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    -- Why it is not called any more, and since when.
    reason        TEXT,
    disabled_at   BIGINT,
    -- When the first call failed since one was heard.
    failing_since BIGINT,
    -- Events up to this one are none of its.
    after_seq     BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL
);

-- What calls are signed with: of a webhook, or of an API key for the callback URLs of its messages. Where there are
-- several all of them sign, until they expire.
CREATE TABLE webhook_secrets (
    owner         TEXT NOT NULL,
    secret        BLOB NOT NULL,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT,
    PRIMARY KEY (owner, secret)
);

-- Messages that have a callback URL.
CREATE TABLE webhook_callbacks (
    message_id    TEXT PRIMARY KEY,
    created_at    BIGINT NOT NULL
);

-- Events that a receiver has heard of; those that it has not stand in the outbox.
CREATE TABLE webhook_deliveries (
    id            TEXT PRIMARY KEY,
    owner         TEXT NOT NULL,
    type          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    attempts      INTEGER NOT NULL,
    created_at    BIGINT NOT NULL,
    delivered_at  BIGINT NOT NULL
);
CREATE INDEX webhook_deliveries_owner ON webhook_deliveries (owner, id);
CREATE INDEX webhook_deliveries_delivered ON webhook_deliveries (delivered_at);

CREATE INDEX outbox_owner ON outbox (door, owner, id);
