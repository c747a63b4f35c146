-- Who did what, when and from where: a chain of hashes (gateway.model.audit). Rows are added at its end and, when they
-- are old, dropped at its beginning. Of the others only subject and salt may be emptied.
CREATE TABLE audit (
    seq           BIGINT PRIMARY KEY,
    at            BIGINT NOT NULL,
    actor         TEXT NOT NULL,
    origin        TEXT NOT NULL,
    action        TEXT NOT NULL,
    -- What the hash covers of the subject is its seal: without subject and salt the chain holds still.
    subject       TEXT NOT NULL,
    salt          TEXT NOT NULL,
    seal          TEXT NOT NULL,
    -- A JSON object.
    details       TEXT NOT NULL,
    hash          TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at, seq);
CREATE INDEX audit_actor ON audit (actor, seq);
CREATE INDEX audit_action ON audit (action, seq);
CREATE INDEX audit_subject ON audit (subject, seq) WHERE subject <> '';
-- Its last entry, and the last one that was dropped. Who adds an entry holds this row until the commit.
CREATE TABLE audit_head (
    last_seq      BIGINT NOT NULL,
    last_hash     TEXT NOT NULL,
    dropped_seq   BIGINT NOT NULL,
    dropped_hash  TEXT NOT NULL
);
INSERT INTO audit_head (last_seq, last_hash, dropped_seq, dropped_hash) VALUES
    (0, '0000000000000000000000000000000000000000000000000000000000000000',
     0, '0000000000000000000000000000000000000000000000000000000000000000');
