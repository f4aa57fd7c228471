package main

import (
	"encoding/json"
	"testing"
	"time"

	"latchkey/storage"
)

// Commands on the database know no mail server: they queue what a server makes a letter of, in the transaction that changes the credentials.
func TestCommandsQueueAlerts(t *testing.T) {
	t.Parallel()
	k := startKilled(t, false)
	u, err := k.store.UserByUsername(t.Context(), failpointUser)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	f := &storage.Factor{ID: storage.NewID(now), UserID: u.ID, Kind: storage.FactorTOTP, Name: "Phone", Data: []byte("x"), CreatedAt: now}
	if err := k.store.CreateFactors(t.Context(), storage.NewFactors{UserID: u.ID, Factors: []*storage.Factor{f}, Limit: 1}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		stdin, action string
		args          []string
	}{
		{"a password that is new\n", "password_changed", []string{"user", "set-password", failpointUser, "--password-stdin"}},
		{"", "factors_reset", []string{"user", "factors", failpointUser, "--reset"}},
	} {
		k.Run(c.stdin, c.args...)
		list, err := k.store.ClaimOutboxMessages(t.Context(), "alert", time.Now().Add(time.Minute), time.Hour, 10)
		if err != nil || len(list) != 1 {
			t.Fatalf("%v queued %d messages (%v)", c.args, len(list), err)
		}
		var a struct {
			UserID        int64 `json:"user_id"`
			Action, Actor string
		}
		if err := json.Unmarshal(list[0].Payload, &a); err != nil || a.UserID != u.ID || a.Action != c.action || a.Actor != "operator" {
			t.Errorf("%v queued %s (%v)", c.args, list[0].Payload, err)
		}
	}
}
