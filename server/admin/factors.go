package admin

import (
	"context"
	"net/http"

	wire "latchkey/admin"
	"latchkey/server/factors"
	"latchkey/storage"
)

// factorRoutes declares the operations on the second factors of users. An operator adds none: a factor is proved by the person who holds it.
func (a *API) factorRoutes() {
	const all = "/users/{id}/factors"
	register(a, op("show-factors", http.MethodGet, all, scopeUsersRead, "Show the second factors of a user, without their secrets", http.StatusNotFound), a.showFactors)
	remove := op("remove-factor", http.MethodDelete, all+"/{factor_id}", scopeUsersWrite,
		"Remove a factor of a user, or forget a browser; unless it is a browser, the user's sessions end", http.StatusNotFound, http.StatusConflict)
	register(a, remove, a.removeFactor)
	reset := op("reset-factors", http.MethodDelete, all, scopeUsersWrite,
		"Remove all factors of a user, recovery codes and remembered browsers too, and end their sessions", http.StatusNotFound, http.StatusConflict)
	register(a, reset, a.resetFactors)
}

// FactorPath is the parameter that names a factor.
type FactorPath struct {
	UserPath
	FactorID string `path:"factor_id" format:"uuid" doc:"The id of the factor."`
}

type shownFactors struct{ Body wire.Factors }

// factors returns the factors of a user.
func (a *API) factors(ctx context.Context, userID int64) (*factors.Set, error) {
	u, err := a.user(ctx, userID)
	if err != nil {
		return nil, err
	}
	return a.Factors.Of(ctx, u)
}

func (a *API) showFactors(ctx context.Context, in *struct{ UserPath }) (*shownFactors, error) {
	set, err := a.factors(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &shownFactors{set.Describe()}, nil
}

func (a *API) removeFactor(ctx context.Context, in *struct {
	FactorPath
	Confirmed
	Trial
},
) (*shownFactors, error) {
	set, err := a.factors(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	id, err := storage.ParseID(in.FactorID)
	f := set.Find(id)
	if err != nil || f == nil {
		return nil, errNotFound("factor")
	}
	if f.Kind.Second() {
		if _, err := in.Confirmed.check(ctx, a, storage.GrantFilter{UserID: in.ID}); err != nil {
			return nil, err
		}
	}
	if !in.DryRun {
		if _, err := a.Factors.Remove(ctx, "operator", set, id); err != nil {
			return nil, orNotFound(err, "factor")
		}
	}
	return a.showFactors(ctx, &struct{ UserPath }{in.UserPath})
}

func (a *API) resetFactors(ctx context.Context, in *struct {
	UserPath
	Confirmed
	Trial
},
) (*shownFactors, error) {
	set, err := a.factors(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !set.Any() && len(set.Recovery)+len(set.Browsers) == 0 {
		return &shownFactors{set.Describe()}, nil // nothing is removed, and nothing ends
	}
	if _, err := in.Confirmed.check(ctx, a, storage.GrantFilter{UserID: in.ID}); err != nil {
		return nil, err
	}
	if in.DryRun {
		return &shownFactors{set.Describe()}, nil
	}
	if err := a.Factors.Reset(ctx, in.ID); err != nil && !isNotFound(err) {
		return nil, err
	}
	return a.showFactors(ctx, &struct{ UserPath }{in.UserPath})
}
