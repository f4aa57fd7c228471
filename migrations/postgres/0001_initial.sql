-- +goose Up

CREATE TABLE users (
    id            bigint      PRIMARY KEY CHECK (id > 0),
    username      text        COLLATE "C" NOT NULL UNIQUE CHECK (octet_length(username) BETWEEN 1 AND 1024),
    email         text        NOT NULL,
    password_hash text        NOT NULL,
    active        boolean     NOT NULL,
    staff         boolean     NOT NULL,
    auth_epoch    bigint      NOT NULL,
    created_at    timestamptz NOT NULL,
    last_login    timestamptz
) WITH (fillfactor = 80);

-- The IDs that are drawn. A given ID raises it, so that none is ever drawn twice.
CREATE SEQUENCE users_id_seq AS bigint OWNED BY users.id;

CREATE TABLE clients (
    id                         text        COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 512),
    metadata                   jsonb       NOT NULL CHECK (jsonb_typeof(metadata) = 'object'),
    secret_mac                 bytea       CHECK (octet_length(secret_mac) = 32),
    previous_secret_mac        bytea       CHECK (octet_length(previous_secret_mac) = 32),
    previous_secret_expires_at timestamptz,
    disabled                   boolean     NOT NULL,
    auth_epoch                 bigint      NOT NULL,
    version                    bigint      NOT NULL,
    created_at                 timestamptz NOT NULL,
    updated_at                 timestamptz NOT NULL
);

-- One row per session. A refresh touches current_id, generation, window_at, previous_id, previous_retired_at and
-- last_used_at only: none of them may ever be indexed, so that each refresh stays a heap-only update.
-- The ID is a UUID of version 7, so the partitions are ranges of time: one per week, made ahead by the server.
CREATE TABLE grants (
    id                  uuid        PRIMARY KEY,
    client_id           text        COLLATE "C" NOT NULL,
    user_id             bigint      NOT NULL,
    scope               text        NOT NULL,
    audience            text        NOT NULL,
    user_epoch          bigint      NOT NULL,
    client_epoch        bigint      NOT NULL,
    auth_time           timestamptz NOT NULL,
    created_at          timestamptz NOT NULL,
    expires_at          timestamptz NOT NULL,
    address             text        NOT NULL,
    user_agent          text        NOT NULL,
    current_id          uuid        NOT NULL,
    generation          bigint      NOT NULL,
    window_at           timestamptz,
    previous_id         uuid,
    previous_retired_at timestamptz,
    last_used_at        timestamptz,
    revoked_at          timestamptz,
    revoke_reason       text        NOT NULL
) PARTITION BY RANGE (id);

CREATE INDEX grants_user_id_idx ON grants (user_id);
CREATE INDEX grants_client_id_idx ON grants (client_id);

-- Below 2020-01-01T00:00:00Z: sessions taken over from another system get their IDs there; rows are deleted singly.
CREATE TABLE grants_adopted PARTITION OF grants
    FOR VALUES FROM (MINVALUE) TO ('016f5e66-e800-0000-0000-000000000000') WITH (fillfactor = 70);

-- The net for clocks that jump and for weeks nobody made a partition for; rows are deleted singly.
CREATE TABLE grants_default PARTITION OF grants DEFAULT WITH (fillfactor = 70);

CREATE TABLE revoked_tokens (
    jti        text        COLLATE "C" PRIMARY KEY CHECK (octet_length(jti) BETWEEN 1 AND 512),
    expires_at timestamptz NOT NULL
);

CREATE INDEX revoked_tokens_expires_at_idx ON revoked_tokens (expires_at);

CREATE TABLE signing_keys (
    kid          text        COLLATE "C" PRIMARY KEY CHECK (octet_length(kid) BETWEEN 1 AND 512),
    algorithm    text        COLLATE "C" NOT NULL,
    sequence     bigint      NOT NULL CHECK (sequence > 0),
    sealed       bytea       NOT NULL,
    public_key   jsonb       NOT NULL CHECK (jsonb_typeof(public_key) = 'object'),
    created_at   timestamptz NOT NULL,
    activates_at timestamptz NOT NULL,
    retires_at   timestamptz,
    expires_at   timestamptz,
    UNIQUE (algorithm, sequence)
);

CREATE TABLE resources (
    identifier text        COLLATE "C" PRIMARY KEY CHECK (octet_length(identifier) BETWEEN 1 AND 2048),
    name       text        NOT NULL,
    scopes     text        NOT NULL,
    created_at timestamptz NOT NULL
);

-- at is the theoretical arrival time of a bucket, or the time until which a known place is remembered.
-- No index but the key: each attempt is a heap-only update. Maintenance scans the table, which stays small.
CREATE TABLE throttles (
    key        bytea       PRIMARY KEY CHECK (octet_length(key) = 32),
    at         timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- Append-only, one partition per month of the ID's time, made ahead by the server, dropped by the operator only.
CREATE TABLE audit_events (
    id         uuid        PRIMARY KEY,
    at         timestamptz NOT NULL,
    action     text        NOT NULL,
    actor      text        NOT NULL,
    user_id    bigint,
    client_id  text        COLLATE "C",
    grant_id   uuid,
    address    text        NOT NULL,
    request_id text        NOT NULL,
    outcome    text        NOT NULL,
    reason     text        NOT NULL,
    details    jsonb
) PARTITION BY RANGE (id);

CREATE INDEX audit_events_user_id_idx ON audit_events (user_id, id) WHERE user_id IS NOT NULL;
CREATE INDEX audit_events_client_id_idx ON audit_events (client_id, id) WHERE client_id IS NOT NULL;
CREATE INDEX audit_events_grant_id_idx ON audit_events (grant_id, id) WHERE grant_id IS NOT NULL;

CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;

-- Raised in the same transaction by every write to what servers cache: the fallback of NOTIFY.
CREATE TABLE changes (
    kind    text   COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO changes (kind, version) VALUES ('client', 0), ('signing_keys', 0), ('resources', 0);
