-- +goose Up

-- The origins of a client's redirect URIs, as browsers write them (RFC 6454 §6.2): in lower case, without the port that the scheme
-- implies; that of a loopback URI has any port, written as *. Triggers keep them, so that rows that the previous release writes
-- are found too.
CREATE TABLE client_origins (
    origin    TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients ON DELETE CASCADE,
    PRIMARY KEY (origin, client_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX client_origins_client_id_idx ON client_origins (client_id);

CREATE VIEW client_redirect_origins AS
WITH uris AS (
    SELECT clients.id, uri.value AS uri, substr(uri.value, instr(uri.value, '://') + 3) AS rest
    FROM clients, json_each(clients.metadata, '$.redirect_uris') AS uri
    WHERE uri.type = 'text' AND (uri.value LIKE 'https://_%' OR uri.value LIKE 'http://_%')
), hosts AS (
    SELECT id, uri, lower(substr(rest, 1, min(instr(rest || '/', '/'), instr(rest || '?', '?')) - 1)) AS host FROM uris
)
SELECT id, CASE
    WHEN uri LIKE 'https:%' THEN 'https://' || CASE WHEN host LIKE '%:443' THEN substr(host, 1, length(host) - 4) ELSE host END
    WHEN host = '[::1]' OR host LIKE '[::1]:%' THEN 'http://[::1]:*'
    ELSE 'http://' || substr(host, 1, instr(host || ':', ':') - 1) || ':*'
END AS origin
FROM hosts;

INSERT OR IGNORE INTO client_origins (client_id, origin) SELECT id, origin FROM client_redirect_origins;

-- +goose StatementBegin
CREATE TRIGGER clients_origins_insert AFTER INSERT ON clients BEGIN
    INSERT OR IGNORE INTO client_origins (client_id, origin) SELECT id, origin FROM client_redirect_origins WHERE id = NEW.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER clients_origins_update AFTER UPDATE OF metadata ON clients BEGIN
    DELETE FROM client_origins WHERE client_id = NEW.id;
    INSERT OR IGNORE INTO client_origins (client_id, origin) SELECT id, origin FROM client_redirect_origins WHERE id = NEW.id;
END;
-- +goose StatementEnd
