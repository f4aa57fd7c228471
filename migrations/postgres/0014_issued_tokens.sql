-- +goose Up

-- The refresh tokens that Django would accept on a way back (--simplejwt-blacklist-writeback): empty without that option. ended_at is when
-- a token must be in Django's blacklist; -infinity is at once. Whatever ends a session, of this release or the previous one, ends its tokens
-- here by a trigger in the same transaction.
CREATE TABLE issued_tokens (
    jti        text        COLLATE "C" PRIMARY KEY CHECK (octet_length(jti) BETWEEN 1 AND 512),
    grant_id   uuid        NOT NULL,
    generation bigint      NOT NULL,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);

CREATE INDEX issued_tokens_grant_id_idx ON issued_tokens (grant_id);
CREATE INDEX issued_tokens_expires_at_idx ON issued_tokens (expires_at);
CREATE INDEX issued_tokens_ended_at_idx ON issued_tokens (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX issued_tokens_issued_at_idx ON issued_tokens USING brin (issued_at);

-- +goose StatementBegin
CREATE FUNCTION end_issued_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'users' THEN
        UPDATE issued_tokens SET ended_at = '-infinity' WHERE (ended_at IS NULL OR ended_at > '-infinity') AND grant_id IN (
            SELECT id FROM grants WHERE user_id = OLD.id AND (TG_OP = 'DELETE' OR NOT NEW.active OR user_epoch <> NEW.auth_epoch));
    ELSIF TG_TABLE_NAME = 'clients' THEN
        UPDATE issued_tokens SET ended_at = '-infinity' WHERE (ended_at IS NULL OR ended_at > '-infinity') AND grant_id IN (
            SELECT id FROM grants WHERE client_id = OLD.id AND (TG_OP = 'DELETE' OR client_epoch <> NEW.auth_epoch));
    ELSE
        UPDATE issued_tokens SET ended_at = '-infinity' WHERE (ended_at IS NULL OR ended_at > '-infinity') AND grant_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER end_issued_tokens AFTER UPDATE OF revoked_at ON grants FOR EACH ROW
    WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION end_issued_tokens();
CREATE TRIGGER end_issued_tokens AFTER UPDATE OF auth_epoch, active ON users FOR EACH ROW
    WHEN (OLD.auth_epoch <> NEW.auth_epoch OR OLD.active AND NOT NEW.active) EXECUTE FUNCTION end_issued_tokens();
CREATE TRIGGER end_issued_tokens_removed AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION end_issued_tokens();
CREATE TRIGGER end_issued_tokens AFTER UPDATE OF auth_epoch ON clients FOR EACH ROW
    WHEN (OLD.auth_epoch <> NEW.auth_epoch) EXECUTE FUNCTION end_issued_tokens();
CREATE TRIGGER end_issued_tokens_removed AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION end_issued_tokens();
