package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"latchkey/admin"
	"latchkey/server/claims"
	"latchkey/server/grants"
	"latchkey/server/users"
	"latchkey/storage"
)

// This file ends again what an audit trail says was ended, in a database that was restored from a backup which does not know it.

// replayed is what `session revoke --from-audit` prints for one event that the database does not have.
type replayed struct {
	At        time.Time `json:"at"`
	Action    string    `json:"action"`
	UserID    int64     `json:"user_id,omitempty"`
	Username  string    `json:"username,omitempty"` // empty if the database does not have the user
	ClientID  string    `json:"client_id,omitempty"`
	SessionID string    `json:"session_id,omitempty"`
	// Ended is how many sessions and browsers this has ended, or would end.
	Ended int `json:"ended"`
	// Todo is what the operator must do: the audit trail does not have what is needed.
	Todo string `json:"todo,omitempty"`
}

// replay is one run.
type replay struct {
	*app
	users *users.Service
	dry   bool
	now   time.Time
	// counted is what a dry run would have ended by now, by its id: it counts once.
	counted map[string]bool
}

// maxListed bounds the lists that storage does not page: no user has so many browsers or applications.
const maxListed = 100_000

// readTrail reads what `audit list --json` printed: one array, or one event after the other. It returns the events oldest first.
func readTrail(r io.Reader) ([]admin.AuditEvent, error) {
	var list []admin.AuditEvent
	for d := json.NewDecoder(r); ; {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		var page []admin.AuditEvent
		if err == nil && raw[0] == '[' {
			err = json.Unmarshal(raw, &page)
		} else if err == nil {
			page = make([]admin.AuditEvent, 1)
			err = json.Unmarshal(raw, &page[0])
		}
		if err != nil {
			return nil, usage("--from-audit: the file is not what `latchkey audit list --limit 0 --json` prints: " + err.Error() + ".")
		}
		for _, e := range page {
			if _, err := storage.ParseID(e.ID); err != nil || e.At.IsZero() || e.Action == "" {
				return nil, usage("--from-audit: the file is not what `latchkey audit list --limit 0 --json` prints: an event has no id, time or action.")
			}
		}
		list = append(list, page...)
	}
	if len(list) == 0 {
		return nil, usage("--from-audit: there are no events in the file. Write it with `latchkey audit list --limit 0 --json`.")
	}
	slices.SortStableFunc(list, func(a, b admin.AuditEvent) int { return a.At.Compare(b.At) })
	return list, nil
}

func (c *sessionRevokeCmd) fromAudit(ctx context.Context, a *app) error {
	in := a.stdin
	if c.FromAudit != "-" {
		f, err := os.Open(c.FromAudit)
		if err != nil {
			return usage("--from-audit: " + err.Error() + ".")
		}
		defer f.Close()
		in = f
	}
	trail, err := readTrail(in)
	if err != nil {
		return err
	}
	service, err := a.userService(ctx)
	if err != nil {
		return err
	}
	r := &replay{app: a, users: service, dry: c.DryRun, now: a.now(), counted: map[string]bool{}}
	events := func(yield func(replayed, error) bool) {
		for _, e := range trail {
			done, missing, err := r.event(ctx, e)
			if (missing || err != nil) && !yield(done, err) {
				return
			}
		}
	}
	return list[replayed]{
		a, c.JSON, "events",
		[]string{"TIME", "ACTION", "USER", "CLIENT", "SESSION", "ENDED", "TO DO"},
		func(d replayed) []string {
			user := d.Username
			if user == "" && d.UserID != 0 {
				user = fmt.Sprintf("#%d", d.UserID)
			}
			return []string{when(d.At), d.Action, user, d.ClientID, d.SessionID, fmt.Sprint(d.Ended), d.Todo}
		},
	}.print(events, nil)
}

// event ends again what an event has ended. missing is false for one that ended nothing, or that the database has: what was ended before
// the backup is ended in it.
func (r *replay) event(ctx context.Context, e admin.AuditEvent) (done replayed, missing bool, err error) {
	end := r.endOf(e)
	if end == nil {
		return done, false, nil
	}
	id, err := storage.ParseID(e.ID)
	if err != nil {
		return done, false, err
	}
	if has, err := r.has(ctx, id, e); err != nil || has {
		return done, false, err
	}
	if done, err = r.about(ctx, e); err != nil {
		return done, false, err
	}
	err = end(ctx, &done)
	return done, true, err
}

// about returns what is known of an event before anything has ended.
func (r *replay) about(ctx context.Context, e admin.AuditEvent) (replayed, error) {
	done := replayed{At: e.At, Action: e.Action, UserID: e.UserID, ClientID: e.ClientID, SessionID: e.SessionID}
	if e.UserID == 0 {
		return done, nil
	}
	u, err := r.store.User(ctx, e.UserID)
	if errors.Is(err, storage.ErrNotFound) {
		return done, nil
	}
	if err == nil {
		done.Username = u.Username
	}
	return done, err
}

// has reports whether the database has an event.
func (r *replay) has(ctx context.Context, id storage.ID, e admin.AuditEvent) (bool, error) {
	next := id
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			break
		}
	}
	newest, err := r.store.ListAudit(ctx, storage.AuditFilter{UserID: e.UserID, Action: e.Action, Before: next, Limit: 1})
	return len(newest) > 0 && newest[0].ID == id, err
}

// endOf returns what ends again what an event has ended; nil if it ended nothing.
func (r *replay) endOf(e admin.AuditEvent) func(context.Context, *replayed) error {
	todo := func(text string) func(context.Context, *replayed) error {
		return func(_ context.Context, done *replayed) error { done.Todo = text; return nil }
	}
	switch e.Action {
	case "token_revoked", "session_revoked", "refresh_token_reused", "authorization_code_reused", "device_code_reused", "account_changed":
		if e.SessionID == "" || verdictOf(e) == "reject" {
			return nil
		}
		return r.endGrant
	case "sessions_revoked", "consent_revoked":
		return r.endConsent
	case "browser_session_ended":
		return r.endBrowser(e)
	case "user_sessions_ended":
		return r.endUser
	case "password_changed":
		return func(ctx context.Context, done *replayed) error {
			if done.Todo = "the user is not in the backup"; done.Username != "" {
				done.Todo = "the password is the one of the backup: latchkey user set-password -- " + done.Username
			}
			return r.endUser(ctx, done)
		}
	// The trail is followed in its order, so that the last event wins.
	case "user_disabled":
		return r.thenChange(r.endUser, r.users.Disable)
	case "user_enabled":
		return r.thenChange(todo(""), r.users.Enable)
	case "user_removed":
		return r.thenChange(r.endUser, r.users.Remove)
	case "client_sessions_ended":
		return r.endClient
	case "client_disabled":
		return todo("latchkey client disable " + e.ClientID)
	case "client_removed":
		return todo("latchkey client remove " + e.ClientID)
	case "client_secret_rotated", "client_trust_withdrawn", "client_registration_updated", "client_updated":
		return todo("the client is as in the backup: latchkey client show " + e.ClientID)
	}
	return nil
}

// verdictOf returns what was decided about a token that was reused.
func verdictOf(e admin.AuditEvent) string {
	var details struct{ Verdict string }
	_ = json.Unmarshal(e.Details, &details) // without details there is no verdict
	return details.Verdict
}

// endGrant ends the session of an event.
func (r *replay) endGrant(ctx context.Context, done *replayed) error {
	id, err := storage.ParseID(done.SessionID)
	if err != nil {
		return usage(fmt.Sprintf("--from-audit: %q is not the id of a session.", done.SessionID))
	}
	g, err := r.store.Grant(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil // it began after the backup
	}
	if err != nil {
		return err
	}
	return r.end(ctx, done, g)
}

func (r *replay) end(ctx context.Context, done *replayed, g *storage.LiveGrant) error {
	if !g.RevokedAt.IsZero() {
		return nil
	}
	if r.dry {
		r.count(done, "session "+g.ID.String())
		return nil
	}
	e := r.operatorEvent("session_revoked")
	e.GrantID, e.UserID, e.ClientID, e.Reason = g.ID, g.UserID, g.ClientID, "from_audit"
	ended, err := r.store.RevokeGrant(ctx, g.ID, grants.Reason, e.At, e)
	if ended {
		done.Ended++
	}
	return err
}

// count counts in a dry run what a real one would end.
func (r *replay) count(done *replayed, what string) {
	if !r.counted[what] {
		r.counted[what] = true
		done.Ended++
	}
}

// endGrants ends the live sessions that a filter selects and that had begun when the event happened.
func (r *replay) endGrants(ctx context.Context, done *replayed, f storage.GrantFilter) error {
	return r.endGrantsIf(ctx, done, f, func(g *storage.LiveGrant) bool { return !g.CreatedAt.After(done.At) })
}

// endGrantsIf ends the live sessions that a filter and a condition select.
func (r *replay) endGrantsIf(ctx context.Context, done *replayed, f storage.GrantFilter, selected func(*storage.LiveGrant) bool) error {
	f.LiveAt, f.Limit = r.now, storage.PageSize
	for g, err := range storage.Pages(
		func(g *storage.LiveGrant) storage.ID { return g.ID },
		func(after storage.ID) ([]*storage.LiveGrant, error) {
			f.After = after
			return r.store.ListGrants(ctx, f)
		},
	) {
		if err == nil && selected(g) {
			err = r.end(ctx, done, g)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// endConsent ends what a client holds for a user, and the consent if there is none that is newer than the event.
func (r *replay) endConsent(ctx context.Context, done *replayed) error {
	if done.UserID == 0 || done.ClientID == "" {
		return nil
	}
	if err := r.endGrants(ctx, done, storage.GrantFilter{UserID: done.UserID, ClientID: done.ClientID}); err != nil || done.Action != "consent_revoked" {
		return err
	}
	consents, err := r.store.ListConsents(ctx, done.UserID, maxListed)
	for _, c := range consents {
		if c.ClientID != done.ClientID || c.UpdatedAt.After(done.At) {
			continue
		}
		if r.dry {
			r.count(done, fmt.Sprintf("consent %d %s", done.UserID, done.ClientID))
			continue
		}
		done.Ended++
		e := r.operatorEvent("consent_revoked")
		e.UserID, e.ClientID, e.Reason = done.UserID, done.ClientID, "from_audit"
		if _, err := r.store.RevokeConsent(ctx, storage.ConsentEnd{UserID: done.UserID, ClientID: done.ClientID, Reason: grants.Reason, Now: e.At}, e); err != nil {
			return err
		}
	}
	return err
}

// endBrowser ends the browser session of an event. An event of an earlier release does not have its id: then all that had begun end.
func (r *replay) endBrowser(e admin.AuditEvent) func(context.Context, *replayed) error {
	var details struct {
		BrowserSession string `json:"browser_session"`
	}
	_ = json.Unmarshal(e.Details, &details) // without it, all
	return func(ctx context.Context, done *replayed) error {
		return r.endBrowsers(ctx, done, details.BrowserSession)
	}
}

// endBrowsers ends the browser sessions of a user that had begun when the event happened; with an id only that one.
func (r *replay) endBrowsers(ctx context.Context, done *replayed, only string) error {
	sessions, err := r.store.ListBrowserSessions(ctx, done.UserID, r.now, maxListed)
	for _, s := range sessions {
		if s.AuthTime.After(done.At) || only != "" && s.ID.String() != only {
			continue
		}
		// They would end with the browser, without being counted.
		online := func(g *storage.LiveGrant) bool { return !slices.Contains(g.Scope, claims.ScopeOffline) }
		if err := r.endGrantsIf(ctx, done, storage.GrantFilter{UserID: s.UserID, SessionID: s.ID}, online); err != nil {
			return err
		}
		if r.dry {
			r.count(done, "browser "+s.ID.String())
			continue
		}
		done.Ended++
		e := r.operatorEvent("browser_session_ended")
		e.UserID, e.Reason, e.Details = done.UserID, "from_audit", fmt.Appendf(nil, `{"browser_session":%q}`, s.ID)
		if _, err := r.store.EndBrowserSession(ctx, storage.BrowserSessionEnd{ID: s.ID, UserID: s.UserID, Reason: grants.Reason, Now: e.At}, e); err != nil {
			return err
		}
	}
	return err
}

// endUser ends the sessions of a user that had begun when the event happened.
func (r *replay) endUser(ctx context.Context, done *replayed) error {
	if err := r.endBrowsers(ctx, done, ""); err != nil {
		return err
	}
	return r.endGrants(ctx, done, storage.GrantFilter{UserID: done.UserID})
}

// endClient ends the sessions of a client, or of all of them and all browsers.
func (r *replay) endClient(ctx context.Context, done *replayed) error {
	if err := r.endGrants(ctx, done, storage.GrantFilter{ClientID: done.ClientID}); err != nil || done.ClientID != "" {
		return err
	}
	for u, err := range storage.Pages(
		func(u *storage.User) int64 { return u.ID },
		func(after int64) ([]*storage.User, error) { return r.store.ListUsers(ctx, after, storage.PageSize) },
	) {
		if err != nil {
			return err
		}
		of := *done
		of.UserID = u.ID
		if err := r.endBrowsers(ctx, &of, ""); err != nil {
			return err
		}
		done.Ended = of.Ended
	}
	return nil
}

// thenChange returns what changes a user after end, unless they are not in the backup.
func (r *replay) thenChange(end func(context.Context, *replayed) error, change func(context.Context, int64) error) func(context.Context, *replayed) error {
	return func(ctx context.Context, done *replayed) error {
		if err := end(ctx, done); err != nil || r.dry {
			return err
		}
		if err := change(ctx, done.UserID); !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		return nil
	}
}
