package server

import (
	"context"

	"latchkey/server/simplejwt"
	"latchkey/server/simplejwt/codec"
	"latchkey/storage"
)

// simplejwtSettings returns the settings of the sessions of the compatibility routes.
func (s *Server) simplejwtSettings() simplejwt.Settings {
	c := s.cfg.SimpleJWT
	return simplejwt.Settings{
		Rotation: c.Rotation, RotationOverlap: c.RotationOverlap, OnReuse: c.OnReuse,
		AccessTokenLifetime: c.AccessTokenLifetime, RefreshTokenLifetime: c.RefreshTokenLifetime,
		SlidingTokenLifetime: c.SlidingTokenLifetime, SlidingTokenRefreshLifetime: c.SlidingTokenRefreshLifetime,
		Leeway: c.Leeway, Claims: c.Claims, Mapped: s.cfg.Claims, Adopt: c.SigningKey != "", AdoptUntil: c.AdoptUntil, Off: !c.Enabled,
		SealKeys: s.cfg.Root.Derive("simplejwt refresh seal"),
	}
}

// codecConfig returns the configuration of the codec of simplejwt's tokens.
func (s *Server) codecConfig() codec.Config {
	c := s.cfg.SimpleJWT
	cfg := codec.Config{
		Algorithm: c.Algorithm, Key: c.SigningKey,
		Sign: func(ctx context.Context, alg string) (codec.Signer, error) {
			signer, err := s.keys.Signer(ctx, alg)
			if err != nil {
				return codec.Signer{}, err
			}
			return codec.Signer{KID: signer.KID, Sign: signer.Sign}, nil
		},
		Verify: s.keys.VerifyContext,
		Issuer: c.Issuer, Audience: c.Audience, Leeway: c.Leeway,
		UserIDClaim: c.UserIDClaim, UserIDInteger: c.UserIDInteger, Compat: codec.Compat(c.Compat),
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
