package shadow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// version is that of the file.
	version = 1
	// saveEvery is how often the file is written.
	saveEvery = 5 * time.Second
	// maxKinds bounds the kinds of differences, maxExamples the examples of one.
	maxKinds    = 500
	maxExamples = 3
)

// ledger keeps the counts.
type ledger struct {
	cfg Config
	// counting guards the counts of the routes. Requests wait for it, so it is never held for long.
	counting sync.Mutex
	// changed says that there is something to write.
	changed atomic.Bool
	// mu guards the rest, which only comparisons wait for.
	mu sync.Mutex
	st State
	// kinds are the differences by their text, seen the tokens by their hash.
	kinds map[string]*Difference
	seen  map[string]*Seen
	// order is that in which the tokens were seen.
	order []string
}

// Read returns the state in a file.
func Read(file string) (*State, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var st State
	if err := json.Unmarshal(text, &st); err != nil {
		return nil, fmt.Errorf("%s: not what `latchkey django shadow` writes: %w", file, err)
	}
	if st.Version != version {
		return nil, fmt.Errorf("%s: version %d, and this release reads %d", file, st.Version, version)
	}
	return &st, nil
}

func openLedger(cfg Config) (*ledger, error) {
	l := &ledger{cfg: cfg, kinds: map[string]*Difference{}, seen: map[string]*Seen{}}
	l.changed.Store(true)
	st, err := Read(cfg.File)
	switch {
	case err == nil:
		l.st = *st
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		l.st = State{Version: version, Began: cfg.Now().UTC()}
	}
	if l.st.Routes == nil {
		l.st.Routes = map[Route]*RouteCount{}
	}
	l.st.Rotation, l.st.Share = cfg.Rotation, cfg.Share
	for route := range adapterPaths {
		if l.st.Routes[route] == nil {
			l.st.Routes[route] = &RouteCount{}
		}
	}
	for _, d := range l.st.Differences {
		l.kinds[d.key()] = d
	}
	for _, s := range l.st.Seen {
		l.seen[s.Hash] = s
		l.order = append(l.order, s.Hash)
	}
	return l, l.save()
}

func (d *Difference) key() string { return string(d.Route) + "\x00" + d.Kind + "\x00" + d.Detail }

// run writes the file now and then, and when ctx ends.
func (l *ledger) run(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(saveEvery):
		}
		if err := l.save(); err != nil {
			l.cfg.Logger.WarnContext(ctx, "the counts could not be written", slog.Any("error", err), slog.String("setting", "--state"))
		}
	}
}

// save writes the file if something has changed since it was last written.
func (l *ledger) save() error {
	if !l.changed.Swap(false) {
		return nil
	}
	err := l.write()
	if err != nil {
		l.changed.Store(true)
	}
	return err
}

// write writes the file, which is never seen half written.
func (l *ledger) write() error {
	text, err := json.Marshal(l.copied()) // of 50,000 tokens: no indentation, which takes as long again
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(l.cfg.File), filepath.Base(l.cfg.File)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), l.cfg.File)
}

// copied returns a copy of the state, which is written without a lock because nothing changes it.
func (l *ledger) copied() *State {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := l.st
	st.Saved, st.Seen = l.cfg.Now().UTC(), make([]*Seen, len(l.order))
	seen := make([]Seen, len(l.order))
	for i, hash := range l.order {
		seen[i] = *l.seen[hash]
		st.Seen[i] = &seen[i]
	}
	st.Differences = make([]*Difference, len(l.st.Differences))
	for i, d := range l.st.Differences {
		c := *d
		c.Examples = slices.Clone(d.Examples)
		st.Differences[i] = &c
	}
	st.Reuse.Confirmed.Users = slices.Clone(st.Reuse.Confirmed.Users)
	st.Reuse.Strict.Users = slices.Clone(st.Reuse.Strict.Users)
	l.counting.Lock()
	defer l.counting.Unlock()
	st.Routes = make(map[Route]*RouteCount, len(l.st.Routes))
	for route, n := range l.st.Routes {
		c := *n
		c.Skipped = maps.Clone(n.Skipped)
		st.Routes[route] = &c
	}
	return &st
}

func (l *ledger) count(route Route, change func(*RouteCount)) {
	l.counting.Lock()
	defer l.counting.Unlock()
	change(l.st.Routes[route])
	l.changed.Store(true)
}

func (l *ledger) asked(route Route)    { l.count(route, func(n *RouteCount) { n.Requests++ }) }
func (l *ledger) dropped(route Route)  { l.count(route, func(n *RouteCount) { n.Dropped++ }) }
func (l *ledger) failed(route Route)   { l.count(route, func(n *RouteCount) { n.Failed++ }) }
func (l *ledger) answered(route Route) { l.count(route, func(n *RouteCount) { n.Own++ }) }
func (l *ledger) fellBack(route Route) { l.count(route, func(n *RouteCount) { n.FellBack++ }) }

func (l *ledger) skipped(route Route, why string) {
	l.count(route, func(n *RouteCount) {
		if n.Skipped == nil {
			n.Skipped = map[string]int64{}
		}
		n.Skipped[why]++
	})
}

// compared counts the differences of an exchange.
func (l *ledger) compared(x *exchange, found []difference) {
	example := Example{At: x.at.UTC().Truncate(time.Second), User: l.user(x), UserAgent: cut(x.request.UserAgent())}
	l.differ(x.route, example, found)
	l.count(x.route, func(n *RouteCount) {
		n.Compared++
		if slices.ContainsFunc(found, func(d difference) bool { return d.Breaks }) {
			n.Differ++
		}
	})
}

func (l *ledger) differ(route Route, example Example, found []difference) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range found {
		d := &Difference{Route: route, Kind: f.Kind, Detail: f.Detail, Breaks: f.Breaks, First: example.At}
		if known := l.kinds[d.key()]; known != nil {
			d = known
		} else if len(l.kinds) < maxKinds {
			l.kinds[d.key()] = d
			l.st.Differences = append(l.st.Differences, d)
		} else {
			continue
		}
		d.Count++
		d.Last = example.At
		if len(d.Examples) < maxExamples && !slices.ContainsFunc(d.Examples, func(e Example) bool { return e.User == example.User && e.User != "" }) {
			d.Examples = append(d.Examples, example)
		}
	}
}

// user returns the id of the user of an exchange, if it says.
func (l *ledger) user(x *exchange) string {
	id := x.presented(l.cfg.Cookies).text(l.cfg.UserIDClaim)
	if id == "" && x.status == 200 {
		id = readClaims(readObject(x.received).text("access")).text(l.cfg.UserIDClaim)
	}
	return cut(id)
}

// sorted returns the differences, those that break first, the frequent ones before the rare.
func sorted(all []*Difference) []*Difference {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *Difference) int {
		if a.Breaks != b.Breaks {
			if a.Breaks {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Count, a.Count)
	})
	return all
}
