-- Messages to a number that count where a rule asks how many there were: those that went out, and those that are to.
CREATE TABLE touches (
    message_id    TEXT PRIMARY KEY,
    recipient     TEXT NOT NULL,
    -- When it was given to a channel, or is expected to be.
    at            BIGINT NOT NULL,
    is_out        INTEGER NOT NULL,
    category      TEXT NOT NULL,
    brand         TEXT NOT NULL,
    template      TEXT,
    text_hash     BLOB
);
CREATE INDEX touches_of ON touches (recipient, at);
CREATE INDEX touches_by_age ON touches (at);
