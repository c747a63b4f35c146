-- What a kept receipt said in the network's own word, whether it speaks of its whole message, and its octets. The octets
-- stand in one of its rows.
ALTER TABLE early_receipts ADD COLUMN word TEXT NOT NULL DEFAULT '';
ALTER TABLE early_receipts ADD COLUMN whole INTEGER NOT NULL DEFAULT 0;
ALTER TABLE early_receipts ADD COLUMN octets BLOB;
