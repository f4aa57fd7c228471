package shadow

import (
	"context"
	"net/http"
	"time"

	"latchkey/storage/dryrun"
)

// rehearsal bounds one.
const rehearsal = 5 * time.Second

// judge rehearses the request and compares the answers.
func (p *Proxy) judge(ctx context.Context, x *exchange) {
	if p.ledger.knows(x) {
		p.ledger.saw(x)
	}
	var own *answer
	var ok bool
	if !p.queue.rests(p.cfg.Now()) {
		own, ok = p.rehearse(ctx, x)
		p.queue.note(ok, p.cfg.Now())
	}
	if !ok {
		p.ledger.failed(x.route)
		return
	}
	django, ok := answerOf(x)
	if !ok {
		p.ledger.skipped(x.route, "content encoding")
		return
	}
	p.ledger.compared(x, compare(x, django, own, p.cfg.UserIDClaim))
}

// rehearse returns what Latchkey would have answered. ok is false where it could not tell.
func (p *Proxy) rehearse(ctx context.Context, x *exchange) (*answer, bool) {
	ctx, cancel := context.WithTimeout(ctx, rehearsal)
	defer cancel()
	var ended []string
	if x.status == http.StatusOK && x.request.Method == http.MethodPost {
		// Django has found that the token was alive, and has perhaps ended it by this very request.
		if jti := x.presented(p.cfg.Cookies).text("jti"); jti != "" {
			ended = append(ended, jti)
		}
	}
	begun := p.cfg.Now()
	rec, run := newRecorder(), dryrun.With(ctx, ended...)
	if !rec.serve(p.cfg.Rehearsed, x.again(adapterPaths[x.route]).WithContext(run)) {
		return nil, false
	}
	if rec.status >= http.StatusInternalServerError || rec.status == http.StatusTooManyRequests || ctx.Err() != nil {
		return nil, false
	}
	return &answer{rec.status, rec.header, rec.body.Bytes(), dryrun.Reason(run), begun}, true
}
