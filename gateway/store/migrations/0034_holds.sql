-- Why a message may not go yet that a rule put off, or that waits for a person's decision. It stays hidden meanwhile: see
-- messages.hidden_until. Of a pause that is over the row is of no more meaning.
CREATE TABLE holds (
    message_id    TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    rule          TEXT NOT NULL,
    code          TEXT NOT NULL,
    detail        TEXT NOT NULL,
    until         BIGINT,
    created_at    BIGINT NOT NULL
);
CREATE INDEX holds_of_kind ON holds (kind, created_at, message_id);
