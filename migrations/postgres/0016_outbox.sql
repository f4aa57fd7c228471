-- +goose Up

-- What has yet to be sent to someone else, by kind. A row stays without its payload until expires_at once it was sent, so that nothing is
-- sent twice under one key; next_attempt_at is NULL then.
CREATE TABLE outbox (
    id              uuid        PRIMARY KEY,
    kind            text        COLLATE "C" NOT NULL,
    key             bytea       NOT NULL CHECK (octet_length(key) = 32),
    payload         bytea       NOT NULL,
    created_at      timestamptz NOT NULL,
    next_attempt_at timestamptz,
    attempts        bigint      NOT NULL,
    give_up_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    UNIQUE (kind, key)
);

CREATE INDEX outbox_next_attempt_at_idx ON outbox (kind, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX outbox_expires_at_idx ON outbox (expires_at);
