package simplejwt

import (
	"context"
	"fmt"

	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/codec"
	"latchkey/storage"
)

// Query is a query of the site's own about a user.
type Query interface {
	// Columns returns the names of the claims.
	Columns() []string
	// Row returns a JSON object with the columns of a user, or "" for none. The error is an outage.
	Row(ctx context.Context, subject string) (string, error)
}

// Hook asks the site at a login for more claims of a user, and for more fields of the answer, both JSON objects. The error is an outage.
type Hook interface {
	Login(ctx context.Context, subject string) (claims, answer *pyjson.Dict, err error)
}

// siteAnswer is what the site says about a user.
type siteAnswer struct {
	claims []codec.Claim
	answer []pyjson.Member
}

// add adds the members of an object as claims.
func (t *siteAnswer) add(d *pyjson.Dict) {
	for _, m := range d.Members() {
		t.claims = append(t.claims, codec.Claim{Name: m.Key, Value: string(pyjson.Append(nil, m.Value))})
	}
}

// askSite asks the query and the hook, of which either may be nil, about a user. What fails is an outage: with claims that are missing or
// old, a right that was withdrawn would live on, and a client that is asked to come back later keeps its session.
func askSite(ctx context.Context, q Query, h Hook, subject string) (*siteAnswer, error) {
	t := &siteAnswer{}
	if q != nil {
		row, err := q.Row(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("claims of the site: %w", err)
		}
		if row == "" {
			for _, name := range q.Columns() {
				t.claims = append(t.claims, codec.NoClaim(name))
			}
		} else {
			d, ok := pyjson.DecodeDict(row, pyjson.Options{})
			if !ok {
				return nil, fmt.Errorf("claims of the site: %w: no JSON object", storage.ErrUnavailable)
			}
			t.add(d)
		}
	}
	if h != nil {
		claims, answer, err := h.Login(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("hook of the site: %w", err)
		}
		t.add(claims)
		t.answer = answer.Members()
	}
	return t, nil
}

// siteOf returns what Ask said, for a token that is written or its answer: a token's Content and Response pass it on.
func siteOf(said any) *siteAnswer {
	if t, ok := said.(*siteAnswer); ok && t != nil {
		return t
	}
	return &siteAnswer{}
}
