package token

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"latchkey/server/internal/request"
)

// maxUserClaims is the size in bytes of what one token says about its user: tokens travel in headers, which proxies limit to 8 or 16
// KiB, and jwt.MaxLength is what is read back.
const maxUserClaims = 8 << 10

// withClaims returns the JSON of a token's own claims with those about its user, whose names differ from them. More than maxUserClaims
// are left out, which the log says: the client asks at userinfo, and an application that finds no groups grants nothing.
func withClaims(ctx context.Context, own any, user map[string]any) (json.RawMessage, error) {
	payload, err := json.Marshal(own)
	if err != nil || len(user) == 0 {
		return payload, err
	}
	more, err := json.Marshal(user)
	if err != nil {
		return nil, fmt.Errorf("claims about the user: %w", err)
	}
	if len(more) > maxUserClaims {
		request.From(ctx).Event.Add(slog.Int("user_claims_left_out_bytes", len(more)))
		return payload, nil
	}
	return append(append(payload[:len(payload)-1], ','), more[1:]...), nil
}
