-- +goose Up

-- What users log in with besides a password: applications that show codes, passkeys and security keys, recovery codes, and browsers that
-- are remembered.
CREATE TABLE factors (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    user_id      INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    kind         TEXT    NOT NULL,
    lookup       BLOB    CHECK (octet_length(lookup) = 32),
    name         TEXT    NOT NULL,
    data         BLOB,
    counter      INTEGER NOT NULL,
    user_epoch   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    expires_at   INTEGER,
    UNIQUE (kind, lookup)
) STRICT;

CREATE INDEX factors_user_id_idx ON factors (user_id);
CREATE INDEX factors_expires_at_idx ON factors (expires_at) WHERE expires_at IS NOT NULL;
