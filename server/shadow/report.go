package shadow

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Report is the readiness of a site.
type Report struct {
	Go bool `json:"go"`
	// Against are the reasons for no-go.
	Against []string `json:"against"`
	// Notes are what else to know.
	Notes []string `json:"notes"`
	*State
}

// tolerated is the part of the requests that may be without a comparison: one in this many.
const tolerated = 100

// Judge returns the readiness that the counts show. rotation is the policy to move to; empty means that of the shadow.
func Judge(all []*State, rotation string, now time.Time) *Report {
	st := merge(all)
	st.Seen = nil
	if rotation != "" {
		st.Rotation = rotation
	}
	r := &Report{State: st, Against: []string{}, Notes: []string{}}
	against := func(format string, args ...any) { r.Against = append(r.Against, fmt.Sprintf(format, args...)) }
	note := func(format string, args ...any) { r.Notes = append(r.Notes, fmt.Sprintf(format, args...)) }

	for _, route := range []Route{RouteToken, RouteRefresh} {
		if st.Routes[route].Compared+st.Routes[route].Own == 0 {
			against("no request of the route %s was compared yet", route)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(st.Routes)) {
		n := st.Routes[route]
		if n.Differ > 0 {
			against("%d of %d answers of the route %s would have been others", n.Differ, n.Compared, route)
		}
		if missing := n.Dropped + n.Failed; missing*tolerated > n.Requests {
			against("%d requests of the route %s could not be compared (%d dropped, %d failed)", missing, route, n.Dropped, n.Failed)
		}
		if n.FellBack > 0 {
			against("%d requests of the route %s were answered by Django because Latchkey failed", n.FellBack, route)
		}
	}
	st.judgeReuse(against, note)
	switch {
	case st.DjangoEnds.IsZero():
	case st.DjangoEnds.After(now):
		note("the last refresh token that Django signed, of those seen, ends on %s", st.DjangoEnds.UTC().Format("2006-01-02 15:04 MST"))
	default:
		note("every refresh token of Django's that was seen has ended")
	}
	if st.Forgotten > 0 {
		note("%d refresh tokens were forgotten for newer ones: reuse after a longer time is not seen", st.Forgotten)
	}
	if old := now.Sub(st.Saved); old > 10*time.Minute {
		note("the counts are %s old: is the shadow running?", old.Round(time.Minute))
	}
	r.Go = len(r.Against) == 0
	return r
}

// judgeReuse reports which clients the policy would log out.
func (st *State) judgeReuse(against, note func(string, ...any)) {
	confirmed, strict := &st.Reuse.Confirmed, &st.Reuse.Strict
	say := func(policy string) func(string, ...any) {
		if st.Rotation == policy {
			return against
		}
		return note
	}
	if confirmed.Requests > 0 {
		say("confirmed")("confirmed would have refused %d requests of %d clients, which used a refresh token after its successor",
			confirmed.Requests, len(confirmed.Users))
	}
	switch {
	case strict.Requests == 0:
	case st.DjangoRotates:
		say("strict")("strict would have refused %d requests of %d clients, which used a refresh token twice", strict.Requests, len(strict.Users))
	default:
		say("strict")("strict logs out clients that do not store a new refresh token, and Django issues none, so that it can't be seen which do: "+
			"%d clients use one more than once", len(strict.Users))
	}
}

// merge adds up what several shadows have seen.
func merge(all []*State) *State {
	sum := &State{Version: version, Routes: map[Route]*RouteCount{}, Differences: []*Difference{}}
	kinds := map[string]*Difference{}
	for route := range adapterPaths {
		sum.Routes[route] = &RouteCount{Skipped: map[string]int64{}}
	}
	for _, st := range all {
		if sum.Began.IsZero() || st.Began.Before(sum.Began) {
			sum.Began = st.Began
		}
		if st.Saved.After(sum.Saved) {
			sum.Saved, sum.Rotation, sum.Share = st.Saved, st.Rotation, st.Share
		}
		if st.DjangoEnds.After(sum.DjangoEnds) {
			sum.DjangoEnds = st.DjangoEnds
		}
		sum.DjangoRotates = sum.DjangoRotates || st.DjangoRotates
		sum.Forgotten += st.Forgotten
		sum.Reuse.Confirmed.join(&st.Reuse.Confirmed)
		sum.Reuse.Strict.join(&st.Reuse.Strict)
		for route, n := range st.Routes {
			if sum.Routes[route] != nil {
				sum.Routes[route].join(n)
			}
		}
		for _, d := range st.Differences {
			known := kinds[d.key()]
			if known == nil {
				known = &Difference{Route: d.Route, Kind: d.Kind, Detail: d.Detail, Breaks: d.Breaks, First: d.First}
				kinds[d.key()] = known
				sum.Differences = append(sum.Differences, known)
			}
			known.Count += d.Count
			known.Examples = append(known.Examples, d.Examples...)
			if d.Last.After(known.Last) {
				known.Last = d.Last
			}
		}
	}
	sum.Differences = sorted(sum.Differences)
	return sum
}

func (n *RouteCount) join(other *RouteCount) {
	n.Requests += other.Requests
	n.Compared += other.Compared
	n.Differ += other.Differ
	n.Dropped += other.Dropped
	n.Failed += other.Failed
	n.Own += other.Own
	n.FellBack += other.FellBack
	for why, count := range other.Skipped {
		n.Skipped[why] += count
	}
}

func (w *Broken) join(other *Broken) {
	w.Requests += other.Requests
	w.Users = append(w.Users, other.Users...)
}
