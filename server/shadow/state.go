package shadow

import "time"

// State is what a shadow has seen, as the file has it.
type State struct {
	Version int       `json:"version"`
	Began   time.Time `json:"began"`
	Saved   time.Time `json:"saved"`
	// Rotation is the policy of this server.
	Rotation    string                `json:"rotation"`
	Share       float64               `json:"share"`
	Routes      map[Route]*RouteCount `json:"routes"`
	Differences []*Difference         `json:"differences"`
	Reuse       Reuse                 `json:"reuse"`
	// DjangoRotates is set when Django was seen to answer a refresh with a new refresh token.
	DjangoRotates bool `json:"django_rotates"`
	// DjangoEnds is when the last refresh token that Django signed ends, of those that were seen.
	DjangoEnds time.Time `json:"django_ends,omitzero"`
	// Seen are the refresh tokens that were presented or issued.
	Seen []*Seen `json:"seen"`
	// Forgotten counts those that had to make room.
	Forgotten int64 `json:"forgotten"`
}

// RouteCount counts the requests of a route.
type RouteCount struct {
	Requests int64 `json:"requests"`
	// Compared were answered by Django and compared; Differ of them differed in a way that an application could notice.
	Compared int64 `json:"compared"`
	Differ   int64 `json:"differ"`
	// Dropped did not fit into the queue, Failed could not be rehearsed, Skipped had no answer to compare, by reason.
	Dropped int64            `json:"dropped"`
	Failed  int64            `json:"failed"`
	Skipped map[string]int64 `json:"skipped,omitempty"`
	// Own were answered by Latchkey, FellBack by Django because Latchkey failed.
	Own      int64 `json:"own"`
	FellBack int64 `json:"fell_back"`
}

// Difference counts one kind.
type Difference struct {
	Route    Route     `json:"route"`
	Kind     string    `json:"kind"`
	Detail   string    `json:"detail"`
	Breaks   bool      `json:"breaks"`
	Count    int64     `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Examples []Example `json:"examples"`
}

// Example is one occurrence.
type Example struct {
	At time.Time `json:"at"`
	// User is the user's id, if a token or an answer has it.
	User      string `json:"user,omitempty"`
	UserAgent string `json:"user_agent,omitempty"`
}

// Seen is a refresh token that was presented or issued: a keyed hash of its jti, and when.
type Seen struct {
	Hash string `json:"hash"`
	// Parent is that of the token that was presented to get it.
	Parent    string    `json:"parent,omitempty"`
	Presented time.Time `json:"presented,omitzero"`
	// Followed is when a token that was issued for it was first presented.
	Followed time.Time `json:"followed,omitzero"`
}

// Reuse is who would be logged out by a policy that retires refresh tokens.
type Reuse struct {
	// Confirmed: a token was presented after its successor had been used, beyond the overlap.
	Confirmed Broken `json:"confirmed"`
	// Strict: a token was presented twice.
	Strict Broken `json:"strict"`
}

// Broken counts the requests that a policy would have refused, and names the clients that sent them.
type Broken struct {
	Requests int64    `json:"requests"`
	Users    []Client `json:"users"`
}

// Client is a user with the application that was seen.
type Client struct {
	User      string    `json:"user"`
	UserAgent string    `json:"user_agent,omitempty"`
	Requests  int64     `json:"requests"`
	Last      time.Time `json:"last"`
}
