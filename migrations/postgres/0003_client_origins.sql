-- +goose Up

-- The origins of a client's redirect URIs, as browsers write them (RFC 6454 §6.2): in lower case, without the port that the scheme
-- implies; that of a loopback URI has any port, written as *. They are indexed by expression, so that rows that the previous
-- release writes are found too.
-- +goose StatementBegin
CREATE FUNCTION client_origins(metadata jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_agg(coalesce(
        'http://' || substring(uri FROM '^http://(127\.0\.0\.1|\[::1\]|localhost)(?:[:/?]|$)') || ':*',
        regexp_replace(lower(substring(uri FROM '^https://[^/?#]+')), ':443$', '')))
    FROM jsonb_array_elements_text(
        CASE jsonb_typeof(metadata -> 'redirect_uris') WHEN 'array' THEN metadata -> 'redirect_uris' END) AS uri
$$;
-- +goose StatementEnd

CREATE INDEX clients_origins_idx ON clients USING gin (client_origins(metadata)) WITH (fastupdate = off);
