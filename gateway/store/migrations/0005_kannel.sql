-- Who wants to be told by Kannel's dlr-url what becomes of a message.
CREATE TABLE kannel_wishes (
    message_id    TEXT PRIMARY KEY,
    wish          BLOB NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX kannel_wishes_created ON kannel_wishes (created_at);

-- Calls to applications that were not answered yet. A subject's calls are made one after the other.
CREATE TABLE kannel_calls (
    id            TEXT PRIMARY KEY,
    subject       TEXT NOT NULL,
    host          TEXT NOT NULL,
    call          BLOB NOT NULL,
    -- The route of an inbound message; null for a report.
    route         TEXT,
    attempts      INTEGER NOT NULL,
    due_at        BIGINT NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX kannel_calls_due ON kannel_calls (due_at, id);
CREATE INDEX kannel_calls_subject ON kannel_calls (subject, id);

-- How far the timeline has been turned into calls.
CREATE TABLE kannel_place (
    name          TEXT PRIMARY KEY,
    seq           BIGINT NOT NULL
);
