-- +goose Up

-- The resources that the consent page has listed for a request that names none: the client may name some of them at the token endpoint. NULL
-- is none: the previous release ignores the column, and writes rows without it.
ALTER TABLE authorization_codes ADD COLUMN offered text;
ALTER TABLE device_codes ADD COLUMN offered text;
ALTER TABLE grants ADD COLUMN offered text;
