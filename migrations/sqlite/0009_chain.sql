-- +goose Up

-- What a grant remembers about its refresh chain besides the tokens: docs/rotation.md, "What contains a thief". The defaults are for rows
-- of the previous release, and for those that it still writes.
ALTER TABLE grants ADD COLUMN current_expires_at INTEGER;
ALTER TABLE grants ADD COLUMN windows INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN network INTEGER;
ALTER TABLE grants ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN joins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grants ADD COLUMN joined_generation INTEGER NOT NULL DEFAULT 0;
