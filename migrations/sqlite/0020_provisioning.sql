-- +goose Up

-- Groups as clients of SCIM see them: an id that stays when the name changes, also without members. Who is in a group says users.groups.
CREATE TABLE provisioned_groups (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    name       TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- What a client calls a user or a group (externalId, RFC 7643 §3.1).
CREATE TABLE user_external_ids (
    client_id   TEXT    NOT NULL REFERENCES clients ON DELETE CASCADE,
    user_id     INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    external_id TEXT    NOT NULL,
    PRIMARY KEY (client_id, user_id)
) STRICT;

CREATE INDEX user_external_ids_user_id_idx ON user_external_ids (user_id);
CREATE INDEX user_external_ids_external_id_idx ON user_external_ids (client_id, external_id);

CREATE TABLE group_external_ids (
    client_id   TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
    group_id    BLOB NOT NULL REFERENCES provisioned_groups ON DELETE CASCADE,
    external_id TEXT NOT NULL,
    PRIMARY KEY (client_id, group_id)
) STRICT;

CREATE INDEX group_external_ids_group_id_idx ON group_external_ids (group_id);
CREATE INDEX group_external_ids_external_id_idx ON group_external_ids (client_id, external_id);
