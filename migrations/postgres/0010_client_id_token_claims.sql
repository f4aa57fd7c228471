-- +goose Up

-- Clients that were registered before ID tokens had the claims of the granted scopes go on without them there, until an operator turns
-- id_token_claims on. The previous release ignores the member.
UPDATE clients SET metadata = metadata || '{"id_token_claims": false}' WHERE id <> 'simplejwt';
