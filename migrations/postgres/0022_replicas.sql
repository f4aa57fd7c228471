-- +goose Up

-- The servers that run on this database, as each says of itself every few seconds. schema_version is that of the newest migration that it
-- knows, clock_ahead how many milliseconds its clock is ahead of the database's. The times are by the database's clock.
CREATE TABLE replicas (
    id             uuid NOT NULL PRIMARY KEY,
    host           text        NOT NULL,
    release        text        NOT NULL,
    schema_version bigint      NOT NULL,
    clock_ahead    bigint      NOT NULL,
    started_at     timestamptz NOT NULL,
    seen_at        timestamptz NOT NULL
);
