-- +goose Up

-- What was allowed at each resource, as a JSON object from the resource ("" for none) to the scopes; it counts only as long as
-- resources_fingerprint is the fingerprint of the row. scope and audience stay the unions that the previous release reads.
ALTER TABLE consents
    ADD COLUMN resources             jsonb CHECK (jsonb_typeof(resources) = 'object'),
    ADD COLUMN resources_fingerprint bytea CHECK (octet_length(resources_fingerprint) = 32);

-- Of the unions only two kinds say which scope was allowed where: those without a resource, and those of one answer, which
-- have never been added to. Of the others the user is asked again.
UPDATE consents SET resources_fingerprint = fingerprint, resources = CASE audience
    WHEN '' THEN jsonb_build_object('', to_jsonb(string_to_array(scope, ' ')))
    ELSE (SELECT jsonb_object_agg(resource, to_jsonb(string_to_array(scope, ' '))) FROM string_to_table(audience, ' ') AS resource)
END
WHERE audience = '' OR created_at = updated_at;
