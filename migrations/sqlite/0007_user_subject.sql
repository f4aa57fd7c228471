-- +goose Up

-- The user's id as tokens carry it. NULL stands for the decimal text of the ID, so that rows that the previous release writes have
-- a subject too; the unique index compares what is meant, not what is stored.
ALTER TABLE users ADD COLUMN subject TEXT CHECK (octet_length(subject) BETWEEN 1 AND 255);

CREATE UNIQUE INDEX users_subject_idx ON users (coalesce(subject, CAST(id AS TEXT)));

-- A notice outlives its user. NULL, from the previous release, stands for the decimal text of the user's ID.
ALTER TABLE logout_notices ADD COLUMN subject TEXT;

-- IDs are drawn from 2^40 on, so that none is one that Django draws next. A given ID from 2^52 on may have moved the sequence so far
-- that nothing was left to draw.
INSERT INTO sqlite_sequence (name, seq) SELECT 'users', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'users');

UPDATE sqlite_sequence SET seq = max(1099511627775, CASE
    WHEN seq < 4503599627370496 THEN seq
    ELSE coalesce((SELECT max(id) FROM users WHERE id < 4503599627370496), 0)
END) WHERE name = 'users';
