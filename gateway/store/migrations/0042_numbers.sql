-- Numbers of which networks said that nobody has them; see gateway/model/dead_numbers.py. A message that arrives deletes
-- its row.
CREATE TABLE dead_numbers (
    number        TEXT PRIMARY KEY,
    n_failures    INTEGER NOT NULL,
    -- What the network said last, and of which message.
    code          TEXT NOT NULL,
    channel       TEXT,
    message_id    TEXT NOT NULL,
    first_at      BIGINT NOT NULL,
    last_at       BIGINT NOT NULL,
    -- When a message was last let through to try the number once again; no earlier than last_at counts.
    tried_at      BIGINT
);
CREATE INDEX dead_numbers_last ON dead_numbers (last_at);
-- How many messages each limit of [[number_limits]] has let through, by slots of a sixtieth of its window.
CREATE TABLE number_counts (
    name          TEXT NOT NULL,
    slot          BIGINT NOT NULL,
    n             INTEGER NOT NULL,
    -- When it counts no more.
    ends_at       BIGINT NOT NULL,
    PRIMARY KEY (name, slot)
);
CREATE INDEX number_counts_ends ON number_counts (ends_at);
