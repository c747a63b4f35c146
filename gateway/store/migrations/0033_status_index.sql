-- The same lists as before, by a condition that costs less: for NOT IN of three values SQLite builds a small table each
-- time a row is written, twice where it is changed.
DROP INDEX messages_not_delivered;
CREATE INDEX messages_not_delivered ON messages (status, id)
    WHERE status <> 'queued' AND status <> 'sending' AND status <> 'delivered';
