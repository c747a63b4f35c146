-- How far the segments of a channel without a receipt have been asked after, by the n-th time that this is done: the
-- last one that was. Segments are in the order of (submitted_at, message_id, part).
CREATE TABLE inquiry_places (
    channel       TEXT NOT NULL,
    round         INTEGER NOT NULL,
    submitted_at  BIGINT NOT NULL,
    message_id    TEXT NOT NULL,
    part          INTEGER NOT NULL,
    PRIMARY KEY (channel, round)
);
