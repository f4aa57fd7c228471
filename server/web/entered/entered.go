// Package entered reads what people enter into the forms of pages, and says how a page shows that it was refused.
package entered

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"time"

	"latchkey/server/factors"
	"latchkey/server/proof"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/server/web"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

// The fields of a form with a new password.
const (
	FieldNew   = "new_password"
	FieldAgain = "new_password_again"
)

var errMismatch = errors.New("the two passwords differ")

// NewPassword returns the password that a form has twice. Refused knows its error.
func NewPassword(form url.Values) (storage.Secret, error) {
	if form.Get(FieldNew) != form.Get(FieldAgain) {
		return "", errMismatch
	}
	return storage.Secret(form.Get(FieldNew)), nil
}

// refusals are the errors that say nothing more than which they are.
var refusals = []struct {
	err     error
	status  int
	problem outcome.Problem
}{
	{users.ErrCredentials, http.StatusUnauthorized, outcome.Credentials},
	{errMismatch, http.StatusBadRequest, outcome.Mismatch},
	{users.ErrWeakPassword, http.StatusBadRequest, outcome.WeakPassword},
	{storage.ErrExists, http.StatusConflict, outcome.Taken},
	{proof.ErrGone, http.StatusBadRequest, outcome.WrongLetterCode},
	{factors.ErrWrong, http.StatusUnauthorized, outcome.WrongCode},
	{factors.ErrExpired, http.StatusBadRequest, outcome.Expired},
	{factors.ErrTooMany, http.StatusBadRequest, outcome.FactorLimit},
}

// fields are the problems with fields other than the password.
var fields = map[string]outcome.Problem{
	"email": outcome.InvalidEmail, "username": outcome.InvalidUsername, "name": outcome.InvalidName,
}

// retryOverload is the Retry-After when the server is busy.
const retryOverload = time.Second

// Refused returns how a page shows an error of what was entered; outcome.NoProblem for an error that is not the user's.
func Refused(err error) (status int, problem outcome.Problem, wait time.Duration) {
	var throttled *users.ThrottledError
	var invalid *input.Error
	switch {
	case errors.As(err, &throttled):
		return http.StatusTooManyRequests, outcome.Throttled, throttled.RetryAfter
	case errors.Is(err, users.ErrOverload):
		return http.StatusServiceUnavailable, outcome.Overload, retryOverload
	case errors.As(err, &invalid):
		return http.StatusBadRequest, cmp.Or(fields[invalid.Field], outcome.InvalidPassword), 0
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.status, r.problem, 0
		}
	}
	return 0, outcome.NoProblem, 0
}

// Again shows a step again with what is wrong, or returns an error that is not the user's.
func Again(pages *web.Pages, w http.ResponseWriter, r *http.Request, step web.Step, err error) error {
	status, problem, wait := Refused(err)
	if problem == outcome.NoProblem {
		return err
	}
	step.Problem, step.RetryAfter = problem, wait
	return pages.Render(w, r, status, step)
}
