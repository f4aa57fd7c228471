package login_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"latchkey/server"
	"latchkey/server/servertest"
)

// The flags of authenticator data (Web Authentication §6.1).
const (
	present  = 1
	verified = 4
	attested = 64
)

// authenticator has one passkey. The library's own structures and keys make the good answers; a test changes fields for the bad ones.
type authenticator struct {
	key        *ecdsa.PrivateKey
	id, handle []byte
	// origin and rpID are those of the page, as the browser sees it.
	origin, rpID string
	flags        byte
	counter      uint32
	// kind is the kind of ceremony that the answer states, challenge what it answers; empty for the right ones.
	kind, challenge string
	crossOrigin     bool
}

func newAuthenticator(t *testing.T, s *servertest.Server) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authenticator{key: key, id: make([]byte, 32), origin: s.URL, rpID: "localhost", flags: present | verified, counter: 7}
	rand.Read(a.id)
	return a
}

// but returns a copy with a change.
func (a *authenticator) but(change func(*authenticator)) *authenticator {
	other := *a
	change(&other)
	return &other
}

// question is what a page asks.
type question struct {
	Challenge string
	User      struct{ ID string }
	RPID      string
	RP        struct{ ID string }
	// AllowCredentials is empty if any passkey may answer.
	AllowCredentials []struct{ ID string }
	UserVerification string
}

var optionsText = regexp.MustCompile(`data-options="([^"]*)"`)

// ask reads the question of a page, and its form.
func ask(t *testing.T, page *servertest.Page) (q question, form *servertest.PageForm) {
	t.Helper()
	found := optionsText.FindStringSubmatch(page.Body)
	if found == nil {
		t.Fatalf("no question at %s (%d): %s", page.URL, page.Status, page.Body)
	}
	if err := json.Unmarshal([]byte(html.UnescapeString(found[1])), &q); err != nil {
		t.Fatal(err)
	}
	return q, page.FormWith("answer")
}

var b64 = base64.RawURLEncoding.EncodeToString

// answer is the text that the page's script sends.
func (a *authenticator) answer(response map[string]any) string {
	text, err := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}})
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (a *authenticator) client(kind, challenge string) []byte {
	if a.kind != "" {
		kind = a.kind
	}
	if a.challenge != "" {
		challenge = a.challenge
	}
	text, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": a.crossOrigin})
	if err != nil {
		panic(err)
	}
	return text
}

func (a *authenticator) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.rpID))
	return binary.BigEndian.AppendUint32(append(hash[:], a.flags|flags), a.counter)
}

// create makes the passkey that a page asks for (§6.5.4), without attestation.
func (a *authenticator) create(t *testing.T, q question) string {
	t.Helper()
	handle, err := base64.RawURLEncoding.DecodeString(q.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	a.handle = handle
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	key, err := webauthncbor.Marshal(webauthncose.EC2PublicKeyData{
		PublicKeyData: webauthncose.PublicKeyData{KeyType: int64(webauthncose.EllipticKey), Algorithm: int64(webauthncose.AlgES256)},
		Curve:         int64(webauthncose.P256), XCoord: point[1:33], YCoord: point[33:],
	})
	if err != nil {
		t.Fatal(err)
	}
	data := append(a.data(attested), make([]byte, 16)...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": slices.Concat(data, a.id, key)})
	if err != nil {
		t.Fatal(err)
	}
	return a.answer(map[string]any{"clientDataJSON": b64(a.client("webauthn.create", q.Challenge)), "attestationObject": b64(object)})
}

// get signs what a page asks for (§6.3.3). The counter goes on, unless it is 0: passkeys that are synced have none.
func (a *authenticator) get(t *testing.T, q question) string {
	t.Helper()
	if a.counter != 0 {
		a.counter++
	}
	client, data := a.client("webauthn.get", q.Challenge), a.data(0)
	hash := sha256.Sum256(client)
	signed := sha256.Sum256(slices.Concat(data, hash[:]))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, signed[:])
	if err != nil {
		t.Fatal(err)
	}
	return a.answer(map[string]any{
		"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(a.handle),
	})
}

// local gives a server an issuer on localhost: an address can't be a relying party.
func local(c *server.Config) { c.Issuer = localhost(c.Issuer) }

func localhost(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

// relyingParty starts a server that can have passkeys.
func relyingParty(t *testing.T, options ...servertest.Option) *servertest.Server {
	t.Helper()
	s := servertest.New(t, append(options, servertest.Configure(local))...)
	s.URL = localhost(s.URL)
	return s
}

// addPasskey adds a passkey for a user, in a browser of their own.
func addPasskey(t *testing.T, s *servertest.Server, username, password string, change ...func(*authenticator)) *authenticator {
	t.Helper()
	a := newAuthenticator(t, s)
	for _, c := range change {
		c(a)
	}
	page := s.Browser().Get("/account/security").Form("/login").Set("username", username, "password", password).Submit()
	q, form := ask(t, page)
	page = form.Set("answer", a.create(t, q), "name", "Laptop").Submit()
	if len(recoveryText.FindAllString(page.Body, -1)) != 10 {
		t.Fatalf("the passkey was not added: %d %s", page.Status, page.Body)
	}
	return a
}
