package authorize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/clients"
	"latchkey/server/claims"
	"latchkey/server/protocol"
	"latchkey/server/token"
	"latchkey/storage"
)

func (a *Request) checkScope(ctx context.Context) error {
	asked := strings.Fields(a.params.Get("scope"))
	allowed, err := a.service.authorizableScopes(ctx, a.Client)
	if err != nil {
		return err
	}
	if len(asked) == 0 {
		a.Scope = slices.DeleteFunc(slices.Clone(a.Client.Scopes()), func(scope string) bool { // docs/decisions/0005
			return !slices.Contains(allowed, scope)
		})
		if len(a.Scope) == 0 && !a.Client.FirstParty { // the user is asked
			a.Scope, err = a.resourceScopes(ctx)
		}
		if err != nil {
			return err
		}
	}
	refused := ""
	for _, scope := range asked {
		if !slices.Contains(allowed, scope) {
			if a.drops(scope) {
				refused = scope
				continue
			}
			return a.refuse("invalid_scope", "%s", scopeRefused(scope))
		}
		if !slices.Contains(a.Scope, scope) {
			a.Scope = append(a.Scope, scope)
		}
	}
	if len(a.Scope) == 0 && refused != "" {
		return a.refuse("invalid_scope", "%s", scopeRefused(refused))
	}
	a.nonce = a.params.Get("nonce")
	return nil
}

// drops reports whether a scope that the client can't have is left out of the request, not refused (RFC 6749 §3.3 allows both; the
// answer of the token endpoint shows what is left). Agents ask for what they have read somewhere; an operator's client is corrected
// by its operator. offline_access is part of what many libraries ask for by themselves.
func (a *Request) drops(scope string) bool {
	return a.Client.Origin != storage.OriginOperator || scope == claims.ScopeOffline
}

// resourceScopes returns the scopes of the resources that are asked for, or of all of them.
func (a *Request) resourceScopes(ctx context.Context) (scopes []string, err error) {
	all, err := a.service.cfg.Clients.Resources(ctx)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	for _, r := range all {
		if len(a.Resource) == 0 || slices.Contains(a.Resource, r.Identifier) {
			for _, scope := range r.Scopes {
				if !slices.Contains(scopes, scope) {
					scopes = append(scopes, scope)
				}
			}
		}
	}
	return scopes, nil
}

// checkOffered finds the resources that the client may name at the token endpoint, if the request names none: those that have one of the
// scopes asked for, and those that have no scopes, which any scope may be for. A first-party client asks no user.
func (a *Request) checkOffered(ctx context.Context) error {
	if len(a.Resource) > 0 || a.Client.FirstParty {
		return nil
	}
	registered, err := a.service.cfg.Clients.Resources(ctx)
	if err != nil {
		return fmt.Errorf("authorize: %w", err)
	}
	scopes, all := make(map[string][]string), []string{}
	for _, r := range registered {
		scopes[clients.CanonicalResource(r.Identifier)], all = r.Scopes, append(all, r.Identifier)
	}
	if len(a.Client.Policy.Resources) > 0 {
		all = a.Client.Policy.Resources
	}
	for _, identifier := range all {
		of := scopes[clients.CanonicalResource(identifier)]
		asked := slices.ContainsFunc(of, func(scope string) bool { return slices.Contains(a.Scope, scope) })
		if asked {
			a.meant = append(a.meant, identifier)
		}
		if asked || len(of) == 0 {
			a.Offered = append(a.Offered, identifier)
		}
	}
	return nil
}

// scopeRefused names the scope, which is often one of many that a library asks for by itself. What no scope can be (RFC 6749
// §3.3), which an error_description can't hold either, is not repeated.
func scopeRefused(scope string) string {
	odd := strings.ContainsFunc(scope, func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' })
	if odd || len(scope) > 100 {
		return "The client may not ask for one of these scopes."
	}
	return "The client may not ask for the scope " + scope + "."
}

// authorizableScopes returns the scopes that a client may request from a user. A client that was registered without scopes may
// request those of OpenID Connect and of the protected resources, since the user is asked for consent. Of those in a metadata document the
// ones that there are count, as for clients that register themselves.
func (s *Service) authorizableScopes(ctx context.Context, client *clients.Client) ([]string, error) {
	allowed := token.AllowedScopes(client)
	described := client.Origin == storage.OriginDocument
	if len(client.Scopes()) > 0 && !described {
		return allowed, nil
	}
	resources, err := s.cfg.Clients.Resources(ctx)
	if err != nil {
		return nil, fmt.Errorf("authorize: %w", err)
	}
	known := s.cfg.Claims.UserScopes()
	for _, r := range resources {
		known = append(known, r.Scopes...)
	}
	if len(client.Scopes()) == 0 {
		return append(slices.Clip(allowed), known...), nil
	}
	return slices.DeleteFunc(slices.Clone(allowed), func(scope string) bool {
		return scope != claims.ScopeOffline && !slices.Contains(known, scope)
	}), nil
}

func (a *Request) checkResource(ctx context.Context) error {
	asked, err := token.AskedResources(a.params)
	if err == nil {
		asked = slices.Compact(slices.Sorted(slices.Values(asked)))
		a.Resource, err = a.service.cfg.Tokens.AllowResources(ctx, a.Client, asked)
	}
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return a.refuse(refused.Code, "%s", refused.Description)
	}
	return err
}
