-- +goose Up

-- What a grant remembers about its refresh chain besides the tokens: docs/rotation.md, "What contains a thief". No index has any of these
-- columns, so that a refresh stays a heap-only update. The defaults are for rows of the previous release, and for those that it
-- still writes.
ALTER TABLE grants
    ADD COLUMN current_expires_at timestamptz,
    ADD COLUMN windows            bigint  NOT NULL DEFAULT 0,
    ADD COLUMN network            bigint,
    ADD COLUMN elsewhere          boolean NOT NULL DEFAULT false,
    ADD COLUMN joins              bigint  NOT NULL DEFAULT 0,
    ADD COLUMN joined_generation  bigint  NOT NULL DEFAULT 0;
