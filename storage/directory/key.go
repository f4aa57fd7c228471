package directory

import (
	"regexp"
	"strconv"
	"strings"

	"latchkey/storage"
)

// keyKind is how the key of the table is compared: in its own type, so that its index serves.
type keyKind string

const (
	keyInteger keyKind = "integer"
	keyUUID    keyKind = "uuid"
	keyHex     keyKind = "uuid in 32 hexadecimal digits" // Django on MySQL and SQLite
	keyText    keyKind = "text"
)

var canonicalUUID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// argument returns the parameter that finds the subject of a token; ok is false if no key of this kind is written like that.
func (k keyKind) argument(subject string) (value any, ok bool) {
	switch k {
	case keyInteger:
		id, err := strconv.ParseInt(subject, 10, 64)
		return id, err == nil && id > 0 && strconv.FormatInt(id, 10) == subject
	case keyUUID:
		return subject, canonicalUUID.MatchString(subject)
	case keyHex:
		return strings.ReplaceAll(subject, "-", ""), canonicalUUID.MatchString(subject)
	}
	return subject, usable(subject)
}

// comparison returns the parameter as the type of the key.
func (k keyKind) comparison(d Dialect, n int) string {
	switch {
	case d != Postgres:
	case k == keyInteger:
		return d.parameter(n) + "::bigint"
	case k == keyUUID:
		return d.parameter(n) + "::uuid"
	}
	return d.parameter(n)
}

// subject returns a key as tokens carry it; ok is false for one that they can't carry.
func (k keyKind) subject(key string) (subject string, ok bool) {
	if k == keyHex && len(key) == 32 {
		key = strings.ToLower(key)
		key = key[:8] + "-" + key[8:12] + "-" + key[12:16] + "-" + key[16:20] + "-" + key[20:]
	}
	_, ok = k.argument(key)
	return key, ok
}

// usable reports whether a text can be the subject of a user: OpenID Connect Core §2, and RFC 9700 §4.15 for what the sub of a client
// looks like.
func usable(subject string) bool {
	outside := func(r rune) bool { return r < ' ' || r > '~' }
	return subject != "" && len(subject) <= 255 && !strings.ContainsFunc(subject, outside) && strings.TrimSpace(subject) == subject &&
		!strings.HasPrefix(subject, "client:") && !strings.HasPrefix(subject, "https://")
}

// identify sets the ID and the subject of a user by the key: an integer is the ID.
func identify(u *storage.User, subject string) {
	u.ID, u.Subject = 0, subject
	if id, err := strconv.ParseInt(subject, 10, 64); err == nil && id > 0 && strconv.FormatInt(id, 10) == subject {
		u.ID, u.Subject = id, ""
	}
}
