package simplejwt

import (
	"time"

	"latchkey/clients"
	"latchkey/server/claims"
)

// Settings are those of SIMPLE_JWT that concern sessions.
type Settings struct {
	Rotation             clients.Rotation
	RotationOverlap      *time.Duration // nil: that of the rotation
	OnReuse              clients.OnReuse
	SecondFactor         clients.PasswordGrantSecondFactor
	AccessTokenLifetime  time.Duration
	RefreshTokenLifetime time.Duration
	// SlidingTokenLifetime and SlidingTokenRefreshLifetime are for sliding tokens.
	SlidingTokenLifetime        time.Duration
	SlidingTokenRefreshLifetime time.Duration
	// Leeway is how far the clock of the issuer of a token may be off.
	Leeway time.Duration
	// Claims are added to every token, computed anew each time; they are of UserClaims.
	Claims []string
	// Mapped are the claims of the operator's map; nil means none.
	Mapped *claims.Catalog
	// Query and Hook, if not nil, say more about the user. AnswerClaims are claims that the answer of a login has too.
	Query        Query
	Hook         Hook
	AnswerClaims []string
	// Adopt accepts refresh and sliding tokens that Django signed with the shared key, until AdoptUntil; zero means for ever.
	Adopt      bool
	AdoptUntil time.Time
	// Record stores which tokens Django would accept on a way back, while it may.
	Record bool
	// SealKeys show that Latchkey has written a refresh token: the first makes seals, all check them. They are derived from the root
	// secret.
	SealKeys [][]byte
	// Off stops issuing tokens to the built-in client: its routes are not served.
	Off bool
}
