-- What came of the last probes of each channel; see gateway/store/probes.py for how many.
CREATE TABLE probe_results (
    id            TEXT PRIMARY KEY,
    channel       TEXT NOT NULL,
    at            BIGINT NOT NULL,
    ok            INTEGER NOT NULL,
    answered_ms   BIGINT,
    delivered_ms  BIGINT,
    detail        TEXT NOT NULL
);
CREATE INDEX probe_results_of ON probe_results (channel, id);
