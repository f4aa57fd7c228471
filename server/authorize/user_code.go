package authorize

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"latchkey/server/internal/mac"
	"latchkey/server/internal/request"
	"latchkey/storage"
)

// A user code is eight of twenty consonants: RFC 8628 §6.1 has this alphabet, in which no words are, and no two letters look alike. These
// are 34.5 bits: of 1,000 requests that wait, a guess meets one with a chance of 4·10⁻⁸.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

func newUserCode() string {
	code := make([]byte, 0, userCodeLength)
	var b [1]byte
	for len(code) < userCodeLength {
		rand.Read(b[:])
		if n := int(b[0]); n < 256/len(userCodeLetters)*len(userCodeLetters) { // otherwise the first letters would come more often
			code = append(code, userCodeLetters[n%len(userCodeLetters)])
		}
	}
	return string(code)
}

// shownUserCode returns a code as people read it: BCDF-GHJK.
func shownUserCode(code string) string {
	if len(code) != userCodeLength {
		return code
	}
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:]
}

// plainUserCode returns the letters of what a user has typed, in capitals: case, spaces and punctuation do not count (RFC 8628 §6.1).
func plainUserCode(typed string) string {
	const maxTyped = 100
	if len(typed) > maxTyped {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, typed)
}

func isUserCode(code string) bool {
	return len(code) == userCodeLength && strings.Trim(code, userCodeLetters) == ""
}

// userCodeMACs returns what is stored of a code: a MAC, since a hash of 34 bits is guessed in seconds. The first is that under the current
// key.
func (s *Service) userCodeMACs(code string) []storage.Digest {
	sums := make([]storage.Digest, len(s.userCodeKeys))
	for i, key := range s.userCodeKeys {
		sums[i] = mac.Sum(key, code)
	}
	return sums
}

// The limits for entering user codes (RFC 8628 §5.1): for one user, for one network, and for all together. A hundred users in a hundred
// networks who guess for a day find one of 1,000 waiting requests with a chance of about one percent; the last limit holds for any number.
const (
	codeUserBurst, codeUserInterval       = 10, 30 * time.Second
	codeNetworkBurst, codeNetworkInterval = 30, 10 * time.Second
	codeAllBurst, codeAllInterval         = 1000, 200 * time.Millisecond
)

// limitUserCodes takes one attempt, before the code is looked at: parallel requests get no more. It returns the buckets.
func (s *Service) limitUserCodes(ctx context.Context, userID int64) ([]storage.Bucket, error) {
	key := s.userCodeKeys[0]
	buckets := []storage.Bucket{
		{Key: mac.SumFramed(key, "user", strconv.FormatInt(userID, 10)), Burst: codeUserBurst, Interval: codeUserInterval},
		{Key: mac.SumFramed(key, "all"), Burst: codeAllBurst, Interval: codeAllInterval},
	}
	if network, ok := request.From(ctx).Network(); ok {
		buckets = slices.Insert(buckets, 1, storage.Bucket{Key: mac.SumFramed(key, "network", network), Burst: codeNetworkBurst, Interval: codeNetworkInterval})
	}
	return s.take(ctx, "limit user codes", "Too many codes were entered. Try again later.", buckets)
}
