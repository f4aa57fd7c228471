package fetch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/clients/fetch"
	"latchkey/storage"
)

var errGone = errors.New("gone")

// source is what is fetched: a text that is fresh for a minute, or an error.
type source struct {
	text    string
	err     error
	fetches int
}

func (s *source) fetch(context.Context) (string, time.Duration, error) {
	s.fetches++
	return s.text, time.Minute, s.err
}

func newCache(size int) *fetch.Cache[string, string] {
	return fetch.NewCache(fetch.Config[string, string]{
		Now: time.Now, Size: size, Weigh: func(key, v string) int { return len(key) + len(v) }, Retry: 10 * time.Second, Stale: time.Hour,
	})
}

func TestCache(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := newCache(100), &source{text: "one"}
		want := func(text string, err error, fetches int) {
			t.Helper()
			got, gotErr := c.Get(t.Context(), "key", nil, s.fetch)
			if got != text || !errors.Is(gotErr, err) || s.fetches != fetches {
				t.Fatalf("%q, %v after %d fetches; want %q, %v, %d", got, gotErr, s.fetches, text, err, fetches)
			}
		}
		want("one", nil, 1)
		time.Sleep(time.Minute - 1)
		s.text = "two"
		want("one", nil, 1)
		time.Sleep(time.Nanosecond)
		want("two", nil, 2)
		s.err = errGone
		time.Sleep(time.Minute)
		want("two", nil, 3) // stale
		want("two", nil, 3) // the failure is remembered
		time.Sleep(10 * time.Second)
		want("two", nil, 4)
		time.Sleep(time.Hour)
		want("", errGone, 5)
		want("", errGone, 5)
		time.Sleep(10 * time.Second)
		s.err = fetch.ErrBusy
		want("", storage.ErrUnavailable, 6)
		s.text, s.err = "three", nil
		want("three", nil, 7) // being busy is not remembered
		unwanted := func(v string) bool { return v != "three" }
		if v, err := c.Get(t.Context(), "key", unwanted, s.fetch); v != "three" || err != nil || s.fetches != 7 {
			t.Errorf("%q, %v after %d fetches", v, err, s.fetches)
		}
		time.Sleep(10 * time.Second)
		s.text = "four"
		if v, err := c.Get(t.Context(), "key", unwanted, s.fetch); v != "four" || err != nil {
			t.Errorf("%q, %v: an unwanted value is not fetched again", v, err)
		}
	})
}

func TestCacheIsBoundedByWeight(t *testing.T) {
	t.Parallel()
	c, s := newCache(100), &source{text: strings.Repeat("a", 39)}
	for _, key := range []string{"1", "2", "1", "3", "1", "2"} { // two fit
		if _, err := c.Get(t.Context(), key, nil, s.fetch); err != nil {
			t.Fatal(err)
		}
	}
	if s.fetches != 4 {
		t.Errorf("%d fetches, want 4", s.fetches)
	}
	s.text = strings.Repeat("a", 100) // this one does not fit at all
	for range 2 {
		if _, err := c.Get(t.Context(), "4", nil, s.fetch); err != nil {
			t.Fatal(err)
		}
	}
	if s.fetches != 6 {
		t.Errorf("%d fetches, want 6", s.fetches)
	}
}

func TestLane(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := fetch.NewLane(time.Now, 4, time.Minute, 2, time.Second)
		enter := func() func() {
			t.Helper()
			leave, err := l.Enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return leave
		}
		busy := func(after time.Duration) {
			t.Helper()
			start := time.Now()
			if _, err := l.Enter(t.Context()); !errors.Is(err, fetch.ErrBusy) || time.Since(start) != after {
				t.Fatalf("%v after %s, want ErrBusy after %s", err, time.Since(start), after)
			}
		}
		leave := enter()
		enter()
		busy(time.Second) // both slots are taken
		leave()
		leave = enter()
		busy(0) // the burst is used up
		leave()
		time.Sleep(time.Minute)
		enter()
	})
}
