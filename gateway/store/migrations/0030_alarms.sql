-- Alarms that are open. The same thing seen again is the same row; one that is over is gone, and the timeline tells of it.
CREATE TABLE alarms (
    id            TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    detail        TEXT NOT NULL,
    raised_at     BIGINT NOT NULL
);
CREATE UNIQUE INDEX alarms_of ON alarms (kind, subject);
