-- Where the lines of those who have something waiting stand: of an owner in one class and priority of a queue. The next
-- message of theirs gets this tag. Written every few seconds, for the next start and for other instances.
CREATE TABLE shares (
    queue         TEXT NOT NULL,
    band          INTEGER NOT NULL,
    owner         TEXT NOT NULL,
    tag           BIGINT NOT NULL,
    PRIMARY KEY (queue, band, owner)
);

-- Messages that go one after the other to one recipient, and how many of them are open: who changes the number holds
-- its row, so that nobody joins behind one that is leaving just now.
CREATE TABLE sequences (
    sequence      TEXT NOT NULL,
    recipient     TEXT NOT NULL,
    n_open        INTEGER NOT NULL,
    PRIMARY KEY (sequence, recipient)
);
CREATE TABLE sequence_messages (
    sequence      TEXT NOT NULL,
    recipient     TEXT NOT NULL,
    message_id    TEXT NOT NULL,
    PRIMARY KEY (sequence, recipient, message_id)
);
