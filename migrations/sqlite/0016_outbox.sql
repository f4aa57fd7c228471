-- +goose Up

-- What has yet to be sent to someone else, by kind. A row stays without its payload until expires_at once it was sent, so that nothing is
-- sent twice under one key; next_attempt_at is NULL then.
CREATE TABLE outbox (
    id              BLOB    NOT NULL PRIMARY KEY,
    kind            TEXT    NOT NULL,
    key             BLOB    NOT NULL CHECK (octet_length(key) = 32),
    payload         BLOB    NOT NULL,
    created_at      INTEGER NOT NULL,
    next_attempt_at INTEGER,
    attempts        INTEGER NOT NULL,
    give_up_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    UNIQUE (kind, key)
) STRICT;

CREATE INDEX outbox_next_attempt_at_idx ON outbox (kind, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX outbox_expires_at_idx ON outbox (expires_at);
