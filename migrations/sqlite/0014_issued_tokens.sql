-- +goose Up

-- The refresh tokens that Django would accept on a way back (--simplejwt-blacklist-writeback): empty without that option. ended_at is when
-- a token must be in Django's blacklist; 0 is at once. Whatever ends a session, of this release or the previous one, ends its tokens here by
-- a trigger in the same transaction.
CREATE TABLE issued_tokens (
    jti        TEXT    NOT NULL PRIMARY KEY CHECK (length(CAST(jti AS BLOB)) BETWEEN 1 AND 512),
    grant_id   BLOB    NOT NULL,
    generation INTEGER NOT NULL,
    issued_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;

CREATE INDEX issued_tokens_grant_id_idx ON issued_tokens (grant_id);
CREATE INDEX issued_tokens_expires_at_idx ON issued_tokens (expires_at);
CREATE INDEX issued_tokens_ended_at_idx ON issued_tokens (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX issued_tokens_issued_at_idx ON issued_tokens (issued_at);

-- +goose StatementBegin
CREATE TRIGGER end_issued_tokens_grant AFTER UPDATE OF revoked_at ON grants WHEN OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL BEGIN
    UPDATE issued_tokens SET ended_at = 0 WHERE grant_id = OLD.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER end_issued_tokens_user AFTER UPDATE OF auth_epoch, active ON users
WHEN OLD.auth_epoch <> NEW.auth_epoch OR OLD.active AND NOT NEW.active BEGIN
    UPDATE issued_tokens SET ended_at = 0
    WHERE grant_id IN (SELECT id FROM grants WHERE user_id = OLD.id AND (NOT NEW.active OR user_epoch <> NEW.auth_epoch));
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER end_issued_tokens_user_removed AFTER DELETE ON users BEGIN
    UPDATE issued_tokens SET ended_at = 0 WHERE grant_id IN (SELECT id FROM grants WHERE user_id = OLD.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER end_issued_tokens_client AFTER UPDATE OF auth_epoch ON clients WHEN OLD.auth_epoch <> NEW.auth_epoch BEGIN
    UPDATE issued_tokens SET ended_at = 0 WHERE grant_id IN (SELECT id FROM grants WHERE client_id = OLD.id AND client_epoch <> NEW.auth_epoch);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER end_issued_tokens_client_removed AFTER DELETE ON clients BEGIN
    UPDATE issued_tokens SET ended_at = 0 WHERE grant_id IN (SELECT id FROM grants WHERE client_id = OLD.id);
END;
-- +goose StatementEnd
