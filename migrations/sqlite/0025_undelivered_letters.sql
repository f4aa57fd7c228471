-- +goose Up

-- Letters that were abandoned: refused by the mail server for good, or tried until the end of their time. Nothing of what they said is kept: the
-- row of the outbox is emptied in the same transaction. id is made when a letter is abandoned. A table of its own leaves the outbox and its index as they are.
CREATE TABLE undelivered_letters (
    id          BLOB    NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    user_id     INTEGER REFERENCES users (id) ON DELETE CASCADE,
    request_id  BLOB,
    recipient   TEXT    NOT NULL,
    lang        TEXT    NOT NULL,
    details     TEXT,
    queued_at   INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    last_error  TEXT    NOT NULL,
    abandoned_at INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX undelivered_letters_user_id_idx ON undelivered_letters (user_id);
CREATE INDEX undelivered_letters_expires_at_idx ON undelivered_letters (expires_at);
