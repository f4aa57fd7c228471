-- +goose Up

-- What applications ask about a user. The columns can be NULL or have a default: the previous release goes on writing rows without
-- them.
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0 CHECK (email_verified IN (0, 1));
ALTER TABLE users ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN given_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN family_name TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN picture TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN locale TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN zoneinfo TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN groups TEXT CHECK (json_type(groups) = 'array');
ALTER TABLE users ADD COLUMN attributes TEXT CHECK (json_type(attributes) = 'object');
ALTER TABLE users ADD COLUMN updated_at INTEGER;
