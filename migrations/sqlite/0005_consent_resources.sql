-- +goose Up

-- What was allowed at each resource, as a JSON object from the resource ("" for none) to the scopes; it counts only as long as
-- resources_fingerprint is the fingerprint of the row. scope and audience stay the unions that the previous release reads.
ALTER TABLE consents ADD COLUMN resources TEXT CHECK (json_type(resources) = 'object');
ALTER TABLE consents ADD COLUMN resources_fingerprint BLOB CHECK (length(resources_fingerprint) = 32);

-- Of the unions only two kinds say which scope was allowed where: those without a resource, and those of one answer, which
-- have never been added to. Of the others the user is asked again.
UPDATE consents SET resources_fingerprint = fingerprint, resources = (
    SELECT json_group_object(resource.value, json(CASE scope WHEN '' THEN '[]' ELSE '[' || replace(json_quote(scope), ' ', '","') || ']' END))
    FROM json_each('[' || replace(json_quote(audience), ' ', '","') || ']') AS resource
)
WHERE audience = '' OR created_at = updated_at;
