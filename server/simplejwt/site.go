package simplejwt

import (
	"context"
	"fmt"
	"slices"

	"latchkey/server/internal/pyjson"
	"latchkey/server/simplejwt/codec"
	"latchkey/server/token"
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

// Asks reports whether the tokens of this format have claims of the site's own.
func (f *Format) Asks() bool { return f.settings.Query != nil || f.settings.Hook != nil }

// Ask implements [token.Asking]. What fails is an outage: with claims that are missing or old a right that was withdrawn would live on, and a
// client that is asked to come back later keeps its session.
func (f *Format) Ask(ctx context.Context, subject string, login bool) (any, error) {
	t := &siteAnswer{}
	if q := f.settings.Query; q != nil {
		row, err := q.Row(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("claims of the site: %w", err)
		}
		if row == "" {
			for _, name := range q.Columns() {
				t.claims = append(t.claims, codec.NoClaim(name))
			}
		} else {
			v, err := pyjson.Decode(row, pyjson.Options{})
			d, ok := v.(*pyjson.Dict)
			if err != nil || !ok {
				return nil, fmt.Errorf("claims of the site: %w: no JSON object", storage.ErrUnavailable)
			}
			t.add(d)
		}
	}
	if h := f.settings.Hook; h != nil && login {
		claims, answer, err := h.Login(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("hook of the site: %w", err)
		}
		t.add(claims)
		t.answer = answer.Members()
	}
	return t, nil
}

// site returns what the site says for a token that is written.
func site(c *token.Content) *siteAnswer {
	if t, ok := c.Site.(*siteAnswer); ok {
		return t
	}
	return &siteAnswer{}
}

// Fields returns what the site wants in the answer of a login: the claims that are named in the settings, and the fields of its hook. The
// tokens are not for it to set.
func (f *Format) Fields(resp *token.Response) []pyjson.Member {
	t, _ := resp.Site.(*siteAnswer)
	if t == nil {
		t = &siteAnswer{}
	}
	var fields []pyjson.Member
	if len(f.settings.AnswerClaims) > 0 && resp.User != nil {
		for _, c := range append(f.userClaims(resp.User), t.claims...) {
			if v, err := pyjson.Decode(c.Value, pyjson.Options{}); err == nil && slices.Contains(f.settings.AnswerClaims, c.Name) {
				fields = append(fields, pyjson.Member{Key: c.Name, Value: v})
			}
		}
	}
	return slices.DeleteFunc(append(fields, t.answer...), func(m pyjson.Member) bool {
		return m.Key == "access" || m.Key == "refresh" || m.Key == "token"
	})
}
