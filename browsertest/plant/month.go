package main

import (
	"context"
	"math"
	"time"

	"latchkey/server/figures"
	"latchkey/storage"
)

// plantMonth writes what happened in the hours of a month: people log in by day and rest at weekends, somebody guesses passwords in one night, and
// one refresh token was used twice.
func plantMonth(ctx context.Context, store storage.Store) error {
	now := time.Now().UTC()
	first := now.Truncate(time.Hour).Add(-30 * 24 * time.Hour)
	for hour := first; hour.Before(now.Add(-time.Hour)); hour = hour.Add(time.Hour) {
		logins := int(4 * (1 - math.Cos(2*math.Pi*float64(hour.Hour())/24)))
		if day := hour.Weekday(); day == time.Saturday || day == time.Sunday {
			logins /= 4
		}
		happened := map[string]int{"login_succeeded": logins, "session_revoked": logins / 2, "login_failed": logins / 8}
		switch now.Truncate(time.Hour).Sub(hour) {
		case 5 * time.Hour:
			happened["login_failed"] = 60
		case 4 * time.Hour:
			happened["refresh_token_reused"] = 1
		}
		for action, times := range happened {
			for range times {
				if err := store.AppendAudit(ctx, storage.NewAuditEvent(action, "user", hour.Add(time.Minute))); err != nil {
					return err
				}
			}
		}
	}
	return figures.Count(ctx, store, now)
}
