package simplejwt

import (
	"slices"

	"latchkey/server/internal/pyjson"
	"latchkey/server/token"
)

// Fields returns what the site wants in the answer of a login: the claims that are named in the settings, and the fields of its hook. The
// tokens are not for it to set.
func (f *Format) Fields(resp *token.Response) []pyjson.Member {
	t := siteOf(resp.Site)
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
