-- By which channel a rule last sent something to a recipient, until when that holds.
CREATE TABLE sticky_channels (
    recipient     TEXT NOT NULL,
    rule          TEXT NOT NULL,
    channel       TEXT NOT NULL,
    ends_at       BIGINT NOT NULL,
    PRIMARY KEY (recipient, rule)
);
CREATE INDEX sticky_channels_ends ON sticky_channels (ends_at);

-- Whose a single number is, where its range does not tell: set by hand ('api'), or learned from a delivery report
-- ('receipt').
CREATE TABLE number_carriers (
    number        TEXT PRIMARY KEY,
    carrier       TEXT NOT NULL,
    source        TEXT NOT NULL,
    changed_at    BIGINT NOT NULL
);
