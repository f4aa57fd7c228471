-- +goose Up

-- The columns that are added can be NULL or have a default: the previous release goes on writing rows without them.
-- session_id is not indexed: whoever asks for it names the user too.
ALTER TABLE grants ADD COLUMN session_id BLOB CHECK (octet_length(session_id) = 16);
ALTER TABLE grants ADD COLUMN amr TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN claims TEXT NOT NULL DEFAULT '';

ALTER TABLE clients ADD COLUMN origin TEXT NOT NULL DEFAULT 'operator';
ALTER TABLE clients ADD COLUMN registration_mac BLOB CHECK (octet_length(registration_mac) = 32);
ALTER TABLE clients ADD COLUMN registration_key BLOB CHECK (octet_length(registration_key) = 32);
ALTER TABLE clients ADD COLUMN expires_at INTEGER;

CREATE UNIQUE INDEX clients_registration_key_idx ON clients (registration_key) WHERE registration_key IS NOT NULL;
CREATE INDEX clients_expires_at_idx ON clients (expires_at) WHERE expires_at IS NOT NULL;

-- One row per browser in which a user is signed in. The hash changes with each sign-in, the ID stays.
CREATE TABLE browser_sessions (
    hash         BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    id           BLOB    NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    user_id      INTEGER NOT NULL,
    user_epoch   INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    auth_time    INTEGER NOT NULL,
    amr          TEXT    NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    remember     INTEGER NOT NULL CHECK (remember IN (0, 1)),
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL
) STRICT;

CREATE INDEX browser_sessions_user_id_idx ON browser_sessions (user_id);
CREATE INDEX browser_sessions_expires_at_idx ON browser_sessions (expires_at);

CREATE TABLE authorization_codes (
    hash           BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    client_id      TEXT    NOT NULL,
    user_id        INTEGER NOT NULL,
    session_id     BLOB    CHECK (octet_length(session_id) = 16),
    user_epoch     INTEGER NOT NULL,
    client_epoch   INTEGER NOT NULL,
    redirect_uri   TEXT    NOT NULL,
    code_challenge TEXT    NOT NULL,
    scope          TEXT    NOT NULL,
    audience       TEXT    NOT NULL,
    nonce          TEXT    NOT NULL,
    auth_time      INTEGER NOT NULL,
    amr            TEXT    NOT NULL,
    claims         TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    valid_until    INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    redeemed_at    INTEGER,
    grant_id       BLOB    CHECK (octet_length(grant_id) = 16)
) STRICT;

-- Codes that are out are found by their user when a session or a consent ends.
CREATE INDEX authorization_codes_user_id_idx ON authorization_codes (user_id);
CREATE INDEX authorization_codes_expires_at_idx ON authorization_codes (expires_at);

-- Unlike what carries an epoch, a consent would be good for a user or client that gets the ID of a removed one.
-- So it goes with them, whichever release removes them.
CREATE TABLE consents (
    user_id     INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id   TEXT    NOT NULL REFERENCES clients ON DELETE CASCADE,
    scope       TEXT    NOT NULL,
    audience    TEXT    NOT NULL,
    fingerprint BLOB    CHECK (octet_length(fingerprint) = 32),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, client_id)
) STRICT;

CREATE INDEX consents_client_id_idx ON consents (client_id);

CREATE TABLE pushed_requests (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    client_id  TEXT    NOT NULL,
    parameters TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX pushed_requests_expires_at_idx ON pushed_requests (expires_at);

CREATE TABLE used_jtis (
    client_id  TEXT    NOT NULL,
    jti        BLOB    NOT NULL CHECK (octet_length(jti) = 32),
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (client_id, jti)
) STRICT, WITHOUT ROWID;

CREATE INDEX used_jtis_expires_at_idx ON used_jtis (expires_at);

CREATE TABLE logout_notices (
    id              BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    client_id       TEXT    NOT NULL,
    user_id         INTEGER NOT NULL,
    session_id      BLOB    CHECK (octet_length(session_id) = 16),
    created_at      INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    attempts        INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX logout_notices_next_attempt_at_idx ON logout_notices (next_attempt_at);
CREATE INDEX logout_notices_expires_at_idx ON logout_notices (expires_at);

CREATE TABLE registration_tokens (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(id) = 16),
    hash       BLOB    NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    name       TEXT    NOT NULL,
    uses       INTEGER NOT NULL,
    policy     TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;

CREATE INDEX registration_tokens_expires_at_idx ON registration_tokens (expires_at);
