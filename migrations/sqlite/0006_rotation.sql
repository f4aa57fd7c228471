-- +goose Up

-- The default rotation of clients has changed from strict to confirmed (docs/decisions/0012). Clients that were registered before keep the
-- old one. The built-in client follows --simplejwt-rotation, whose default stays.
UPDATE clients SET metadata = json_set(metadata, '$.rotation', 'strict')
WHERE json_type(metadata, '$.rotation') IS NULL AND id <> 'simplejwt';
