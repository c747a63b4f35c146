-- Who agreed to what: events that are never changed.
CREATE TABLE consent_events (
    id            TEXT PRIMARY KEY,
    number        TEXT NOT NULL,
    brand         TEXT NOT NULL,
    purpose       TEXT NOT NULL,
    state         TEXT NOT NULL,
    source        TEXT NOT NULL,
    -- When the person said so, and when it was written down.
    at            BIGINT NOT NULL,
    recorded_at   BIGINT NOT NULL,
    -- Hash of a row of consent_wordings.
    wording       TEXT,
    -- JSON; see gateway/model/consent.py.
    evidence      TEXT NOT NULL,
    expires_at    BIGINT,
    actor         TEXT,
    -- The row of consent_files that it was imported from, and its line there.
    file          TEXT,
    line          INTEGER
);
CREATE INDEX consent_events_of ON consent_events (number, brand, purpose, at);
CREATE UNIQUE INDEX consent_events_file ON consent_events (file, line, number) WHERE file IS NOT NULL;

-- What holds: of the events of a number, a brand and a purpose the one with the greatest (at, id).
CREATE TABLE consents (
    number        TEXT NOT NULL,
    brand         TEXT NOT NULL,
    purpose       TEXT NOT NULL,
    state         TEXT NOT NULL,
    at            BIGINT NOT NULL,
    expires_at    BIGINT,
    event_id      TEXT NOT NULL,
    PRIMARY KEY (number, brand, purpose)
);

-- What people agreed to, each text once.
CREATE TABLE consent_wordings (
    hash          TEXT PRIMARY KEY,
    text          TEXT NOT NULL,
    created_at    BIGINT NOT NULL
);

-- Files that were imported, by the SHA-256 of their octets.
CREATE TABLE consent_files (
    sha256        TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    statement     TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    actor         TEXT NOT NULL
);

-- What proofs are signed with; one row.
CREATE TABLE consent_keys (
    id            INTEGER PRIMARY KEY,
    private_key   BLOB NOT NULL,
    public_key    BLOB NOT NULL,
    created_at    BIGINT NOT NULL
);
