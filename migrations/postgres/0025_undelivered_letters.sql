-- +goose Up

-- Letters that were abandoned: refused by the mail server for good, or tried until the end of their time. Nothing of what they said is kept: the
-- row of the outbox is emptied in the same transaction. id is made when a letter is abandoned. A table of its own leaves the outbox and its index as they are.
CREATE TABLE undelivered_letters (
    id          uuid        PRIMARY KEY,
    name        text        COLLATE "C" NOT NULL,
    user_id     bigint      REFERENCES users (id) ON DELETE CASCADE,
    request_id  uuid,
    recipient   text        NOT NULL,
    lang        text        NOT NULL,
    details     jsonb,
    queued_at   timestamptz NOT NULL,
    attempts    bigint      NOT NULL,
    refused     boolean     NOT NULL,
    last_error  text        NOT NULL,
    abandoned_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);

CREATE INDEX undelivered_letters_user_id_idx ON undelivered_letters (user_id);
CREATE INDEX undelivered_letters_expires_at_idx ON undelivered_letters (expires_at);
