-- Instants are milliseconds since 1970 (BIGINT); booleans are 0 and 1; lists are JSON texts.

CREATE TABLE messages (
    id            TEXT PRIMARY KEY,
    recipient     TEXT NOT NULL,
    text          TEXT,
    data          BLOB,
    udh           BLOB,
    category      TEXT NOT NULL,
    sender        TEXT,
    channel       TEXT,
    priority      INTEGER NOT NULL,
    encoding      TEXT NOT NULL,
    flash         INTEGER NOT NULL,
    schedule_at   BIGINT,
    valid_for_s   INTEGER,
    report        INTEGER NOT NULL,
    callback_url  TEXT,
    reference     TEXT,
    tags          TEXT NOT NULL,
    status        TEXT NOT NULL,
    n_segments    INTEGER NOT NULL,
    concat_ref    INTEGER,
    queue         TEXT NOT NULL,
    error_code    TEXT,
    error_detail  TEXT,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    sent_at       BIGINT,
    delivered_at  BIGINT,
    expires_at    BIGINT NOT NULL,
    batch_id      TEXT,
    key_id        TEXT,
    -- Nobody may claim it before this instant: its schedule, or the pause before the next try.
    hidden_until  BIGINT,
    -- The instance that is sending it; see instances.
    owner         TEXT
);
CREATE INDEX messages_ready ON messages (queue, priority DESC, id) WHERE status = 'queued' AND hidden_until IS NULL;
CREATE INDEX messages_hidden ON messages (hidden_until) WHERE hidden_until IS NOT NULL;
CREATE INDEX messages_waiting_expiry ON messages (expires_at) WHERE status IN ('queued', 'scheduled');
CREATE INDEX messages_owned ON messages (owner) WHERE owner IS NOT NULL;
CREATE INDEX messages_recipient ON messages (recipient, id);
CREATE INDEX messages_reference ON messages (reference, id) WHERE reference IS NOT NULL;
CREATE INDEX messages_batch ON messages (batch_id, id) WHERE batch_id IS NOT NULL;

CREATE TABLE segments (
    message_id    TEXT NOT NULL,
    part          INTEGER NOT NULL,
    -- 'sending' is the record that its octets may be on the wire: written before they are.
    status        TEXT NOT NULL,
    payload       BLOB NOT NULL,
    channel       TEXT,
    reference     TEXT,
    attempts      INTEGER NOT NULL,
    sent_at       BIGINT,
    delivered_at  BIGINT,
    error_code    TEXT,
    error_detail  TEXT,
    PRIMARY KEY (message_id, part)
);
CREATE INDEX segments_reference ON segments (channel, reference) WHERE reference IS NOT NULL;
CREATE INDEX segments_sent ON segments (channel, sent_at) WHERE sent_at IS NOT NULL;
CREATE INDEX segments_uncertain ON segments (channel) WHERE status = 'uncertain';

-- The timeline, and the outbox of the delivery log, server-sent events and webhooks.
CREATE TABLE events (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    type          TEXT NOT NULL,
    at            BIGINT NOT NULL,
    subject       TEXT NOT NULL,
    data          BLOB NOT NULL
);
CREATE INDEX events_subject ON events (subject, seq);

-- Receipts that came before their submit was answered, or that fit nothing; one row per spelling.
CREATE TABLE early_receipts (
    receipt_id    TEXT NOT NULL,
    channel       TEXT NOT NULL,
    reference     TEXT NOT NULL,
    recipient     TEXT,
    state         TEXT NOT NULL,
    code          TEXT NOT NULL,
    done_at       BIGINT,
    received_at   BIGINT NOT NULL,
    PRIMARY KEY (receipt_id, reference)
);
CREATE INDEX early_receipts_reference ON early_receipts (channel, reference);
CREATE INDEX early_receipts_received ON early_receipts (received_at);

-- The last concatenation reference used for a recipient.
CREATE TABLE concat_refs (
    recipient     TEXT PRIMARY KEY,
    reference     INTEGER NOT NULL
);

CREATE TABLE inbound_parts (
    id            TEXT PRIMARY KEY,
    channel       TEXT NOT NULL,
    sender        TEXT NOT NULL,
    recipient     TEXT,
    encoding      TEXT NOT NULL,
    payload       BLOB NOT NULL,
    concat_key    TEXT,
    part          INTEGER NOT NULL,
    total         INTEGER NOT NULL,
    network_time  BIGINT,
    received_at   BIGINT NOT NULL,
    dedupe_key    TEXT,
    -- Null while the message waits for its other parts.
    inbound_id    TEXT
);
CREATE UNIQUE INDEX inbound_parts_dedupe ON inbound_parts (channel, dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE INDEX inbound_parts_waiting ON inbound_parts (concat_key, part) WHERE inbound_id IS NULL;
CREATE INDEX inbound_parts_received ON inbound_parts (received_at);

CREATE TABLE inbound (
    id            TEXT PRIMARY KEY,
    sender        TEXT NOT NULL,
    recipient     TEXT,
    channel       TEXT NOT NULL,
    text          TEXT,
    data          BLOB,
    encoding      TEXT NOT NULL,
    parts         INTEGER NOT NULL,
    complete      INTEGER NOT NULL,
    received_at   BIGINT NOT NULL,
    network_time  BIGINT,
    keyword       TEXT,
    in_reply_to   TEXT
);
CREATE INDEX inbound_sender ON inbound (sender, id);

CREATE TABLE suppressions (
    number        TEXT PRIMARY KEY,
    source        TEXT NOT NULL,
    keyword       TEXT,
    reason        TEXT,
    created_at    BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    scopes        TEXT NOT NULL,
    secret_hash   BLOB NOT NULL UNIQUE,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);

CREATE TABLE idempotency (
    key_id        TEXT NOT NULL,
    key           TEXT NOT NULL,
    body_hash     BLOB NOT NULL,
    answer        BLOB NOT NULL,
    created_at    BIGINT NOT NULL,
    PRIMARY KEY (key_id, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- Running daemons: what an instance without a heartbeat was sending is swept.
CREATE TABLE instances (
    id            TEXT PRIMARY KEY,
    heartbeat_at  BIGINT NOT NULL
);

-- What operators told a channel, kept over restarts.
CREATE TABLE channel_controls (
    channel       TEXT PRIMARY KEY,
    paused        INTEGER NOT NULL
);
