-- Alarms that are open. The same thing seen again is the same row; one that is over is gone, and the timeline tells of it.
CREATE TABLE alarms (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    detail        TEXT NOT NULL,
    raised_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX alarms_of ON alarms (kind, subject);

-- What came from a network and made our own code fail, as it came, with where it failed: kept for people.
CREATE TABLE set_aside (
    id            TEXT PRIMARY KEY,
    channel       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    octets        BLOB NOT NULL,
    fault         TEXT NOT NULL,
    at            BIGINT NOT NULL
);
CREATE INDEX set_aside_at ON set_aside (at);
