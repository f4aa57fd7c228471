package directory

// shape is what the table looks like.
type shape struct {
	key       keyKind
	keyType   string            // the database's
	collation string            // of the key, in Postgres
	types     map[string]string // of the columns
}
