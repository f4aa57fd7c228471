-- +goose Up

-- Times are microseconds since 1970 in UTC, NULL for none. Text is compared byte for byte (BINARY).

-- AUTOINCREMENT: an ID that was drawn or given once is below every one that is drawn later.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
    username      TEXT    NOT NULL UNIQUE CHECK (octet_length(username) BETWEEN 1 AND 1024),
    email         TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    active        INTEGER NOT NULL CHECK (active IN (0, 1)),
    staff         INTEGER NOT NULL CHECK (staff IN (0, 1)),
    auth_epoch    INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    last_login    INTEGER
) STRICT;

CREATE TABLE clients (
    id                         TEXT    NOT NULL PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 512),
    metadata                   TEXT    NOT NULL CHECK (json_type(metadata) = 'object'),
    secret_mac                 BLOB    CHECK (octet_length(secret_mac) = 32),
    previous_secret_mac        BLOB    CHECK (octet_length(previous_secret_mac) = 32),
    previous_secret_expires_at INTEGER,
    disabled                   INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    auth_epoch                 INTEGER NOT NULL,
    version                    INTEGER NOT NULL,
    created_at                 INTEGER NOT NULL,
    updated_at                 INTEGER NOT NULL
) STRICT;

-- One row per session. A refresh touches current_id, generation, window_at, previous_id, previous_retired_at and
-- last_used_at only: none of them is indexed, so that a refresh writes one page.
CREATE TABLE grants (
    id                  BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    client_id           TEXT    NOT NULL,
    user_id             INTEGER NOT NULL,
    scope               TEXT    NOT NULL,
    audience            TEXT    NOT NULL,
    user_epoch          INTEGER NOT NULL,
    client_epoch        INTEGER NOT NULL,
    auth_time           INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER NOT NULL,
    address             TEXT    NOT NULL,
    user_agent          TEXT    NOT NULL,
    current_id          BLOB    NOT NULL CHECK (octet_length(current_id) = 16),
    generation          INTEGER NOT NULL,
    window_at           INTEGER,
    previous_id         BLOB    CHECK (octet_length(previous_id) = 16),
    previous_retired_at INTEGER,
    last_used_at        INTEGER,
    revoked_at          INTEGER,
    revoke_reason       TEXT    NOT NULL
) STRICT;

CREATE INDEX grants_user_id_idx ON grants (user_id, id);
CREATE INDEX grants_client_id_idx ON grants (client_id, id);
-- Postgres drops partitions; here the ended rows have to be found.
CREATE INDEX grants_expires_at_idx ON grants (expires_at);

CREATE TABLE revoked_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY CHECK (octet_length(jti) BETWEEN 1 AND 512),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_tokens_expires_at_idx ON revoked_tokens (expires_at);

CREATE TABLE signing_keys (
    kid          TEXT    NOT NULL PRIMARY KEY CHECK (octet_length(kid) BETWEEN 1 AND 512),
    algorithm    TEXT    NOT NULL,
    sequence     INTEGER NOT NULL CHECK (sequence > 0),
    sealed       BLOB    NOT NULL,
    public_key   TEXT    NOT NULL CHECK (json_type(public_key) = 'object'),
    created_at   INTEGER NOT NULL,
    activates_at INTEGER NOT NULL,
    retires_at   INTEGER,
    expires_at   INTEGER,
    UNIQUE (algorithm, sequence)
) STRICT;

CREATE TABLE resources (
    identifier TEXT    NOT NULL PRIMARY KEY CHECK (octet_length(identifier) BETWEEN 1 AND 2048),
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- at is the theoretical arrival time of a bucket, or the time until which a known place is remembered.
CREATE TABLE throttles (
    key        BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),
    at         INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX throttles_expires_at_idx ON throttles (expires_at);

-- Append-only.
CREATE TABLE audit_events (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    at         INTEGER NOT NULL,
    action     TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    user_id    INTEGER,
    client_id  TEXT,
    grant_id   BLOB,
    address    TEXT    NOT NULL,
    request_id TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    details    TEXT
) STRICT;

CREATE INDEX audit_events_user_id_idx ON audit_events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_client_id_idx ON audit_events (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX audit_events_grant_id_idx ON audit_events (grant_id, id) WHERE grant_id IS NOT NULL;

-- Raised in the same transaction by every write to what servers cache, which look at it.
CREATE TABLE changes (
    kind    TEXT    NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO changes (kind, version) VALUES ('client', 0), ('signing_keys', 0), ('resources', 0);
