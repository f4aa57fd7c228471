-- +goose Up

-- The columns that are added can be NULL or have a default: the previous release goes on writing rows without them. None of
-- them rewrites a table. session_id is not indexed: whoever asks for it names the user too.
ALTER TABLE grants
    ADD COLUMN session_id uuid,
    ADD COLUMN amr        text NOT NULL DEFAULT '',
    ADD COLUMN claims     text NOT NULL DEFAULT '';

ALTER TABLE clients
    ADD COLUMN origin           text        NOT NULL DEFAULT 'operator',
    ADD COLUMN registration_mac bytea       CHECK (octet_length(registration_mac) = 32),
    ADD COLUMN registration_key bytea       CHECK (octet_length(registration_key) = 32),
    ADD COLUMN expires_at       timestamptz;

CREATE UNIQUE INDEX clients_registration_key_idx ON clients (registration_key) WHERE registration_key IS NOT NULL;
CREATE INDEX clients_expires_at_idx ON clients (expires_at) WHERE expires_at IS NOT NULL;

-- One row per browser in which a user is signed in. The hash changes with each sign-in, the ID stays.
-- last_seen_at is not indexed, so that noting it is a heap-only update.
CREATE TABLE browser_sessions (
    hash         bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    id           uuid        NOT NULL UNIQUE,
    user_id      bigint      NOT NULL,
    user_epoch   bigint      NOT NULL,
    created_at   timestamptz NOT NULL,
    auth_time    timestamptz NOT NULL,
    amr          text        NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    remember     boolean     NOT NULL,
    address      text        NOT NULL,
    user_agent   text        NOT NULL
) WITH (fillfactor = 80);

CREATE INDEX browser_sessions_user_id_idx ON browser_sessions (user_id);
CREATE INDEX browser_sessions_expires_at_idx ON browser_sessions (expires_at);

-- A redemption touches redeemed_at and grant_id only, which are not indexed.
CREATE TABLE authorization_codes (
    hash           bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    client_id      text        COLLATE "C" NOT NULL,
    user_id        bigint      NOT NULL,
    session_id     uuid,
    user_epoch     bigint      NOT NULL,
    client_epoch   bigint      NOT NULL,
    redirect_uri   text        NOT NULL,
    code_challenge text        NOT NULL,
    scope          text        NOT NULL,
    audience       text        NOT NULL,
    nonce          text        NOT NULL,
    auth_time      timestamptz NOT NULL,
    amr            text        NOT NULL,
    claims         text        NOT NULL,
    created_at     timestamptz NOT NULL,
    valid_until    timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    redeemed_at    timestamptz,
    grant_id       uuid
) WITH (fillfactor = 80);

-- Codes that are out are found by their user when a session or a consent ends.
CREATE INDEX authorization_codes_user_id_idx ON authorization_codes (user_id);
CREATE INDEX authorization_codes_expires_at_idx ON authorization_codes (expires_at);

-- Unlike what carries an epoch, a consent would be good for a user or client that gets the ID of a removed one.
-- So it goes with them, whichever release removes them.
CREATE TABLE consents (
    user_id     bigint      NOT NULL REFERENCES users ON DELETE CASCADE,
    client_id   text        COLLATE "C" NOT NULL REFERENCES clients ON DELETE CASCADE,
    scope       text        NOT NULL,
    audience    text        NOT NULL,
    fingerprint bytea       CHECK (octet_length(fingerprint) = 32),
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

CREATE INDEX consents_client_id_idx ON consents (client_id);

CREATE TABLE pushed_requests (
    hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    client_id  text        COLLATE "C" NOT NULL,
    parameters text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE INDEX pushed_requests_expires_at_idx ON pushed_requests (expires_at);

CREATE TABLE used_jtis (
    client_id  text        COLLATE "C" NOT NULL,
    jti        bytea       NOT NULL CHECK (octet_length(jti) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti)
);

CREATE INDEX used_jtis_expires_at_idx ON used_jtis (expires_at);

CREATE TABLE logout_notices (
    id              uuid        PRIMARY KEY,
    client_id       text        COLLATE "C" NOT NULL,
    user_id         bigint      NOT NULL,
    session_id      uuid,
    created_at      timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    attempts        bigint      NOT NULL,
    expires_at      timestamptz NOT NULL
);

CREATE INDEX logout_notices_next_attempt_at_idx ON logout_notices (next_attempt_at);
CREATE INDEX logout_notices_expires_at_idx ON logout_notices (expires_at);

CREATE TABLE registration_tokens (
    id         uuid        PRIMARY KEY,
    hash       bytea       NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    name       text        NOT NULL,
    uses       bigint      NOT NULL,
    policy     jsonb       CHECK (jsonb_typeof(policy) = 'object'),
    created_at timestamptz NOT NULL,
    expires_at timestamptz
);

CREATE INDEX registration_tokens_expires_at_idx ON registration_tokens (expires_at);
