package token

import (
	"net/url"
	"slices"
	"strings"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/server/reasons"
)

// AllowedScopes returns the scopes that a client may ask for.
func AllowedScopes(c *clients.Client) []string {
	scopes := c.Scopes()
	if c.Allows(clients.GrantRefreshToken) && !slices.Contains(scopes, claims.ScopeOffline) {
		scopes = append(slices.Clip(scopes), claims.ScopeOffline)
	}
	return scopes
}

// stillAllowed leaves out of a granted scope what the client may not have any more: fosite would refuse the refresh, and log the user
// out. A client that was registered without any scope may have whatever its user agreed to.
func stillAllowed(c *clients.Client, granted []string) []string {
	if len(c.Scopes()) == 0 {
		return granted
	}
	allowed := AllowedScopes(c)
	return slices.DeleteFunc(slices.Clone(granted), func(scope string) bool { return !slices.Contains(allowed, scope) })
}

// mayBring returns the scopes that may bring what the claims parameter has asked for: those that the client has now, or nil for every one.
func mayBring(c *clients.Client) []string {
	if len(c.Scopes()) == 0 {
		return nil
	}
	return AllowedScopes(c)
}

// AskedResources returns the resources that a request asks for: the parameter resource (RFC 8707 §2), or audience, which applications
// made for Auth0 send instead. The error is a *protocol.Error.
func AskedResources(params url.Values) ([]string, error) {
	resource, audience := params["resource"], strings.Fields(params.Get("audience"))
	switch {
	case len(audience) == 0:
		return resource, nil
	case len(resource) == 0:
		return audience, nil
	}
	within := func(some, all []string) bool {
		return !slices.ContainsFunc(some, func(a string) bool {
			return !slices.ContainsFunc(all, func(b string) bool { return sameResource(a, b) })
		})
	}
	if !within(resource, audience) || !within(audience, resource) {
		return nil, protocol.Refuse("invalid_target", reasons.BadRequest,
			"The parameters resource and audience name different resources: send one of them.")
	}
	return resource, nil
}

// narrowScope returns the scope of the next access token: RFC 6749 §6, never more than was granted.
func narrowScope(granted, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return granted, nil
	}
	for _, scope := range asked {
		if !slices.Contains(granted, scope) {
			return nil, protocol.Refuse("invalid_scope", reasons.BadRequest, "A scope was asked for that the session does not hold.")
		}
	}
	return asked, nil
}

// narrowAudience returns the audience of the next access token: RFC 8707 §2.2, a subset of what was granted, spelt as it was
// granted.
func narrowAudience(granted, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return granted, nil
	}
	var narrowed []string
	for _, resource := range asked {
		at := slices.IndexFunc(granted, func(g string) bool { return sameResource(g, resource) })
		if at < 0 {
			return nil, invalidTarget()
		}
		if !slices.Contains(narrowed, granted[at]) {
			narrowed = append(narrowed, granted[at])
		}
	}
	return narrowed, nil
}

// sameResource reports whether two identifiers mean the same resource.
func sameResource(a, b string) bool {
	return a == b || clients.CanonicalResource(a) == clients.CanonicalResource(b)
}

func invalidTarget() *protocol.Error {
	return protocol.Refuse("invalid_target", reasons.BadRequest, "The client may not ask for this resource.")
}
