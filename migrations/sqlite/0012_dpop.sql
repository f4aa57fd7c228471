-- +goose Up

-- The key that a session's refresh tokens are bound to (RFC 9449 §5), and the one that a code is for (§10): a JWK thumbprint, NULL for
-- none. The previous release ignores the column, and writes rows without one.
ALTER TABLE grants ADD COLUMN dpop_jkt TEXT;
ALTER TABLE authorization_codes ADD COLUMN dpop_jkt TEXT;
