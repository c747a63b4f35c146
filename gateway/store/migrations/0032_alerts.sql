-- Alarms of monitoring tools: one row for each table of the config that takes an alarm, and each fingerprint.
CREATE TABLE alerts (
    -- Sorts by when it began to be heard; a new one for each time that it fires anew.
    id            TEXT PRIMARY KEY,
    -- The table's name; empty for alarms that no table takes.
    receiver      TEXT NOT NULL,
    source        TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    name          TEXT NOT NULL,
    line          TEXT NOT NULL,
    firing        INTEGER NOT NULL,
    -- As the tool says; 0 where it says nothing.
    starts_at     BIGINT NOT NULL,
    heard_at      BIGINT NOT NULL,
    n_heard       INTEGER NOT NULL,
    told_at       BIGINT,
    -- Whether it waits for the text that tells of all that were held back.
    held          INTEGER NOT NULL,
    UNIQUE (receiver, source, fingerprint)
);
CREATE INDEX alerts_heard ON alerts (heard_at);
CREATE INDEX alerts_held ON alerts (receiver) WHERE held = 1;
-- The storm guard of each table. Whoever changes alarms of a table counts its version on: nobody else did meanwhile.
CREATE TABLE alert_windows (
    receiver      TEXT PRIMARY KEY,
    version       INTEGER NOT NULL,
    began_at      BIGINT NOT NULL,
    n_texts       INTEGER NOT NULL,
    -- When to tell of those that are held; none are without it.
    due_at        BIGINT
);
