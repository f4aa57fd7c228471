-- +goose Up

-- The key that a session's refresh tokens are bound to (RFC 9449 §5), and the one that a code is for (§10): a JWK thumbprint, NULL for
-- none. No index has the column. The previous release ignores it, and writes rows without one.
ALTER TABLE grants ADD COLUMN dpop_jkt text;
ALTER TABLE authorization_codes ADD COLUMN dpop_jkt text;
