-- Who follows the timeline, up to where he has read, and when he last said that he is there.
CREATE TABLE timeline_readers (
    name          TEXT PRIMARY KEY,
    seq           BIGINT NOT NULL,
    seen_at       BIGINT NOT NULL
);
INSERT INTO timeline_readers (name, seq, seen_at)
    SELECT 'smpp_server', p.seq, coalesce((SELECT max(at) FROM events), 0) FROM esme_place AS p WHERE p.name = 'esme';
INSERT INTO timeline_readers (name, seq, seen_at)
    SELECT 'kannel', p.seq, coalesce((SELECT max(at) FROM events), 0) FROM kannel_place AS p WHERE p.name = 'timeline';
DROP TABLE esme_place;
DROP TABLE kannel_place;
