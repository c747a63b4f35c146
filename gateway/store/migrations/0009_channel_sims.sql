-- Which SIM was in which channel, from when on; the first one that is known of a channel counts as there since ever.
-- What a SIM has sent is what its channels have sent while it was there.
CREATE TABLE channel_sims (
    channel       TEXT NOT NULL,
    since         BIGINT NOT NULL,
    iccid         TEXT NOT NULL,
    PRIMARY KEY (channel, since)
);
CREATE INDEX channel_sims_iccid ON channel_sims (iccid);
