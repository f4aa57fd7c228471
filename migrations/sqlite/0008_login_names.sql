-- +goose Up

-- For logins by e-mail address (login-names) and without regard to case (login-case). lower() folds ASCII letters here.
CREATE INDEX users_email_idx ON users (email);
CREATE INDEX users_username_lower_idx ON users (lower(username));
CREATE INDEX users_email_lower_idx ON users (lower(email));
