-- +goose Up

-- Postgres has an index of users.groups from here on. SQLite reads all users for the members of a group, a second for a million of them: a table
-- that triggers keep made imports several times slower.
SELECT 1;
