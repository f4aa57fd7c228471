package clients

import (
	"encoding/binary"
	"encoding/json"
	"time"

	"latchkey/storage"
)

// packed is a client as it lies in memory while nobody asks for it: a third of its size otherwise, so that a hundred
// thousand fit. What is unpacked shares its texts.
type packed string

// pack writes a client.
func (c *Client) pack() packed {
	own := *c
	w := codec{packing: true}
	w.client(&own)
	return packed(w.out)
}

// unpack reads what pack wrote; nothing else may be in memory.
func (p packed) unpack() *Client {
	c := &Client{}
	r := codec{in: string(p)}
	r.client(c)
	c.scopes = splitScope(c.Scope)
	return c
}

// id is the client_id, which is the first member.
func (p packed) id() string {
	r := codec{in: string(p)}
	return r.text("")
}

// codec writes or reads: one walk through the members does both, so that the two can't differ.
type codec struct {
	packing bool
	out     []byte
	in      string
}

func (k *codec) client(c *Client) {
	word(k, &c.ID)
	word(k, &c.Origin)
	k.bool(&c.Disabled)
	number(k, &c.AuthEpoch)
	number(k, &c.Version)
	number(k, &c.rotations)
	k.time(&c.CreatedAt)
	k.time(&c.UpdatedAt)
	k.time(&c.ExpiresAt)
	k.digest(&c.secretMAC)
	if optional(k, &c.previous) {
		k.digest(&c.previous.mac)
		k.time(&c.previous.expiresAt)
	}
	k.metadata(&c.Metadata)
	k.policy(&c.Policy)
}

func (k *codec) metadata(m *Metadata) {
	for _, s := range [...]*string{
		&m.ClientName, &m.ClientURI, &m.LogoURI, &m.PolicyURI, &m.TosURI, &m.ApplicationType, &m.Scope, &m.TokenEndpointAuthMethod,
		&m.JWKSURI, &m.SoftwareID, &m.SoftwareVersion, &m.TokenEndpointAuthSigningAlg, &m.IDTokenSignedResponseAlg,
		&m.UserinfoSignedResponseAlg, &m.BackchannelLogoutURI,
	} {
		word(k, s)
	}
	for _, l := range [...]*[]string{&m.Contacts, &m.RedirectURIs, &m.PostLogoutRedirectURIs, &m.GrantTypes, &m.ResponseTypes} {
		k.list(l)
	}
	keys := string(m.JWKS)
	if word(k, &keys); keys != "" {
		m.JWKS = json.RawMessage(keys)
	}
	if optional(k, &m.DefaultMaxAge) {
		number(k, m.DefaultMaxAge)
	}
	for _, b := range [...]*bool{&m.RequireAuthTime, &m.RequirePushedAuthorizationRequests, &m.BackchannelLogoutSessionRequired} {
		k.bool(b)
	}
}

func (k *codec) policy(p *Policy) {
	word(k, &p.Rotation)
	word(k, &p.OnReuse)
	word(k, &p.AccessTokenFormat)
	word(k, &p.AccessTokenSigningAlg)
	for _, d := range [...]*Duration{&p.AccessTokenTTL, &p.RefreshTokenTTL, &p.RefreshTokenIdleTTL} {
		number(k, d)
	}
	if optional(k, &p.RotationOverlap) {
		number(k, p.RotationOverlap)
	}
	k.list(&p.Resources)
	for _, b := range [...]*bool{&p.IntrospectAll, &p.FirstParty, &p.Verified} {
		k.bool(b)
	}
}

// commonTexts are written as one byte.
var commonTexts = [...]string{
	string(storage.OriginOperator), string(storage.OriginRegistration), string(storage.OriginDocument),
	applicationWeb, applicationNative, AuthBasic, AuthPost, AuthNone, AuthPrivateKeyJWT, responseTypeCode,
	GrantAuthorizationCode, GrantRefreshToken, GrantClientCredentials, GrantPassword,
	algRS256, algES256, algEdDSA, algPS256,
}

// text writes s, or reads one. A length is written with the number of the common texts added.
func (k *codec) text(s string) string {
	if k.packing {
		for i, common := range commonTexts {
			if s == common {
				k.out = append(k.out, byte(i))
				return s
			}
		}
		k.out = binary.AppendUvarint(k.out, uint64(len(commonTexts)+len(s)))
		k.out = append(k.out, s...)
		return s
	}
	n := int(k.uvarint())
	if n < len(commonTexts) {
		return commonTexts[n]
	}
	n -= len(commonTexts)
	s, k.in = k.in[:n], k.in[n:]
	return s
}

func word[T ~string](k *codec, s *T) { *s = T(k.text(string(*s))) }

func number[T ~int64 | ~uint64](k *codec, n *T) {
	if k.packing {
		k.out = binary.AppendVarint(k.out, int64(*n))
		return
	}
	u := k.uvarint()
	*n = T(int64(u>>1) ^ -int64(u&1))
}

func (k *codec) uvarint() (n uint64) {
	for shift := 0; ; shift += 7 {
		b := k.in[0]
		k.in = k.in[1:]
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
}

func (k *codec) bool(b *bool) {
	var n int64
	if *b {
		n = 1
	}
	number(k, &n)
	*b = n == 1
}

// time is in microseconds, as databases keep it.
func (k *codec) time(t *time.Time) {
	var micros int64
	if !t.IsZero() {
		micros = t.UnixMicro()
	}
	if number(k, &micros); micros != 0 {
		*t = time.UnixMicro(micros).UTC()
	}
}

func (k *codec) digest(d *storage.Digest) {
	bytes := ""
	if !d.IsZero() {
		bytes = string(d[:])
	}
	word(k, &bytes)
	copy(d[:], bytes)
}

func (k *codec) list(l *[]string) {
	n := int64(len(*l))
	if number(k, &n); !k.packing && n > 0 {
		*l = make([]string, n)
	}
	for i := range *l {
		word(k, &(*l)[i])
	}
}

// optional reports whether there is something, and makes the place for it when it is read.
func optional[T any](k *codec, p **T) bool {
	there := *p != nil
	if k.bool(&there); there && *p == nil {
		*p = new(T)
	}
	return there
}
