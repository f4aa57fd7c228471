package clients

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration written as text: Go's syntax plus d for days of 24 hours ("7d", "1d12h").
type Duration time.Duration

// MaxDuration is the longest that ParseDuration reads: a hundred years.
const MaxDuration = 36500 * day

const day = Duration(24 * time.Hour)

// ParseDuration reads Go's syntax plus a leading number of days. Nothing is shorter than zero.
func ParseDuration(s string) (Duration, error) {
	days, rest, hasDays := strings.Cut(s, "d")
	if !hasDays {
		days, rest = "0", s
	}
	n, err := strconv.ParseFloat(days, 64)
	// ParseFloat also reads signs, exponents, hexadecimal, infinities and NaN.
	if err != nil || strings.Trim(days, "0123456789.") != "" || n > MaxDuration.days() {
		return 0, errDuration(s)
	}
	d := Duration(math.Round(n * float64(day)))
	if hasDays && rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest, "+-") || Duration(more) > MaxDuration-d {
		return 0, errDuration(s)
	}
	return d + Duration(more), nil
}

func errDuration(s string) error {
	return fmt.Errorf("%q is not a duration like 90s, 15m, 12h or 30d", s)
}

func (d Duration) days() float64 { return float64(d) / float64(day) }

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String writes whole days as days, and no zero units at the end. ParseDuration reads it back.
func (d Duration) String() string {
	if d != 0 && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}
