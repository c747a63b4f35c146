-- What a message has cost, in millionths of each currency; a row only where there is a price. Segments that may or may
-- not have gone out are apart.
CREATE TABLE message_costs (
    message_id    TEXT NOT NULL,
    currency      TEXT NOT NULL,
    segments      INTEGER NOT NULL,
    micros        BIGINT NOT NULL,
    uncertain_segments INTEGER NOT NULL,
    uncertain_micros   BIGINT NOT NULL,
    PRIMARY KEY (message_id, currency)
) WITHOUT ROWID;

-- The same summed up, by the day on which segments were handed to their channel, who sent them, all tags of their
-- message (a JSON list, in order) and channel. Written with the rows above, so that both always agree.
CREATE TABLE cost_sums (
    day           TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    tags          TEXT NOT NULL,
    channel       TEXT NOT NULL,
    currency      TEXT NOT NULL,
    segments      BIGINT NOT NULL,
    micros        BIGINT NOT NULL,
    uncertain_segments BIGINT NOT NULL,
    uncertain_micros   BIGINT NOT NULL,
    PRIMARY KEY (day, key_id, tags, channel, currency)
) WITHOUT ROWID;
