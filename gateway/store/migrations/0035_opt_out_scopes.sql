-- An opt-out may be from one brand, or from one number of ours; those of before are from everything.
ALTER TABLE suppressions RENAME TO old_suppressions;
ALTER TABLE suppression_readings RENAME TO old_suppression_readings;
DROP INDEX suppression_readings_number;
DROP INDEX suppressions_unread;
CREATE TABLE suppressions (
    number        TEXT NOT NULL,
    scope         TEXT NOT NULL,
    source        TEXT NOT NULL,
    keyword       TEXT,
    reason        TEXT,
    created_at    BIGINT NOT NULL,
    is_read       INTEGER NOT NULL,
    CONSTRAINT suppressions_key PRIMARY KEY (number, scope)
);
CREATE TABLE suppression_readings (
    reading       TEXT NOT NULL,
    number        TEXT NOT NULL,
    scope         TEXT NOT NULL,
    CONSTRAINT suppression_readings_key PRIMARY KEY (reading, number, scope)
);
INSERT INTO suppressions (number, scope, source, keyword, reason, created_at, is_read)
    SELECT number, 'everything', source, keyword, reason, created_at, is_read FROM old_suppressions;
INSERT INTO suppression_readings (reading, number, scope)
    SELECT reading, number, 'everything' FROM old_suppression_readings;
DROP TABLE old_suppressions;
DROP TABLE old_suppression_readings;
CREATE INDEX suppression_readings_number ON suppression_readings (number, scope);
CREATE INDEX suppressions_unread ON suppressions (number) WHERE is_read = 0;

-- What sounds like no and is no word that we know, for a person to look at.
ALTER TABLE inbound ADD COLUMN flag TEXT;
CREATE INDEX inbound_flagged ON inbound (flag, id) WHERE flag IS NOT NULL;
