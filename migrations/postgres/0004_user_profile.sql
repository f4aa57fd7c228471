-- +goose Up

-- What applications ask about a user. The columns can be NULL or have a default: the previous release goes on writing rows without
-- them. None of them rewrites the table.
ALTER TABLE users
    ADD COLUMN email_verified boolean     NOT NULL DEFAULT false,
    ADD COLUMN name           text        NOT NULL DEFAULT '',
    ADD COLUMN given_name     text        NOT NULL DEFAULT '',
    ADD COLUMN family_name    text        NOT NULL DEFAULT '',
    ADD COLUMN picture        text        NOT NULL DEFAULT '',
    ADD COLUMN locale         text        NOT NULL DEFAULT '',
    ADD COLUMN zoneinfo       text        NOT NULL DEFAULT '',
    ADD COLUMN groups         jsonb       CHECK (jsonb_typeof(groups) = 'array'),
    ADD COLUMN attributes     jsonb       CHECK (jsonb_typeof(attributes) = 'object'),
    ADD COLUMN updated_at     timestamptz;
