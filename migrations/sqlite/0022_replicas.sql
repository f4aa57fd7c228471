-- +goose Up

-- The servers that run on this database, as each says of itself every few seconds. schema_version is that of the newest migration that it
-- knows, clock_ahead how many milliseconds its clock is ahead of the database's. The times are by the database's clock.
CREATE TABLE replicas (
    id             BLOB NOT NULL PRIMARY KEY,
    host           TEXT NOT NULL,
    release        TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    clock_ahead    INTEGER NOT NULL,
    started_at     INTEGER NOT NULL,
    seen_at        INTEGER NOT NULL
) STRICT;
