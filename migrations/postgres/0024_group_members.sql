-- +goose NO TRANSACTION
-- +goose Up

-- Who is in a group, without reading all users. Logins and other writers go on while the index is built. What an attempt that broke off has
-- left is of no use, and is made again. Users without groups, most of them, are no part of it.
DROP INDEX CONCURRENTLY IF EXISTS users_groups_idx;
CREATE INDEX CONCURRENTLY users_groups_idx ON users USING gin (groups) WHERE groups IS NOT NULL;
