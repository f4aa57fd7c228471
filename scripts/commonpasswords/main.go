// Command commonpasswords writes the set of common passwords that server/users embeds. Its arguments are the file to write, the number of
// passwords, and lists of passwords, one a line, the most common first: the lists are taken in their order until there are so many.
// third_party/common-passwords says where the lists come from.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// minLength is that of passwords that users may choose, in characters: shorter ones need no list.
const minLength = 8

// The format is that of server/users: each password is 37 bits of the SHA-256 of its lower case. The first 13 are its bucket. The file
// begins with the number of passwords before each bucket, and their sum; then it has the last 24 bits of each password, in order. All of
// these have 3 bytes.
const buckets = 1 << 13

func main() {
	if err := write(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("usage: commonpasswords FILE NUMBER LIST [LIST …]")
	}
	most, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	set := make(map[string]bool, most)
	for _, list := range args[2:] {
		if err := add(set, most, list); err != nil {
			return err
		}
	}
	if len(set) < most {
		return fmt.Errorf("the lists have %d passwords of %d", len(set), most)
	}
	return os.WriteFile(args[0], encode(set), 0o644)
}

// add adds the passwords of a list until there are as many as there may be.
func add(set map[string]bool, most int, list string) error {
	f, err := os.Open(list)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() && len(set) < most {
		p := strings.ToLower(s.Text())
		if utf8.ValidString(p) && utf8.RuneCountInString(p) >= minLength {
			set[p] = true
		}
	}
	return s.Err()
}

func encode(set map[string]bool) []byte {
	values := make([]uint64, 0, len(set))
	for p := range set {
		sum := sha256.Sum256([]byte(p))
		values = append(values, binary.BigEndian.Uint64(sum[:])>>27)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	var out []byte
	put := func(v int) { out = append(out, byte(v>>16), byte(v>>8), byte(v)) }
	for bucket := range uint64(buckets + 1) {
		before, _ := slices.BinarySearch(values, bucket<<24)
		put(before)
	}
	for _, v := range values {
		put(int(v & 0xffffff))
	}
	return out
}
