-- +goose Up

-- What clients of SCIM have said of a user and users has no column for (title, department, …), as one document. Nothing reads it but SCIM and
-- the export of a user: it must not make the rows longer that logins write.
CREATE TABLE provisioned_users (
    user_id    bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    attributes jsonb  NOT NULL CHECK (jsonb_typeof(attributes) = 'object')
);
