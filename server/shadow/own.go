package shadow

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"time"
)

const (
	// ownPatience is how long an answer of Latchkey's is waited for, before Django is asked.
	ownPatience = 3 * time.Second
	// lookupPatience is how long the user with a login name is looked for, unless the Config says otherwise.
	lookupPatience = 100 * time.Millisecond
	// logoutPatience is how long a logout waits for Django to hear of it.
	logoutPatience = 2 * time.Second
)

// mine reports whether Latchkey answers. All sessions of a user are answered by the same side; a login is decided by the user with
// that name. Where that can't be found out, Django answers.
func (p *Proxy) mine(x *exchange) bool {
	switch {
	case p.cfg.Share <= 0 || !x.whole || p.share.resting(p.cfg.Now()):
		return false
	case p.cfg.Share >= 1:
		return true
	case x.request.Method != http.MethodPost:
		return false
	}
	subject := ""
	if x.route == RouteToken {
		subject = p.subject(x.request.Context(), x.field(p.cfg.UsernameField))
	} else {
		subject = x.presented(p.cfg.Cookies).text(p.cfg.UserIDClaim)
	}
	return subject != "" && bucket(subject) < p.cfg.Share
}

func (p *Proxy) subject(ctx context.Context, name string) string {
	s := &p.share
	s.mu.Lock()
	subject, ok := s.subjects[name]
	s.mu.Unlock()
	if ok || name == "" || len(name) > 1024 {
		return subject
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.cfg.LookupPatience, lookupPatience))
	defer cancel()
	type found struct {
		subject string
		err     error
	}
	done := make(chan found, 1)
	go func() {
		subject, err := p.cfg.Subject(ctx, name)
		done <- found{subject, err}
	}()
	select {
	case <-ctx.Done():
		s.fail(p.cfg.Now())
		return ""
	case f := <-done:
		if f.err != nil || f.subject == "" {
			return ""
		}
		s.remember(name, f.subject)
		return f.subject
	}
}

// answer lets Latchkey answer. It reports false where it could not: then nothing was sent, and Django is asked.
func (p *Proxy) answer(w http.ResponseWriter, x *exchange) bool {
	client := x.request.Context()
	// A request that was begun is finished: the client may be waiting for Django by then.
	ctx, cancel := context.WithTimeout(client, ownPatience)
	defer cancel()
	rec, done := newRecorder(), make(chan bool, 1)
	r := x.again(adapterPaths[x.route]).WithContext(ctx)
	go func() { done <- rec.serve(p.cfg.Own, r) }()
	answered := false
	select {
	case answered = <-done:
		answered = answered && rec.status < http.StatusInternalServerError
	case <-ctx.Done():
	}
	switch {
	case answered:
		p.share.succeed()
	case client.Err() != nil:
		return true
	default:
		p.share.fail(p.cfg.Now())
		p.ledger.fellBack(x.route)
		return false
	}
	if x.route == RouteBlacklist && rec.status == http.StatusOK {
		p.passOn(client, x)
	}
	p.ledger.answered(x.route)
	maps.Copy(w.Header(), rec.header)
	w.WriteHeader(rec.status)
	io.Copy(w, &rec.body)
	return true
}

// passOn notifies Django of a logout, so that the token is dead there too when its user goes back.
func (p *Proxy) passOn(ctx context.Context, x *exchange) {
	ctx, cancel := context.WithTimeout(ctx, logoutPatience)
	defer cancel()
	r := x.request.Clone(ctx)
	r.URL.Scheme, r.URL.Host, r.RequestURI = p.cfg.Upstream.Scheme, p.cfg.Upstream.Host, ""
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(x.sent)), int64(len(x.sent)), nil
	resp, err := p.transport.RoundTrip(r)
	if err != nil {
		p.cfg.Logger.WarnContext(ctx, "Django was not notified of a logout", slog.Any("error", err))
		return
	}
	resp.Body.Close()
}
