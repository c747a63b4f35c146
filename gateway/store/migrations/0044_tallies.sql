-- How often what happened in each hour, counted from the timeline by gateway/timeline/tally.py.
CREATE TABLE tallies (
    -- The hour's beginning.
    hour          BIGINT NOT NULL,
    -- The event's type, such as message.delivered.
    type          TEXT NOT NULL,
    n             BIGINT NOT NULL,
    PRIMARY KEY (hour, type)
);
