-- +goose Up

-- What a letter brought proves that somebody reads its mailbox: the hash of a link's secret or the MAC of a code. Those of one request
-- are used together. data is sealed.
CREATE TABLE account_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    purpose    TEXT    NOT NULL,
    request_id BLOB    NOT NULL,
    user_id    INTEGER REFERENCES users (id) ON DELETE CASCADE,
    user_epoch INTEGER NOT NULL,
    data       BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX account_tokens_request_id_idx ON account_tokens (request_id);
CREATE INDEX account_tokens_user_id_idx ON account_tokens (user_id);
CREATE INDEX account_tokens_expires_at_idx ON account_tokens (expires_at);
