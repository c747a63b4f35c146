-- Which spelling of a kept receipt's id is no guess: with it the handset need not be the same, as some carriers mask it.
ALTER TABLE early_receipts ADD COLUMN certain INTEGER NOT NULL DEFAULT 0;
