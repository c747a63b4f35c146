-- Parts that belong together, told apart from others under the same reference. Null for messages in one part.
ALTER TABLE inbound_parts ADD COLUMN set_id TEXT;
UPDATE inbound_parts SET set_id = coalesce(inbound_id, concat_key) WHERE concat_key IS NOT NULL;
DROP INDEX inbound_parts_waiting;
CREATE INDEX inbound_parts_waiting ON inbound_parts (set_id, received_at) WHERE inbound_id IS NULL AND set_id IS NOT NULL;
CREATE INDEX inbound_parts_set ON inbound_parts (set_id, part) WHERE set_id IS NOT NULL;
CREATE INDEX inbound_parts_key ON inbound_parts (concat_key, set_id) WHERE concat_key IS NOT NULL;
