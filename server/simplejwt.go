package server

import (
	"cmp"
	"context"
	"strings"

	"latchkey/server/keys"
	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/storage"
)

// simplejwtSettings returns the settings of the sessions of the compatibility routes.
func (s *Server) simplejwtSettings() simplejwt.Settings {
	c := &s.cfg.SimpleJWT
	settings := c.Settings
	settings.Adopt, settings.Record, settings.Off = c.SigningKey != "" || c.VerifyingKey != "", c.Blacklist != nil, !c.Enabled
	settings.Mapped, settings.Hook, settings.SealKeys = s.cfg.Claims, s.siteHook(), s.cfg.Root.Derive("simplejwt refresh seal")
	return settings
}

// codecConfig returns the configuration of the codec of simplejwt's tokens.
func (s *Server) codecConfig() codec.Config {
	c := s.cfg.SimpleJWT
	cfg := codec.Config{
		Algorithm: c.Algorithm, Key: c.SigningKey,
		Sign: s.signSimpleJWT, Verify: s.verifySimpleJWT,
		Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Leeway,
		UserIDClaim: c.UserIDClaim, UserIDInteger: c.UserIDInteger, Compat: codec.Compat(c.Compat),
	}
	if !c.symmetric() {
		cfg.Key = ""
		return cfg
	}
	if cfg.Key == "" {
		derived := s.cfg.Root.Derive("simplejwt signing key")
		cfg.Key = storage.Secret(derived[0])
		for _, retired := range derived[1:] {
			cfg.PreviousKeys = append(cfg.PreviousKeys, storage.Secret(retired))
		}
	}
	return cfg
}

// symmetric reports whether tokens are signed with a secret.
func (c *SimpleJWT) symmetric() bool { return strings.HasPrefix(c.Algorithm, "HS") }

// DjangoKey returns the key that Django signs with, or its public half; nil if none is configured, or if it is a secret. The error is a
// *keys.PEMError.
func (c *SimpleJWT) DjangoKey() (*keys.SharedKey, error) {
	text := cmp.Or(c.SigningKey.Reveal(), c.VerifyingKey)
	if text == "" || c.symmetric() {
		return nil, nil
	}
	return keys.ReadPEM(c.Algorithm, text)
}

// signSimpleJWT returns Django's key if it is here, else one of the server's own.
func (s *Server) signSimpleJWT(ctx context.Context, alg string) (codec.Signer, error) {
	if s.django != nil && s.django.CanSign() {
		return codec.Signer{KID: s.django.KID, Sign: s.django.Signer().Sign}, nil
	}
	signer, err := s.keys.Signer(ctx, alg)
	if err != nil {
		return codec.Signer{}, err
	}
	return codec.Signer{KID: signer.KID, Sign: signer.Sign}, nil
}

// verifySimpleJWT verifies with Django's key what names no key, as simplejwt does not. Tokens that name one of the server's own stay good
// when Django's key is configured or removed later.
func (s *Server) verifySimpleJWT(ctx context.Context, kid, alg string, input, signature []byte) error {
	if s.django != nil && (kid == "" || kid == s.django.KID) {
		return s.django.Verify(input, signature)
	}
	_, err := s.keys.VerifyContext(ctx, kid, alg, input, signature)
	return err
}
