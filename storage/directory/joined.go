package directory

import "strings"

// Joined returns a query in Postgres that has the columns of Latchkey's users with the state of their accounts, for use in Latchkey's own
// statements. The hash that was verified last must be the account's: otherwise the epoch is the next one, which no session has.
func (s *Source) Joined() string {
	shape := s.shape.Load()
	hash := s.textField("password")
	columns := []string{
		"u.id", "u.subject",
		s.textField("username") + " AS username", s.textField("email") + " AS email",
		hash + " AS password_hash",
		s.boolField("is_active", true) + " AS active", s.boolField("is_staff", false) + " AS staff",
		"CASE WHEN " + hash + " = u.password_hash THEN u.auth_epoch ELSE u.auth_epoch + 1 END AS auth_epoch",
		"u.created_at", s.timeField("last_login") + " AS last_login",
		"u.email_verified AND u.email = " + s.textField("email") + " OR " + s.verified() + " AS email_verified",
		"btrim(" + s.textField("first_name") + " || ' ' || " + s.textField("last_name") + ") AS name",
		s.textField("first_name") + " AS given_name", s.textField("last_name") + " AS family_name",
		"u.picture", "u.locale", "u.zoneinfo", "(" + s.groups() + ")::jsonb AS groups", "u.attributes", "u.updated_at",
	}
	return `SELECT ` + strings.Join(columns, ", ") + ` FROM users u JOIN ` + s.dialect.quote(s.table.Name) + ` d ON ` + shape.joins(s.key())
}

// joins returns the condition that a key is that of the user u. The key is compared in its own type, so that its index serves.
func (s *shape) joins(key string) string {
	switch s.key {
	case keyInteger:
		return `u.subject IS NULL AND ` + key + ` = u.id`
	case keyUUID:
		return key + ` = CASE WHEN u.subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN u.subject::uuid END`
	}
	own := `coalesce(u.subject, u.id::text COLLATE "C")`
	switch {
	case s.collation == "":
		return key + ` = ` + own
	case s.keyType == "citext":
		return key + ` = (` + own + `)::citext AND ` + key + `::text = ` + own
	}
	return key + ` = (` + own + `) COLLATE ` + s.collation
}
