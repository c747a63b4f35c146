-- Keys with which this store's rows are encrypted, each wrapped with the operator's key, which is not in the store. None
-- while the store is not encrypted.
CREATE TABLE store_keys (
    number        INTEGER NOT NULL,
    -- The fingerprint of the operator's key.
    operator_key  TEXT NOT NULL,
    wrapped       BLOB NOT NULL,
    made_at       BIGINT NOT NULL,
    PRIMARY KEY (number, operator_key)
);

-- One row while all rows of the store are put under another key: which one, 0 for none, and how far that has come.
CREATE TABLE store_rekeying (
    id            INTEGER PRIMARY KEY,
    newest        INTEGER NOT NULL,
    table_name    TEXT NOT NULL,
    after_row     TEXT NOT NULL,
    done          BIGINT NOT NULL
);
