-- +goose Up

-- What users log in with besides a password: applications that show codes, passkeys and security keys, recovery codes, and browsers that
-- are remembered.
CREATE TABLE factors (
    id           uuid        PRIMARY KEY,
    user_id      bigint      NOT NULL REFERENCES users ON DELETE CASCADE,
    kind         text        COLLATE "C" NOT NULL,
    lookup       bytea       CHECK (octet_length(lookup) = 32),
    name         text        NOT NULL,
    data         bytea,
    counter      bigint      NOT NULL,
    user_epoch   bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at   timestamptz,
    UNIQUE (kind, lookup)
);

CREATE INDEX factors_user_id_idx ON factors (user_id);
CREATE INDEX factors_expires_at_idx ON factors (expires_at) WHERE expires_at IS NOT NULL;
