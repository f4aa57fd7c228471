-- +goose Up

-- With --users-from django: whether a user's account was seen in Django's table, and since when it is missing there. Whose account is missing for long is
-- removed here; who never had one there is a user of this database's own, and stays.
ALTER TABLE users ADD account_seen INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD absent_since INTEGER;
