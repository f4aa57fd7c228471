-- +goose Up

-- Where operators want events delivered. event_types is empty for all of them. The secrets are sealed. cursor is how far deliveries have been
-- made of the events in the audit trail; one server at a time makes them, relay_owner until relay_until.
CREATE TABLE webhooks (
    id                         uuid        PRIMARY KEY,
    url                        text        NOT NULL,
    name                       text        NOT NULL,
    event_types                text        NOT NULL,
    secret                     bytea       NOT NULL,
    previous_secret            bytea,
    previous_secret_expires_at timestamptz,
    version                    bigint      NOT NULL,
    created_at                 timestamptz NOT NULL,
    updated_at                 timestamptz NOT NULL,
    disabled_at                timestamptz,
    disabled_reason            text        NOT NULL,
    cursor                     uuid        NOT NULL,
    relay_owner                uuid,
    relay_until                timestamptz,
    last_attempt_at            timestamptz,
    last_success_at            timestamptz,
    last_status                bigint      NOT NULL,
    last_error                 text        NOT NULL,
    failing_since              timestamptz,
    abandoned                  bigint      NOT NULL
);

INSERT INTO changes (kind, version) VALUES ('webhooks', 0);
