package clientauth

import (
	"encoding/base64"
	"slices"
	"strings"

	"latchkey/server/internal/form"
	"latchkey/storage"
)

// reading is one way to understand Basic credentials.
type reading struct {
	id     string
	secret storage.Secret
}

// strictBase64 refuses missing and needless padding: a text has one encoding only.
var strictBase64 = base64.StdEncoding.Strict()

// parseBasic returns the readings of Basic credentials (RFC 7617), the likeliest first; none if they are malformed.
//
// RFC 6749 §2.3.1 has both halves form-urlencoded, so that either may hold any character, a colon too. Many libraries leave that out,
// as RFC 7617 does: for them both halves are read as they are. In client ids that are URLs the colon that separates them is then the last.
// There are at most three readings, whatever the header holds.
func parseBasic(header string) []reading {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	encoded = strings.Trim(encoded, " ")
	if strings.ContainsAny(encoded, "\r\n") { // the decoder would skip them
		return nil
	}
	decoded, err := strictBase64.DecodeString(encoded)
	pair := string(decoded)
	if err != nil || !form.IsText(pair) {
		return nil
	}
	var readings []reading
	add := func(id, secret string) {
		if r := (reading{id, storage.Secret(secret)}); id != "" && !slices.Contains(readings, r) {
			readings = append(readings, r)
		}
	}
	rawID, rawSecret, found := strings.Cut(pair, ":")
	if !found {
		return nil
	}
	id, okID := form.Unescape(rawID)
	secret, okSecret := form.Unescape(rawSecret)
	if okID && okSecret {
		add(id, secret)
	}
	add(rawID, rawSecret)
	last := strings.LastIndexByte(pair, ':')
	add(pair[:last], pair[last+1:])
	return readings
}
