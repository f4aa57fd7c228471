package clientauth

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"latchkey/clients"
	"latchkey/server/internal/form"
	"latchkey/server/protocol"
	"latchkey/storage"
)

// headerCredentials are those of the method client_secret_basic.
func headerCredentials(header string, f url.Values) (Credentials, error) {
	readings := parseBasic(header)
	if len(readings) == 0 {
		return Credentials{}, protocol.InvalidClient(protocol.ReasonClient, "The Authorization header must be Basic, with client_id and client_secret encoded as RFC 6749, section 2.3.1 says.")
	}
	// RFC 6749 §2.3: a client must not use more than one method in a request.
	if f.Has("client_secret") {
		return Credentials{}, protocol.InvalidRequest("The client is authenticated in two ways at once.")
	}
	// Naming the client again does no harm; naming another one leaves open who is meant.
	if f.Has("client_id") {
		readings = slices.DeleteFunc(readings, func(r reading) bool { return r.id != f.Get("client_id") })
	}
	if len(readings) == 0 {
		return Credentials{}, protocol.InvalidRequest("The client_id is not the one of the Authorization header.")
	}
	return Credentials{Method: clients.AuthBasic, ID: readings[0].id, Secret: readings[0].secret, otherwise: readings[1:]}, nil
}

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
