-- The last number that the timeline gave, in one row: held until the commit, so that numbers are in the order of commits.
CREATE TABLE timeline_head (
    id            INTEGER PRIMARY KEY,
    last_seq      BIGINT NOT NULL
);
INSERT INTO timeline_head (id, last_seq) SELECT 1, coalesce(max(seq), 0) FROM events;

-- Who runs a channel (a SIM, a bind), and for how long nobody else may. Judged by the store's clock.
CREATE TABLE channel_leases (
    channel       TEXT PRIMARY KEY,
    owner         TEXT NOT NULL,
    -- Counts the owners: a lease that was lost and won again is another one.
    epoch         BIGINT NOT NULL,
    until         BIGINT NOT NULL
);
