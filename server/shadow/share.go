package shadow

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// afterFailures in a row Latchkey is left alone for restFor.
	afterFailures = 3
	restFor       = 5 * time.Second
	// maxNames bounds the login names that are remembered with their users.
	maxNames = 100_000
)

// share is what a share of the users needs.
type share struct {
	mu       sync.Mutex
	subjects map[string]string // by login name
	failures int
	rest     time.Time
}

// bucket returns a number between 0 and 1 for a user, which never changes: a user who is in a share is in each larger one.
func bucket(subject string) float64 {
	sum := sha256.Sum256([]byte("latchkey share\x00" + subject))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

func (s *share) remember(name, subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subjects == nil || len(s.subjects) >= maxNames {
		s.subjects = map[string]string{}
	}
	s.subjects[name] = subject
}

func (s *share) resting(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.rest)
}

func (s *share) fail(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures++; s.failures >= afterFailures {
		s.failures, s.rest = 0, now.Add(restFor)
	}
}

func (s *share) succeed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = 0
}
