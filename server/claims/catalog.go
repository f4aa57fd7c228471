package claims

import (
	"fmt"
	"slices"
	"strings"

	"latchkey/storage"
)

// Catalog is the claims that there are, and the scopes that ask for them. The methods are safe for concurrent use.
type Catalog struct {
	names   []string // in the order of the standard, then of the operator
	entries map[string]*entry
	// own are the operator's scopes, in order.
	own []string
}

// Standard returns the catalog of a server whose operator has configured nothing.
func Standard() *Catalog {
	c, err := New(nil, nil)
	if err != nil {
		panic(err) // there is nothing to be wrong
	}
	return c
}

// New returns the standard catalog with the operator's rules and scopes. The error names the entry that can't be.
func New(rules []Rule, scopes []Scope) (*Catalog, error) {
	c := &Catalog{entries: map[string]*entry{}}
	for _, s := range standard {
		if s.source != "" {
			c.add(s.name, &entry{targets: IDToken | UserInfo, scopes: []string{s.scope}}, s.source)
		}
	}
	for _, r := range rules {
		if err := c.apply(r); err != nil {
			return nil, err
		}
	}
	return c, c.addScopes(scopes)
}

func (c *Catalog) add(name string, e *entry, from string) {
	e.source, _ = parseSource(from)
	if _, replaced := c.entries[name]; !replaced {
		c.names = append(c.names, name)
	}
	c.entries[name] = e
}

// apply adds an operator's rule. One about a standard claim keeps its scope, and is released where standard claims are unless it says where.
func (c *Catalog) apply(r Rule) error {
	if err := r.Check(); err != nil {
		return err
	}
	e := &entry{targets: r.Targets}
	fallback := everywhere
	for _, s := range standard {
		if s.name == r.Claim {
			e.scopes = []string{s.scope}
			if s.scope != ScopeGroups {
				fallback = IDToken | UserInfo
			}
		}
	}
	if e.targets == 0 {
		e.targets = fallback
	}
	c.add(r.Claim, e, r.Source)
	return nil
}

// addScopes lets the operator's scopes bring their claims. A claim of the operator's that one of them brings is released with that scope
// only.
func (c *Catalog) addScopes(scopes []Scope) error {
	for _, s := range scopes {
		if err := s.Check(); err != nil {
			return err
		}
		for _, name := range s.Claims {
			e := c.entries[name]
			if e == nil {
				return &Error{s.Name, fmt.Sprintf("brings %q, which is no claim; there are %s", name, strings.Join(c.names, ", "))}
			}
			if !slices.Contains(e.scopes, s.Name) {
				e.scopes = append(e.scopes, s.Name)
			}
		}
		if !slices.Contains(c.own, s.Name) {
			c.own = append(c.own, s.Name)
		}
	}
	return nil
}

// Scopes returns the scopes that mean the same whatever the protected resource, offline_access last.
func (c *Catalog) Scopes() []string { return append(c.UserScopes(), ScopeOffline) }

// UserScopes returns openid and the scopes that bring claims about the user.
func (c *Catalog) UserScopes() []string {
	scopes := []string{ScopeOpenID}
	add := func(scope string) {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	for _, name := range c.names {
		if e := c.entries[name]; len(e.scopes) > 0 {
			add(e.scopes[0])
		}
	}
	for _, scope := range c.own {
		add(scope)
	}
	return scopes
}

// Names returns sub and the claims that ID tokens and the userinfo endpoint can have, for claims_supported (Discovery §3).
func (c *Catalog) Names() []string { return append([]string{"sub"}, c.In(IDToken|UserInfo)...) }

// In returns the names of the claims that one of the targets can have. Where it is empty the user's profile is not needed.
func (c *Catalog) In(targets Target) []string {
	var names []string
	for _, name := range c.names {
		if c.entries[name].targets&targets != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Of returns the claims about a user that the scopes bring to one target.
func (c *Catalog) Of(u *storage.User, target Target, scopes []string) map[string]any {
	return c.values(u, func(_ string, e *entry) bool { return e.targets&target != 0 && e.grantedBy(scopes) })
}

// All returns the claims about a user that one target can have, whatever the scope.
func (c *Catalog) All(u *storage.User, target Target) map[string]any {
	return c.values(u, func(_ string, e *entry) bool { return e.targets&target != 0 })
}

// Asked returns the claims about a user that the result of Stored asks for at one target, the ID token or userinfo, and that one of the
// allowed scopes brings; nil allows every scope.
func (c *Catalog) Asked(u *storage.User, target Target, stored string, allowed []string) map[string]any {
	r := ParseStored(stored)
	asked := r.IDToken
	if target == UserInfo {
		asked = r.UserInfo
	}
	return c.values(u, func(name string, e *entry) bool {
		_, ok := asked[name]
		return ok && e.targets&target != 0 && (allowed == nil || e.grantedBy(allowed))
	})
}

func (c *Catalog) values(u *storage.User, told func(string, *entry) bool) map[string]any {
	values := map[string]any{}
	p := person{User: u}
	for _, name := range c.names {
		e := c.entries[name]
		if !told(name, e) {
			continue
		}
		if value := shaped(name, e.source.of(&p)); value != nil {
			values[name] = value
		}
	}
	return values
}

// Beyond returns scopes that bring what the result of Stored asks for and the granted scopes don't: for each such claim one of those allowed.
// The user must learn that the client gets it (OpenID Connect Core §3.1.2.4).
func (c *Catalog) Beyond(stored string, granted, allowed []string) (scopes []string) {
	asked := ParseStored(stored)
	for _, name := range c.names {
		e := c.entries[name]
		_, atUserInfo := asked.UserInfo[name]
		_, inIDToken := asked.IDToken[name]
		if !atUserInfo && !inIDToken || e.grantedBy(granted) || e.grantedBy(scopes) {
			continue
		}
		at := slices.IndexFunc(e.scopes, func(s string) bool { return slices.Contains(allowed, s) })
		scopes = append(scopes, e.scopes[at]) // Stored has let it through
	}
	return scopes
}

// Stored returns what is stored with the code and the grant: the names of those claims of a request that the catalog has and that one of
// the allowed scopes asks for. r may be nil.
func (c *Catalog) Stored(r *Request, allowed []string) string {
	if r == nil {
		return ""
	}
	known := func(asked map[string]*RequestedClaim, target Target) map[string]*RequestedClaim {
		names := map[string]*RequestedClaim{}
		for name := range asked {
			if e, ok := c.entries[name]; ok && e.targets&target != 0 && e.grantedBy(allowed) {
				names[name] = nil
			}
		}
		return names
	}
	k := Request{UserInfo: known(r.UserInfo, UserInfo), IDToken: known(r.IDToken, IDToken)}
	if len(k.UserInfo) == 0 && len(k.IDToken) == 0 {
		return ""
	}
	return k.encode()
}
