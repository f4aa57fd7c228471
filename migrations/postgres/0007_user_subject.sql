-- +goose Up

-- The user's id as tokens carry it. NULL stands for the decimal text of the ID, so that rows that the previous release writes have
-- a subject too; the unique index compares what is meant, not what is stored.
ALTER TABLE users ADD COLUMN subject text COLLATE "C" CHECK (octet_length(subject) BETWEEN 1 AND 255);

CREATE UNIQUE INDEX users_subject_idx ON users ((coalesce(subject, id::text COLLATE "C")));

-- A notice outlives its user. NULL, from the previous release, stands for the decimal text of the user's ID.
ALTER TABLE logout_notices ADD COLUMN subject text;

-- IDs are drawn from 2^40 on, so that none is one that Django draws next. A given ID from 2^52 on may have moved the sequence so far
-- that nothing was left to draw.
SELECT setval('users_id_seq', greatest(1099511627775, CASE
    WHEN last_value < 4503599627370496 THEN last_value
    ELSE (SELECT max(id) FROM users WHERE id < 4503599627370496)
END)) FROM users_id_seq;
