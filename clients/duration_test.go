package clients_test

import (
	"encoding/json"
	"testing"
	"time"

	"latchkey/clients"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	good := map[string]time.Duration{
		"0": 0, "0s": 0, "0d": 0, "90s": 90 * time.Second, "15m": 15 * time.Minute, "1h30m": 90 * time.Minute,
		"7d": 7 * day, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "0.1d": 8640 * time.Second, "500ms": 500 * time.Millisecond,
		"36500d": 36500 * day, "876000h": 36500 * day,
	}
	for text, want := range good {
		if got, err := clients.ParseDuration(text); err != nil || got.Std() != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	bad := []string{
		"", "d", "s", "5", "1", "-1d", "+1d", "-5m", "+5m", "1d-1h", "1d+1h", "1d1d", "1h1d", "infd", "nand", "0x10d", "1e3d", "1_0d",
		"1.2.3d", ".d", "36501d", "36500d1s", "876001h", "99999999999999999999d", " 1d", "1d ", "1 d", "1D", "1w", "1d\x00",
	}
	for _, text := range bad {
		if got, err := clients.ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestDurationIsWrittenShort(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s": 0, "10m": 10 * time.Minute, "1h": time.Hour, "1h0m30s": time.Hour + 30*time.Second, "1h10m": 70 * time.Minute,
		"2d": 48 * time.Hour, "36h": 36 * time.Hour, "100ms": 100 * time.Millisecond, "10s": 10 * time.Second, "20h": 20 * time.Hour,
	} {
		if got := clients.Duration(d).String(); got != want {
			t.Errorf("%v is written as %q, want %q", d, got, want)
		}
	}
	raw, err := json.Marshal(clients.Policy{AccessTokenTTL: clients.Duration(15 * time.Minute), RotationOverlap: new(clients.Duration)})
	if want := `{"rotation_overlap":"0s","access_token_ttl":"15m"}`; err != nil || string(raw) != want {
		t.Errorf("%s, %v, want %s", raw, err, want)
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"7d", "1d12h", "1.5d", "-1d", "infd", "36500d", "1h0m30s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := clients.ParseDuration(text)
		if err != nil {
			return
		}
		if d < 0 || d > clients.MaxDuration {
			t.Fatalf("%q is read as %v", text, d)
		}
		if again, err := clients.ParseDuration(d.String()); err != nil || again != d {
			t.Fatalf("%q is %v, which is read as %v, %v", text, d, again, err)
		}
	})
}
