package password

import (
	"fmt"
	"strconv"
	"strings"
)

// Argon2 is the cost of new hashes: argon2id, version 0x13 (RFC 9106).
type Argon2 struct {
	Memory  int // KiB
	Time    int // passes
	Threads int // lanes
}

// DefaultArgon2 is the minimum that OWASP's Password Storage Cheat Sheet recommends.
var DefaultArgon2 = Argon2{Memory: 19456, Time: 2, Threads: 1}

// ParseArgon2 parses the notation of String, such as "m=19456,t=2,p=1": each parameter once, in any order.
func ParseArgon2(s string) (Argon2, error) {
	var a Argon2
	for _, field := range strings.Split(s, ",") {
		name, value, _ := strings.Cut(field, "=")
		target := map[string]*int{"m": &a.Memory, "t": &a.Time, "p": &a.Threads}[name]
		n, ok := number(value)
		if target == nil || *target != 0 || !ok || n == 0 {
			return Argon2{}, fmt.Errorf("%q must be Argon2 parameters like %s", s, DefaultArgon2)
		}
		*target = n
	}
	if err := a.cost().check(); err != nil {
		return Argon2{}, fmt.Errorf("%q: %w", s, err)
	}
	return a, nil
}

// String returns the parameters in the notation of PHC strings.
func (a Argon2) String() string {
	return fmt.Sprintf("m=%d,t=%d,p=%d", a.Memory, a.Time, a.Threads)
}

func (a Argon2) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

func (a *Argon2) UnmarshalText(b []byte) (err error) {
	*a, err = ParseArgon2(string(b))
	return err
}

// Weak reports whether the parameters are cheaper than OWASP recommends. With more passes, less memory is enough.
func (a Argon2) Weak() bool {
	least := [...]int{1: 47104, 2: 19456, 3: 12288, 4: 9216, 5: 7168}
	return a.Time < 1 || a.Memory < least[min(a.Time, len(least)-1)]
}

func (a Argon2) cost() Cost {
	return Cost{Algorithm: argon2id, N: a.Memory, R: a.Time, P: a.Threads}
}

// number parses an unsigned decimal number below 10^9.
func number(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}
