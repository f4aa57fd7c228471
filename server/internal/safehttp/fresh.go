package safehttp

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fresh returns how long the response may be used without fetching it again (RFC 9111 §4.2), within bounds; usual is for a
// response that does not say.
func (r *Response) Fresh(shortest, usual, longest time.Duration) time.Duration {
	return min(max(r.lifetime(usual), shortest), longest)
}

func (r *Response) lifetime(usual time.Duration) time.Duration {
	age, said := time.Duration(0), false
	for directive := range strings.SplitSeq(strings.Join(r.Header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			if seconds, ok := deltaSeconds(strings.Trim(value, `"`)); ok && !said {
				age, said = seconds, true
			}
		}
	}
	if said {
		spent, _ := deltaSeconds(r.Header.Get("Age"))
		return age - spent
	}
	date, err := http.ParseTime(r.Header.Get("Date"))
	if expires := r.Header.Get("Expires"); expires != "" && err == nil {
		end, err := http.ParseTime(expires)
		if err != nil {
			return 0 // RFC 9111 §5.3: what can't be parsed is stale
		}
		return end.Sub(date)
	}
	return usual
}

// deltaSeconds parses a number of seconds (RFC 9111 §1.2.2).
func deltaSeconds(text string) (time.Duration, bool) {
	const longest = 1 << 31
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(n, longest)) * time.Second, true
}
