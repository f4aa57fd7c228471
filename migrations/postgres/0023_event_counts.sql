-- +goose Up

-- How many audit events of an action there were in an hour, for the figures that operators see. The empty action marks the last hour that was counted.
CREATE TABLE event_counts (
    hour   timestamptz NOT NULL,
    action text COLLATE "C" NOT NULL,
    n      bigint NOT NULL,
    PRIMARY KEY (hour, action)
);
