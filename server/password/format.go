package password

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
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

func split(encoded string) (hashed, error) {
	name, rest, found := strings.Cut(encoded, "$")
	switch {
	case !found && len(encoded) == 32:
		return digest(unsaltedMD5, "", encoded, 16)
	case !found:
		return hashed{}, ErrUnknown
	case len(encoded) == 37 && strings.HasPrefix(encoded, "md5$$"):
		return digest(unsaltedMD5, "", encoded[5:], 16)
	case len(encoded) == 46 && strings.HasPrefix(encoded, "sha1$$"):
		return digest(unsaltedSHA1, "", encoded[6:], 20)
	}
	switch name {
	case "": // PHC, or bcrypt's crypt string
		if strings.HasPrefix(rest, "2") {
			return splitBcrypt(bcryptPlain, encoded)
		}
		return splitPHC(encoded)
	case "argon2":
		return splitPHC("$" + rest)
	case pbkdf2SHA256:
		return splitPBKDF2(pbkdf2SHA256, rest, 32)
	case pbkdf2SHA1:
		return splitPBKDF2(pbkdf2SHA1, rest, 20)
	case bcryptPlain, bcryptSHA256:
		return splitBcrypt(name, rest)
	case scryptName:
		return splitScrypt(rest)
	case desCrypt:
		return splitCrypt(rest)
	case md5Name, sha1Name:
		salt, tag, _ := strings.Cut(rest, "$")
		if salt == "" {
			return hashed{}, fmt.Errorf("%s: %w", name, errMalformed)
		}
		return digest(name, salt, tag, map[string]int{md5Name: 16, sha1Name: 20}[name])
	}
	return hashed{}, ErrUnknown
}

// digest parses an MD5 or SHA-1 tag in hex. It must be lower-case, since Django compares text.
func digest(algorithm, salt, tag string, length int) (hashed, error) {
	b, err := hex.DecodeString(tag)
	if err != nil || len(b) != length || strings.ToLower(tag) != tag {
		return hashed{}, fmt.Errorf("%s: %w", algorithm, errMalformed)
	}
	return hashed{Cost{Algorithm: algorithm}, []byte(salt), b}, nil
}

// splitPHC parses $argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>, base64 without padding. Version 0x10 has v=16, or no such field.
func splitPHC(encoded string) (hashed, error) {
	f := strings.Split(encoded, "$")
	if len(f) < 2 || f[1] != argon2id && f[1] != argon2i && f[1] != argon2d {
		return hashed{}, ErrUnknown
	}
	if len(f) == 5 {
		f = slices.Insert(f, 2, "v=16")
	}
	if len(f) != 6 || f[2] != "v=19" && f[2] != "v=16" {
		return hashed{}, fmt.Errorf("%s: %w", f[1], errMalformed)
	}
	name := f[1]
	if f[2] == "v=16" {
		name += argon2Old
	}
	var text [3]string
	rest := f[3]
	for i, name := range [...]string{"m=", "t=", "p="} {
		var ok bool
		text[i], rest, _ = strings.Cut(rest, ",")
		if text[i], ok = strings.CutPrefix(text[i], name); !ok {
			return hashed{}, fmt.Errorf("%s: %w", f[1], errMalformed)
		}
	}
	m, ok1 := number(text[0])
	t, ok2 := number(text[1])
	p, ok3 := number(text[2])
	salt, ok4 := decode(base64.RawStdEncoding, f[4])
	tag, ok5 := decode(base64.RawStdEncoding, f[5])
	// RFC 9106 §3.1 allows tags from 4 bytes, which can be guessed; software writes at least 16.
	sized := len(salt) >= 8 && len(salt) <= 64 && len(tag) >= 16 && len(tag) <= 64
	if rest != "" || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !sized {
		return hashed{}, fmt.Errorf("%s: %w", f[1], errMalformed)
	}
	return hashed{Cost{name, m, t, p}, salt, tag}, nil
}

// splitPBKDF2 parses <iterations>$<salt>$<tag>, base64 with padding.
func splitPBKDF2(algorithm, rest string, length int) (hashed, error) {
	f := strings.Split(rest, "$")
	if len(f) != 3 {
		return hashed{}, fmt.Errorf("%s: %w", algorithm, errMalformed)
	}
	n, ok1 := number(f[0])
	tag, ok2 := decode(base64.StdEncoding, f[2])
	if len(f[0]) > 9 && strings.Trim(f[0], "0123456789") == "" { // more than number reads
		return hashed{}, fmt.Errorf("%s: %w", algorithm, errTooExpensive)
	}
	if !ok1 || !ok2 || f[1] == "" || len(tag) != length {
		return hashed{}, fmt.Errorf("%s: %w", algorithm, errMalformed)
	}
	return hashed{Cost{Algorithm: algorithm, N: n}, []byte(f[1]), tag}, nil
}

// splitScrypt parses <N>$<salt>$<r>$<p>$<tag>, base64 with padding.
func splitScrypt(rest string) (hashed, error) {
	f := strings.Split(rest, "$")
	if len(f) != 5 {
		return hashed{}, fmt.Errorf("%s: %w", scryptName, errMalformed)
	}
	n, ok1 := number(f[0])
	r, ok2 := number(f[2])
	p, ok3 := number(f[3])
	tag, ok4 := decode(base64.StdEncoding, f[4])
	if !ok1 || !ok2 || !ok3 || !ok4 || f[1] == "" || len(tag) != 64 {
		return hashed{}, fmt.Errorf("%s: %w", scryptName, errMalformed)
	}
	return hashed{Cost{scryptName, n, r, p}, []byte(f[1]), tag}, nil
}

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// splitBcrypt parses $2b$12$<22 characters of salt><31 of tag>. The variants 2a, 2b and 2y indicate bugs of the programs
// that wrote them; the computation is the same.
func splitBcrypt(algorithm, s string) (hashed, error) {
	if len(s) != 60 || s[0] != '$' || s[1] != '2' || strings.IndexByte("aby", s[2]) < 0 || s[3] != '$' || s[6] != '$' ||
		strings.Trim(s[7:], bcryptAlphabet) != "" {
		return hashed{}, fmt.Errorf("%s: %w", algorithm, errMalformed)
	}
	n, ok := number(s[4:6])
	if !ok {
		return hashed{}, fmt.Errorf("%s: %w", algorithm, errMalformed)
	}
	return hashed{Cost{Algorithm: algorithm, N: n}, []byte(s[7:29]), []byte(s[29:])}, nil
}

// decode decodes base64 in its canonical form only; Go's decoder skips line breaks and ignores unused bits.
func decode(e *base64.Encoding, s string) ([]byte, bool) {
	b, err := e.DecodeString(s)
	return b, err == nil && e.EncodeToString(b) == s
}

// HasUnknownHasher reports whether a string has the form of a Django hash with an unsupported hasher, for example a project's own.
func HasUnknownHasher(encoded string) bool {
	name, rest, ok := strings.Cut(encoded, "$")
	return ok && name != "" && rest != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == "" &&
		errors.Is(Check(encoded), ErrUnknown)
}

// splitCrypt parses <salt>$<2 characters of salt><11 of tag>. Django writes the first salt as nothing, and reads only the second.
func splitCrypt(rest string) (hashed, error) {
	_, s, found := strings.Cut(rest, "$")
	if strings.HasPrefix(s, "$") { // as in /etc/shadow; Django makes none of these
		return hashed{}, fmt.Errorf("%s: only its traditional form, DES, is supported", desCrypt)
	}
	// The last character has four bits of the tag only.
	if !found || len(s) != 13 || strings.Trim(s, cryptAlphabet) != "" || strings.IndexByte(cryptAlphabet, s[12])%4 != 0 {
		return hashed{}, fmt.Errorf("%s: %w", desCrypt, errMalformed)
	}
	return hashed{Cost{Algorithm: desCrypt}, []byte(s[:2]), []byte(s[2:])}, nil
}
