-- When a segment was last given to its channel, unless the channel refused it: what went out, or may have gone out.
-- Budgets count by it, and a receipt from before it speaks of another segment.
ALTER TABLE segments ADD COLUMN submitted_at BIGINT;
UPDATE segments SET submitted_at = sent_at WHERE sent_at IS NOT NULL;
DROP INDEX segments_sent;
CREATE INDEX segments_submitted ON segments (channel, submitted_at) WHERE submitted_at IS NOT NULL;

-- What may use the reserve of a budget, found without reading what waits before it.
CREATE INDEX messages_ready_urgent ON messages (queue, priority DESC, id)
    WHERE status = 'queued' AND hidden_until IS NULL AND category IN ('otp', 'emergency');
