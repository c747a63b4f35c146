-- Of a part that came again after its text was joined: the id that was told the first time, and is told again.
ALTER TABLE esme_parts ADD COLUMN repeats TEXT;
