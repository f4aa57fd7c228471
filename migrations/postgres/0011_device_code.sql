-- +goose Up

-- Device authorization requests (RFC 8628). A poll touches poll_interval, polled_at and slowed only, which are not indexed: a heap-only
-- update.
CREATE TABLE device_codes (
    hash          bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    user_code     bytea       NOT NULL UNIQUE CHECK (octet_length(user_code) = 32),
    client_id     text        COLLATE "C" NOT NULL,
    client_epoch  bigint      NOT NULL,
    scope         text        NOT NULL,
    audience      text        NOT NULL,
    address       text        NOT NULL,
    user_agent    text        NOT NULL,
    created_at    timestamptz NOT NULL,
    valid_until   timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    poll_interval bigint      NOT NULL,
    polled_at     timestamptz,
    slowed        boolean     NOT NULL,
    decision      text        NOT NULL,
    user_id       bigint,
    user_epoch    bigint      NOT NULL,
    auth_time     timestamptz,
    amr           text        NOT NULL,
    redeemed_at   timestamptz,
    grant_id      uuid
) WITH (fillfactor = 80);

-- Approved codes are found by their user when a consent ends.
CREATE INDEX device_codes_user_id_idx ON device_codes (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX device_codes_expires_at_idx ON device_codes (expires_at);
