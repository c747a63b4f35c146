-- Messages that wait for a person's decision and have the same text are decided together: text_key is a hash of it, empty
-- for a binary message. What was decided, and by whom, stays as long as the message.
ALTER TABLE holds ADD COLUMN text_key TEXT NOT NULL DEFAULT '';
CREATE INDEX holds_in_order ON holds (kind, message_id);
CREATE TABLE reviews (
    message_id    TEXT PRIMARY KEY,
    decision      TEXT NOT NULL,
    rule          TEXT NOT NULL,
    code          TEXT NOT NULL,
    decided_by    TEXT NOT NULL,
    reason        TEXT NOT NULL,
    decided_at    BIGINT NOT NULL
);
CREATE INDEX reviews_in_order ON reviews (decision, message_id);
