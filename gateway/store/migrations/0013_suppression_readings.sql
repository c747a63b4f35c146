-- An opt-out holds for every number that its writer may have: see docs/numbers.md.
CREATE TABLE suppression_readings (
    reading       TEXT NOT NULL,
    number        TEXT NOT NULL,
    PRIMARY KEY (reading, number)
);
CREATE INDEX suppression_readings_number ON suppression_readings (number);
INSERT INTO suppression_readings (reading, number) SELECT number, number FROM suppressions;

-- 0: an entry of an older version, whose other readings the next start looks up, for it knows the region.
ALTER TABLE suppressions ADD COLUMN is_read INTEGER NOT NULL DEFAULT 0;
CREATE INDEX suppressions_unread ON suppressions (number) WHERE is_read = 0;
