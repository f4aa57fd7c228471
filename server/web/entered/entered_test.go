package entered_test

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"latchkey/server/factors"
	"latchkey/server/password"
	"latchkey/server/proof"
	"latchkey/server/users"
	"latchkey/server/users/input"
	"latchkey/server/web/entered"
	"latchkey/server/web/outcome"
	"latchkey/storage"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	_, mismatch := entered.NewPassword(url.Values{entered.FieldNew: {"a"}, entered.FieldAgain: {"b"}})
	for _, c := range []struct {
		err     error
		status  int
		problem outcome.Problem
		wait    time.Duration
	}{
		{mismatch, 400, outcome.Mismatch, 0},
		{users.ErrCredentials, 401, outcome.Credentials, 0},
		{users.ErrWeakPassword, 400, outcome.WeakPassword, 0},
		{&users.ThrottledError{RetryAfter: time.Minute}, 429, outcome.Throttled, time.Minute},
		{&password.CrowdedError{}, 503, outcome.Overload, time.Second},
		{&input.Error{Field: "email"}, 400, outcome.InvalidEmail, 0},
		{&input.Error{Field: "username"}, 400, outcome.InvalidUsername, 0},
		{&input.Error{Field: "password"}, 400, outcome.InvalidPassword, 0},
		{storage.ErrExists, 409, outcome.Taken, 0},
		{proof.ErrGone, 400, outcome.WrongLetterCode, 0},
		{factors.ErrWrong, 401, outcome.WrongCode, 0},
		{factors.ErrExpired, 400, outcome.Expired, 0},
		{factors.ErrTooMany, 400, outcome.FactorLimit, 0},
		{storage.ErrUnavailable, 0, outcome.NoProblem, 0},
		{errors.New("x"), 0, outcome.NoProblem, 0},
		{nil, 0, outcome.NoProblem, 0},
	} {
		err := c.err
		if err != nil {
			err = fmt.Errorf("wrapped: %w", err)
		}
		if status, problem, wait := entered.Refused(err); status != c.status || problem != c.problem || wait != c.wait {
			t.Errorf("%v: %d %q %s", c.err, status, problem, wait)
		}
	}
	if p, err := entered.NewPassword(url.Values{entered.FieldNew: {"a"}, entered.FieldAgain: {"a"}}); err != nil || p.Reveal() != "a" {
		t.Errorf("%v", err)
	}
}
