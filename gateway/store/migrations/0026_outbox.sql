-- What somebody is owed and has not taken yet: calls to his URL. A row is due when nothing stands before it: of the rows
-- of one subject only the first has an instant, the others get theirs when it is gone.
CREATE TABLE outbox (
    id            TEXT PRIMARY KEY,
    -- Who makes it, and how: 'kannel' ...
    door          TEXT NOT NULL,
    -- For whom: an account, a route. Each has its share of what is made at once.
    owner         TEXT NOT NULL,
    host          TEXT NOT NULL,
    subject       TEXT NOT NULL,
    payload       BLOB NOT NULL,
    attempts      INTEGER NOT NULL,
    due_at        BIGINT,
    created_at    BIGINT NOT NULL,
    give_up_at    BIGINT NOT NULL,
    -- Of one that was given up: when, and what was wrong at last.
    dead_at       BIGINT,
    fault         TEXT
);
CREATE INDEX outbox_due ON outbox (door, owner, host, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_subject ON outbox (door, subject, id) WHERE dead_at IS NULL;
CREATE INDEX outbox_dead ON outbox (door, id) WHERE dead_at IS NOT NULL;

-- One row for each owner and host that something is owed: when the next of it may be made, and how it goes there.
CREATE TABLE outbox_lanes (
    door          TEXT NOT NULL,
    owner         TEXT NOT NULL,
    host          TEXT NOT NULL,
    -- Null while all that is owed waits for something else.
    next_at       BIGINT,
    n_pending     INTEGER NOT NULL,
    -- Attempts that failed since the last one that did not.
    failures      INTEGER NOT NULL,
    -- While it rests after failures: until then; the next attempt is a trial.
    rests_until   BIGINT,
    PRIMARY KEY (door, owner, host)
);
CREATE INDEX outbox_lanes_next ON outbox_lanes (door, owner, next_at) WHERE next_at IS NOT NULL;

INSERT INTO outbox (id, door, owner, host, subject, payload, attempts, due_at, created_at, give_up_at)
    SELECT c.id, 'kannel', CASE WHEN c.owner = '' AND c.route IS NOT NULL THEN 'route ' || c.route ELSE c.owner END, c.host, c.subject, c.call, c.attempts,
        CASE WHEN EXISTS (SELECT 1 FROM kannel_calls AS e WHERE e.subject = c.subject AND e.id < c.id) THEN NULL
            ELSE c.due_at END,
        c.created_at, c.created_at + 86400000
    FROM kannel_calls AS c;
INSERT INTO outbox_lanes (door, owner, host, next_at, n_pending, failures)
    SELECT door, owner, host, min(due_at), count(*), 0 FROM outbox GROUP BY door, owner, host;
DROP TABLE kannel_calls;
