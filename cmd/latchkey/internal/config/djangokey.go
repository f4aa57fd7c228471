package config

import (
	"errors"
	"strings"

	"latchkey/server"
	"latchkey/server/keys"
)

// validateDjangoKeys checks the keys that Django has against the algorithm.
func (s *Settings) validateDjangoKeys() (found Faults) {
	jwt := &s.Server.SimpleJWT
	fault := func(name, problem, remedy string) { found = append(found, Fault{s.subject(name), problem, remedy}) }
	symmetric := strings.HasPrefix(jwt.Algorithm, "HS")
	switch {
	case symmetric && keys.IsPEM(jwt.SigningKey.Reveal()): // RFC 8725 §3.1: a published key must not become a secret
		fault("simplejwt-signing-key", "is a key in PEM, and --simplejwt-algorithm is "+jwt.Algorithm, "Use the ALGORITHM that Django has, such as RS256.")
	case symmetric && jwt.VerifyingKey != "":
		fault("simplejwt-verifying-key", "is not used with --simplejwt-algorithm "+jwt.Algorithm, "Leave it out, or use the ALGORITHM that Django has, such as RS256.")
	}
	if symmetric {
		return found
	}
	signing, verifying := s.readKey("simplejwt-signing-key", server.SimpleJWT{SigningKey: jwt.SigningKey}, fault),
		s.readKey("simplejwt-verifying-key", server.SimpleJWT{VerifyingKey: jwt.VerifyingKey}, fault)
	switch {
	case signing != nil && !signing.CanSign():
		fault("simplejwt-signing-key", "is a public key", "Use the private key, or set --simplejwt-verifying-key (LATCHKEY_SIMPLEJWT_VERIFYING_KEY) to it instead.")
	case verifying != nil && verifying.CanSign():
		fault("simplejwt-verifying-key", "is a private key", "Use the public half: openssl pkey -in FILE -pubout.")
	case signing != nil && verifying != nil && signing.KID != verifying.KID:
		fault("simplejwt-verifying-key", "is not the public half of --simplejwt-signing-key", "Leave it out.")
	}
	return found
}

// readKey returns the one key of jwt; nil if there is none, or if it is not good.
func (s *Settings) readKey(name string, jwt server.SimpleJWT, fault func(name, problem, remedy string)) *keys.SharedKey {
	jwt.Algorithm = s.Server.SimpleJWT.Algorithm
	key, err := jwt.DjangoKey()
	if wrong, ok := errors.AsType[*keys.PEMError](err); ok {
		fault(name, wrong.Problem, wrong.Remedy)
	}
	return key
}
