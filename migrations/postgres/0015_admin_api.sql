-- +goose Up

-- Who acted in the operator's name through the API; NULL where it is not known, such as on the command line.
ALTER TABLE audit_events ADD COLUMN actor_id text COLLATE "C";

-- Creations that were asked for under a key of the caller's: the same request again creates nothing.
CREATE TABLE idempotency_keys (
    hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    request    bytea       NOT NULL CHECK (octet_length(request) = 32),
    result     text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX idempotency_keys_expires_at_idx ON idempotency_keys (expires_at);
