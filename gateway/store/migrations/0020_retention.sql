-- How far the deletion of old records has come, for each kind.
CREATE TABLE retention (
    kind          TEXT PRIMARY KEY,
    -- The last record that was looked at, where the next round goes on behind it; '' to begin at the oldest.
    place         TEXT NOT NULL,
    -- When a round last began at the oldest.
    began_at      BIGINT NOT NULL,
    -- The end of the last round.
    ran_at        BIGINT NOT NULL,
    -- Records deleted or emptied since ever.
    n_rows        BIGINT NOT NULL
);
