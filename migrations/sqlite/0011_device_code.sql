-- +goose Up

-- Device authorization requests (RFC 8628).
CREATE TABLE device_codes (
    hash          BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    user_code     BLOB    NOT NULL UNIQUE CHECK (octet_length(user_code) = 32),
    client_id     TEXT    NOT NULL,
    client_epoch  INTEGER NOT NULL,
    scope         TEXT    NOT NULL,
    audience      TEXT    NOT NULL,
    address       TEXT    NOT NULL,
    user_agent    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    valid_until   INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    poll_interval INTEGER NOT NULL,
    polled_at     INTEGER,
    slowed        INTEGER NOT NULL CHECK (slowed IN (0, 1)),
    decision      TEXT    NOT NULL,
    user_id       INTEGER,
    user_epoch    INTEGER NOT NULL,
    auth_time     INTEGER,
    amr           TEXT    NOT NULL,
    redeemed_at   INTEGER,
    grant_id      BLOB    CHECK (octet_length(grant_id) = 16)
) STRICT;

-- Approved codes are found by their user when a consent ends.
CREATE INDEX device_codes_user_id_idx ON device_codes (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX device_codes_expires_at_idx ON device_codes (expires_at);
