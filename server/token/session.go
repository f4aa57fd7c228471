package token

import (
	"strconv"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"
)

// session is what fosite carries along of a token. The truth is in the exchange: every time follows from its policy,
// by the server's clock, so what fosite computes from its own clock is dropped.
type session struct{ x *exchange }

var _ openid.Session = (*session)(nil)

func (*session) SetExpiresAt(fosite.TokenType, time.Time) {}

func (s *session) GetExpiresAt(kind fosite.TokenType) time.Time {
	if kind == fosite.AccessToken {
		return s.x.accessExpiry()
	}
	return time.Time{}
}

func (*session) GetUsername() string { return "" }

// GetSubject is the user's id in decimal: stable when the name changes.
func (s *session) GetSubject() string {
	if g := s.x.grant; g != nil {
		return strconv.FormatInt(g.UserID, 10)
	}
	return s.x.client.ID
}

// SetSubject is called by fosite's password handler; the exchange knows already.
func (*session) SetSubject(string) {}

// IDTokenClaims are looked at for the subject only: see idTokenStrategy.
func (s *session) IDTokenClaims() *jwt.IDTokenClaims {
	return &jwt.IDTokenClaims{Subject: s.GetSubject()}
}

// IDTokenHeaders is not used.
func (*session) IDTokenHeaders() *jwt.Headers { return &jwt.Headers{} }

func (s *session) Clone() fosite.Session { return &session{x: s.x} }
