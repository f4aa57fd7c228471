package password

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxEncoded is the maximum length of a hash string. Django's column holds 128 characters.
const maxEncoded = 512

// Check returns an error if a hash string could never verify, because it is malformed, of an unknown algorithm or above the
// limits. The marker of a user without a usable password ("!…") is no error. The error never contains the string.
func Check(encoded string) error {
	_, err := parse(encoded)
	return err
}

// CostOf returns the cost of verifying a hash string, or false if it can't be verified.
func CostOf(encoded string) (Cost, bool) {
	h, err := parse(encoded)
	if err != nil || h.Algorithm == unusable {
		return Cost{}, false
	}
	return h.Cost, true
}

// Usable reports whether a password can be verified against a hash string.
func Usable(encoded string) bool {
	_, usable := CostOf(encoded)
	return usable
}

// ErrUnknown means that the format of a hash is not supported; it may be that of a project's custom hasher.
var ErrUnknown = errors.New("unknown format of password hash")

var errMalformed = errors.New("malformed")

// parse parses a hash string. Like Django it chooses the format by length and prefix for the unsalted ones, otherwise by the
// text before the first '$'. A string that starts with '$' is a PHC string.
func parse(encoded string) (hashed, error) {
	if encoded == "" || len(encoded) > maxEncoded || strings.IndexByte(encoded, 0) >= 0 || !utf8.ValidString(encoded) {
		return hashed{}, ErrUnknown // Postgres can't store NUL or invalid UTF-8
	}
	if encoded[0] == '!' {
		return hashed{Cost: Cost{Algorithm: unusable}}, nil
	}
	h, err := split(encoded)
	if err != nil {
		return hashed{}, err
	}
	if err := h.check(); err != nil {
		return hashed{}, err
	}
	return h, nil
}

// format is how the hash strings of an algorithm are written, after what they begin with.
type format struct {
	algorithm string
	// pattern has the groups n, r, p and v (the version of Argon2), salt and tag: as many characters as salts and tags may have.
	pattern *regexp.Regexp
	// salt and tag decode their groups.
	salt, tag func(string) ([]byte, error)
}

// formats are those of all algorithms by the text before the first '$', which is in the names of those that Django does not write so.
//
// RFC 9106 §3.1 allows tags of Argon2 from 4 bytes, which can be guessed; software writes at least 16. The variants 2a, 2b and 2y of bcrypt
// indicate bugs of the programs that wrote them; the computation is the same. Django writes the first salt of crypt as nothing, and reads only
// the second; the last character of its tag has four bits only.
var formats = map[string]format{
	"$" + argon2id: {argon2id, phc, raw, raw},
	"$" + argon2i:  {argon2i, phc, raw, raw},
	"$" + argon2d:  {argon2d, phc, raw, raw},
	pbkdf2SHA256:   {pbkdf2SHA256, whole(`(?<n>\d+)\$(?<salt>[^$]+)\$(?<tag>[^$=]{43}=)`), text, std},
	pbkdf2SHA1:     {pbkdf2SHA1, whole(`(?<n>\d+)\$(?<salt>[^$]+)\$(?<tag>[^$=]{27}=)`), text, std},
	scryptName:     {scryptName, whole(`(?<n>\d{1,9})\$(?<salt>[^$]+)\$(?<r>\d{1,9})\$(?<p>\d{1,9})\$(?<tag>[^$=]{86}==)`), text, std},
	bcryptPlain:    {bcryptPlain, crypt, text, text},
	bcryptSHA256:   {bcryptSHA256, crypt, text, text},
	desCrypt:       {desCrypt, whole(`[^$]*\$(?<salt>[./0-9A-Za-z]{2})(?<tag>[./0-9A-Za-z]{10}[.26AEIMQUYcgkosw])`), text, text},
	// Lower-case hex, since Django compares text.
	md5Name:  {md5Name, whole(`(?<salt>[^$]+)\$(?<tag>[0-9a-f]{32})`), text, hex.DecodeString},
	sha1Name: {sha1Name, whole(`(?<salt>[^$]+)\$(?<tag>[0-9a-f]{40})`), text, hex.DecodeString},
	"md5$$":  {unsaltedMD5, whole(`(?<tag>[0-9a-f]{32})`), text, hex.DecodeString},
	"sha1$$": {unsaltedSHA1, whole(`(?<tag>[0-9a-f]{40})`), text, hex.DecodeString},
}

var (
	phc   = whole(`(?:v=(?<v>16|19)\$)?m=(?<n>\d{1,9}),t=(?<r>\d{1,9}),p=(?<p>\d{1,9})\$(?<salt>[^$]{11,86})\$(?<tag>[^$]{22,86})`)
	crypt = whole(`\$2[aby]\$(?<n>\d\d)\$(?<salt>[./A-Za-z0-9]{22})(?<tag>[./A-Za-z0-9]{31})`)

	std, raw = canonical(base64.StdEncoding), canonical(base64.RawStdEncoding)
)

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile("^" + pattern + "$") }

// cutFormat returns what the format of a hash string is known by, and the rest of the string.
func cutFormat(encoded string) (begin, rest string) {
	name, rest, found := strings.Cut(encoded, "$")
	switch {
	case !found && len(encoded) == 32:
		return "md5$$", encoded
	case !found:
		return "", ""
	case len(encoded) == 37 && name == md5Name && rest[0] == '$', len(encoded) == 46 && name == sha1Name && rest[0] == '$':
		return name + "$$", rest[1:]
	case name == "" && strings.HasPrefix(rest, "2"): // bcrypt's crypt string
		return bcryptPlain, encoded
	case name == "" || name == "argon2": // PHC
		name, rest, _ = strings.Cut(rest, "$")
		return "$" + name, rest
	}
	return name, rest
}

func split(encoded string) (hashed, error) {
	begin, rest := cutFormat(encoded)
	f, ok := formats[begin]
	if !ok {
		return hashed{}, ErrUnknown
	}
	if _, s, _ := strings.Cut(rest, "$"); begin == desCrypt && strings.HasPrefix(s, "$") { // as in /etc/shadow; Django makes none of these
		return hashed{}, fmt.Errorf("%s: only its traditional form, DES, is supported", desCrypt)
	}
	groups := make(map[string]string)
	for i, value := range f.pattern.FindStringSubmatch(rest) {
		groups[f.pattern.SubexpNames()[i]] = value
	}
	salt, saltErr := f.salt(groups["salt"])
	tag, tagErr := f.tag(groups["tag"])
	if len(tag) == 0 || saltErr != nil || tagErr != nil {
		return hashed{}, fmt.Errorf("%s: %w", f.algorithm, errMalformed)
	}
	number := func(group string) int {
		n, _ := strconv.Atoi(groups[group]) // digits or nothing; the largest number if it is too large
		return n
	}
	h := hashed{Cost{f.algorithm, number("n"), number("r"), number("p")}, salt, tag}
	if h.isArgon2() && groups["v"] != "19" { // version 0x10 has v=16, or no such field
		h.Algorithm += argon2Old
	}
	return h, nil
}

func text(s string) ([]byte, error) { return []byte(s), nil }

// canonical returns a decoder of base64 in its canonical form only; Go's skips line breaks and ignores unused bits.
func canonical(e *base64.Encoding) func(string) ([]byte, error) {
	return func(s string) ([]byte, error) {
		b, err := e.DecodeString(s)
		if err == nil && e.EncodeToString(b) != s {
			err = errMalformed
		}
		return b, err
	}
}

// HasUnknownHasher reports whether a string has the form of a Django hash with an unsupported hasher, for example a project's own.
func HasUnknownHasher(encoded string) bool {
	name, rest, ok := strings.Cut(encoded, "$")
	return ok && name != "" && rest != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" &&
		errors.Is(Check(encoded), ErrUnknown)
}
