-- +goose Up

-- Where operators want events delivered. event_types is empty for all of them. The secrets are sealed. cursor is how far deliveries have been
-- made of the events in the audit trail; one server at a time makes them, relay_owner until relay_until.
CREATE TABLE webhooks (
    id                         BLOB    NOT NULL PRIMARY KEY,
    url                        TEXT    NOT NULL,
    name                       TEXT    NOT NULL,
    event_types                TEXT    NOT NULL,
    secret                     BLOB    NOT NULL,
    previous_secret            BLOB,
    previous_secret_expires_at INTEGER,
    version                    INTEGER NOT NULL,
    created_at                 INTEGER NOT NULL,
    updated_at                 INTEGER NOT NULL,
    disabled_at                INTEGER,
    disabled_reason            TEXT    NOT NULL,
    cursor                     BLOB    NOT NULL,
    relay_owner                BLOB,
    relay_until                INTEGER,
    last_attempt_at            INTEGER,
    last_success_at            INTEGER,
    last_status                INTEGER NOT NULL,
    last_error                 TEXT    NOT NULL,
    failing_since              INTEGER,
    abandoned                  INTEGER NOT NULL
) STRICT;

INSERT INTO changes (kind, version) VALUES ('webhooks', 0);
