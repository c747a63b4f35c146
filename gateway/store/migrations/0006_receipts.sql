-- Binds of one account: a receipt may come on any of them. Rows stay when a bind is taken out of the config.
CREATE TABLE channel_accounts (
    channel       TEXT PRIMARY KEY,
    account       TEXT NOT NULL
);
CREATE INDEX channel_accounts_account ON channel_accounts (account);

-- How often the ids in an account's receipts were spelled in which dialect.
CREATE TABLE receipt_dialects (
    account       TEXT NOT NULL,
    dialect       TEXT NOT NULL,
    matches       INTEGER NOT NULL,
    PRIMARY KEY (account, dialect)
);
