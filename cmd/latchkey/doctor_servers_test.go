package main

import (
	"strings"
	"testing"
	"time"

	"latchkey/storage"
)

// Doctor names two servers that run on one database with different issuers.
func TestDoctorWarnsOfTwoIssuers(t *testing.T) {
	t.Parallel()
	s := newServer(t, "")
	s.Run("", "migrate", "up")
	store := storeOf(t, s.Folder)
	now := time.Now().UTC().Truncate(time.Microsecond)
	note := func(host, issuer string, seen time.Time) {
		t.Helper()
		r := &storage.Replica{ID: storage.NewID(now), Host: host, Release: "v1", Schema: 27, Issuer: issuer, StartedAt: seen.Add(-time.Hour), SeenAt: seen}
		if err := store.NoteReplica(t.Context(), r, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	const finding = "each refuses the tokens of the other"
	note("killed", "https://old.example.com", now.Add(-10*time.Minute))
	note("earlier", "", now.Add(-2*time.Second)) // its release does not say it
	note("one", "https://id.example.com", now.Add(-time.Second))
	note("two", "https://id.example.com", now)
	if out := string(s.Run("", "doctor")); strings.Contains(out, finding) {
		t.Errorf("servers of one issuer are a finding: %s", out)
	}
	note("three", "https://login.example.com", now.Add(time.Second))
	out := string(s.Run("", "doctor"))
	const want = " has the issuer https://login.example.com, and one has https://id.example.com: " + finding
	if strings.Count(out, finding) != 1 || !strings.Contains(out, "warning  servers        three (") || !strings.Contains(out, want) {
		t.Errorf("no %q in %s", want, out)
	}
}
