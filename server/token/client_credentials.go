package token

import (
	"context"

	"latchkey/server/protocol"
	"latchkey/server/reasons"
)

// clientCredentialsGrant is the client credentials grant (RFC 6749 §4.4). Nothing is stored of it.
type clientCredentialsGrant struct{ *exchange }

// load: anyone can register a client, with any scope. Where no user is asked, that must open nothing.
func (g *clientCredentialsGrant) load(ctx context.Context) (err error) {
	g.scope = g.askedScope()
	if g.client.Unverified() {
		if len(g.req.Scope) > 0 || len(g.req.Resource) > 0 {
			return protocol.Refuse("invalid_scope", reasons.BadRequest,
				"The operator has not verified the client: without a user it gets neither scopes nor resources.")
		}
		g.scope = nil
	}
	if len(g.req.Resource) == 0 && g.adminAPI != "" && g.client.Provisions() {
		g.audience = []string{g.adminAPI} // RFC 8707 §2 leaves the default to the server: this token opens nothing elsewhere
		return nil
	}
	g.audience, err = g.AllowResources(ctx, g.client, g.req.Resource)
	return err
}

func (g *clientCredentialsGrant) check(context.Context) error {
	return g.rules.clientCredentials(g.client, g.scope)
}
