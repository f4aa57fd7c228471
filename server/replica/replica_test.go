package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"latchkey/server/replica"
	"latchkey/storage"
	"latchkey/storage/sqlite/sqlitetest"
)

// fleet are servers on one database, whose clock is now.
type fleet struct {
	t     *testing.T
	store storage.Store
	now   time.Time
}

func setup(t *testing.T) *fleet {
	return &fleet{t, sqlitetest.SQLite(t), time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
}

// server adds a server whose clock is ahead.
func (f *fleet) server(host, release string, ahead time.Duration) *replica.Keeper {
	return &replica.Keeper{
		Store: f.store, Self: storage.Replica{ID: storage.NewID(f.now), Host: host, Release: release, Schema: 21}, Logger: slog.New(slog.DiscardHandler),
		Now:   func() time.Time { return f.now.Add(ahead) },
		Ahead: func(context.Context) (time.Duration, error) { return ahead, nil },
	}
}

func (f *fleet) note(keepers ...*replica.Keeper) {
	f.t.Helper()
	for _, k := range keepers {
		if err := k.Note(f.t.Context()); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fleet) list() map[string]replica.View {
	f.t.Helper()
	list, err := replica.List(f.t.Context(), f.store, f.now)
	if err != nil {
		f.t.Fatal(err)
	}
	views := map[string]replica.View{}
	for _, v := range list {
		views[v.Host] = v
	}
	return views
}

// Issue 14, point 2: which servers run, of which release, and whose clock is wrong; the times are the database's.
func TestServersKnowOfEachOther(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a, b, c := f.server("a", "v1", 0), f.server("b", "v2", 90*time.Second), f.server("c", "v2", -2*time.Second)
	f.note(a)
	f.now = f.now.Add(time.Second)
	f.note(b, c)
	got := f.list()
	if v := got["a"]; !v.Other || v.Noticed || v.Silent || !v.StartedAt.Equal(f.now.Add(-time.Second)) {
		t.Errorf("the old release: %+v", v)
	}
	if v := got["b"]; v.Other || !v.Wrong || !v.Noticed || !v.SeenAt.Equal(f.now) || v.Ahead != 90*time.Second {
		t.Errorf("the one with a wrong clock: %+v", v)
	}
	if v := got["c"]; v.Other || v.Wrong || !v.Noticed || v.Ahead != -2*time.Second {
		t.Errorf("the one that is a little behind: %+v", v)
	}

	f.now = f.now.Add(2 * time.Minute)
	f.note(a)
	got = f.list()
	if got["a"].Silent || !got["b"].Silent || got["a"].Other {
		t.Errorf("after two minutes: %+v", got)
	}
	f.now = f.now.Add(time.Hour)
	f.note(a)
	if got := f.list(); len(got) != 1 {
		t.Errorf("after an hour there are %+v", got)
	}
}

func TestAServerThatStopsIsNotShown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.server("a", "v1", 0)
	f.note(a)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	a.Run(ended)
	if got := f.list(); len(got) != 0 {
		t.Errorf("there are %+v", got)
	}
}

// Without the database nothing is noted and nothing breaks.
func TestWithoutTheDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t)
	a := f.server("a", "v1", 0)
	a.Ahead = func(context.Context) (time.Duration, error) { return 0, storage.ErrUnavailable }
	if err := a.Note(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if got := f.list(); len(got) != 0 {
		t.Errorf("there are %+v", got)
	}
}
