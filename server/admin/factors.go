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
	register(a, op("remove-factor", http.MethodDelete, all+"/{factor_id}", scopeUsersWrite,
		"Remove a factor of a user, or forget a browser; unless it is a browser, the user's sessions end", http.StatusNotFound, http.StatusConflict), a.removeFactor)
	register(a, op("reset-factors", http.MethodDelete, all, scopeUsersWrite,
		"Remove all factors of a user, recovery codes and remembered browsers too, and end their sessions", http.StatusNotFound, http.StatusConflict), a.resetFactors)
}

// FactorPath is the parameter that names a factor.
type FactorPath struct {
	UserPath
	FactorID string `path:"factor_id" format:"uuid" doc:"The id of the factor."`
}

type shownFactors = shown[wire.Factors]

func answerFactors(set *factors.Set, err error) (*shownFactors, error) {
	if err != nil {
		return nil, err
	}
	return &shownFactors{set.Describe()}, nil
}

// factors returns the factors of a user.
func (a *API) factors(ctx context.Context, userID int64) (*factors.Set, error) {
	u, err := a.user(ctx, userID)
	if err != nil {
		return nil, err
	}
	return a.Factors.Of(ctx, u)
}

func (a *API) showFactors(ctx context.Context, in *struct{ UserPath }) (*shownFactors, error) {
	return answerFactors(a.factors(ctx, in.ID))
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
	return answerFactors(a.factors(ctx, in.ID))
}

func (a *API) resetFactors(ctx context.Context, in *struct {
	UserPath
	Confirmed
	Trial
},
) (*shownFactors, error) {
	set, err := a.factors(ctx, in.ID)
	if err != nil || !set.Any() && len(set.Recovery)+len(set.Browsers) == 0 {
		return answerFactors(set, err) // where there are none, nothing is removed, and nothing ends
	}
	if _, err := in.Confirmed.check(ctx, a, storage.GrantFilter{UserID: in.ID}); err != nil || in.DryRun {
		return answerFactors(set, err)
	}
	if err := a.Factors.Reset(ctx, in.ID); err != nil && !isNotFound(err) {
		return nil, err
	}
	return answerFactors(a.factors(ctx, in.ID))
}
