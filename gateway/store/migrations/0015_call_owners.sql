-- Whose a call to an application is: an account or a route. Each has its share of the calls that are made at once.
ALTER TABLE kannel_calls ADD COLUMN owner TEXT NOT NULL DEFAULT '';

-- Confirmations of keywords that were sent, so that nobody can have us send one for each message that he writes.
CREATE TABLE keyword_replies (
    number        TEXT NOT NULL,
    keyword       TEXT NOT NULL,
    channel       TEXT NOT NULL,
    replied_at    BIGINT NOT NULL,
    PRIMARY KEY (number, keyword)
);
CREATE INDEX keyword_replies_channel ON keyword_replies (channel, replied_at);
CREATE INDEX keyword_replies_replied ON keyword_replies (replied_at);
