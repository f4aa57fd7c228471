-- +goose Up

-- The issuer of a server: two that run on one database must have the same. It is empty for servers of earlier releases.
ALTER TABLE replicas ADD COLUMN issuer text NOT NULL DEFAULT '';
