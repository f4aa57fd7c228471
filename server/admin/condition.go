package admin

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/storage"
)

// Conditional are the parameters of a change of one thing.
type Conditional struct {
	IfMatch string `header:"If-Match" maxLength:"1000" doc:"The ETag of what is to be changed, as it was read; * changes it as it is."`
	Trial
}

// Trial is the parameter of changes that can be tried.
type Trial struct {
	DryRun bool `query:"dry_run" doc:"Check the request and answer as if, but change nothing."`
}

// etag returns the entity tag of a body: the same for the same content, on every replica.
func etag[T any](body T) string {
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // bodies are made of what JSON can say
	}
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// check compares If-Match with the entity tag of what is there (RFC 9110 §13.1.1, RFC 6585 §3).
func (c Conditional) check(tag string) error {
	switch {
	case c.IfMatch == "":
		return refusal(http.StatusPreconditionRequired, "", "Send If-Match with the ETag of what you have read, or with * to change it as it is.")
	case strings.TrimSpace(c.IfMatch) == "*":
		return nil
	}
	for one := range strings.SplitSeq(c.IfMatch, ",") {
		if strings.TrimSpace(one) == tag { // strong comparison: W/"…" never matches
			return nil
		}
	}
	return errChanged()
}

// any reports whether the change is to be made whatever there is.
func (c Conditional) any() bool { return strings.TrimSpace(c.IfMatch) == "*" }

// Confirmed is the parameter of what ends sessions.
type Confirmed struct {
	ConfirmCount int `query:"confirm_count" minimum:"1" doc:"The most sessions that the request may end, if they are more than one: the number of the refusal (409) that came without it."`
}

// maxCounted bounds how far sessions are counted.
const maxCounted = 1_000_000

// check refuses to end more than one live session unless the request says how many that may be. The number changes all the time, so that
// it is a bound.
func (c Confirmed) check(ctx context.Context, a *API, f storage.GrantFilter) (int, error) {
	f.LiveAt, f.Limit = a.now(), maxCounted
	n, err := a.Grants.Store.CountGrants(ctx, f)
	if err != nil {
		return 0, fmt.Errorf("count sessions: %w", err)
	}
	if n <= 1 || n <= c.ConfirmCount {
		return n, nil
	}
	p := refusal(http.StatusConflict, "confirm", "This ends %d sessions. Send the request again with confirm_count=%d if that is meant.", n, n)
	p.Errors = []*huma.ErrorDetail{{Location: "query.confirm_count", Message: "sessions that would end", Value: count(n)}}
	return 0, p
}
