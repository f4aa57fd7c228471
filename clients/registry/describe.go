package registry

import (
	"encoding/json"
	"time"

	"latchkey/admin"
	"latchkey/storage"
)

// DescribeResource returns what operators see of a protected resource.
func DescribeResource(r *storage.Resource) admin.Resource {
	return admin.Resource{Resource: r.Identifier, Name: r.Name, Scope: append([]string{}, r.Scopes...), CreatedAt: r.CreatedAt}
}

// DescribeToken returns what operators see of an initial access token.
func DescribeToken(t *storage.RegistrationToken, now time.Time) admin.RegistrationToken {
	shown := admin.RegistrationToken{
		ID: t.ID.String(), Name: t.Name, Policy: t.Policy, State: "good", CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
	}
	if len(shown.Policy) == 0 {
		shown.Policy = json.RawMessage("{}")
	}
	if t.Uses >= 0 {
		shown.Uses = &t.Uses
	}
	switch {
	case !now.Before(t.ExpiresAt):
		shown.State = "expired"
	case t.Uses == 0:
		shown.State = "used up"
	}
	return shown
}
