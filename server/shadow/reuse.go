package shadow

import (
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"latchkey/server/internal/mac"
)

const (
	// maxSeen bounds the tokens that are remembered; the oldest goes.
	maxSeen = 50_000
	// overlap is how long a retired token is accepted under confirmed.
	overlap = 10 * time.Second
	// maxWho bounds the list of clients that a policy would log out.
	maxWho = 100
)

func (w *Broken) add(user, agent string, at time.Time) {
	w.Requests++
	i := slices.IndexFunc(w.Users, func(c Client) bool { return c.User == user && c.UserAgent == agent })
	if i < 0 {
		if len(w.Users) >= maxWho {
			return
		}
		i = len(w.Users)
		w.Users = append(w.Users, Client{User: user, UserAgent: agent})
	}
	w.Users[i].Requests++
	w.Users[i].Last = at
}

// knows reports whether an exchange has refresh tokens that Django has accepted or issued.
func (l *ledger) knows(x *exchange) bool {
	return x.status == http.StatusOK && x.request.Method == http.MethodPost && (x.route == RouteRefresh || x.route == RouteToken)
}

// saw notes the refresh tokens of an exchange.
func (l *ledger) saw(x *exchange) {
	at := x.at.UTC()
	presented := claimSet(nil)
	if x.route == RouteRefresh {
		presented = x.presented(l.cfg.Cookies)
	}
	issued := readClaims(readObject(x.received).text("refresh"))
	user, agent := l.user(x), cut(x.request.UserAgent())

	l.mu.Lock()
	defer l.mu.Unlock()
	if x.route == RouteRefresh && issued != nil {
		l.st.DjangoRotates = true
	}
	for _, c := range []claimSet{presented, issued} {
		if ends := c.time("exp"); !c.ours() && ends.After(l.st.DjangoEnds) {
			l.st.DjangoEnds = ends
		}
	}
	parent := ""
	if presented != nil {
		parent = l.hash(presented)
		l.present(l.remember(parent, ""), user, agent, at)
	}
	if issued != nil {
		l.remember(l.hash(issued), parent)
	}
}

func (l *ledger) present(s *Seen, user, agent string, at time.Time) {
	if s.Presented.IsZero() {
		s.Presented = at
	} else {
		l.st.Reuse.Strict.add(user, agent, at)
	}
	if !s.Followed.IsZero() && at.Sub(s.Followed) > overlap {
		l.st.Reuse.Confirmed.add(user, agent, at)
	}
	if parent := l.seen[s.Parent]; parent != nil && parent.Followed.IsZero() {
		parent.Followed = at
	}
}

func (l *ledger) hash(c claimSet) string {
	sum := mac.Sum(l.cfg.Key, []byte(c.text("jti")))
	return hex.EncodeToString(sum[:8])
}

func (l *ledger) remember(hash, parent string) *Seen {
	if s := l.seen[hash]; s != nil {
		return s
	}
	if len(l.order) >= maxSeen {
		delete(l.seen, l.order[0])
		l.order = l.order[1:]
		l.st.Forgotten++
	}
	s := &Seen{Hash: hash, Parent: parent}
	l.seen[hash] = s
	l.order = append(l.order, hash)
	return s
}
