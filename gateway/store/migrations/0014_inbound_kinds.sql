-- What came in and is no message of a person: a lamp for voicemail, a silent message.
ALTER TABLE inbound ADD COLUMN kind TEXT;
ALTER TABLE inbound_parts ADD COLUMN kind TEXT;
