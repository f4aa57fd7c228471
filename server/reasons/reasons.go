package reasons

// Reason is a stable code for operators that says why a request was refused.
type Reason string

// The reasons.
const (
	None           Reason = ""
	BadRequest     Reason = "bad_request"
	Client         Reason = "client_authentication_failed"
	Credentials    Reason = "bad_credentials"  // unknown user, wrong password or inactive user
	SecondFactor   Reason = "second_factor"    // the password was right, but is not enough
	StepUp         Reason = "login_not_recent" // what is asked for needs a login of the last minutes, or one with a second factor
	Throttled      Reason = "throttled"        // too many attempts
	Overload       Reason = "overload"         // the password pool's queue is full
	Malformed      Reason = "malformed_token"  // not issued by this server
	BadSignature   Reason = "bad_signature"    // the MAC or the signature is wrong
	WrongType      Reason = "wrong_token_type" // an access token where a refresh token belongs, …
	Expired        Reason = "token_expired"    // the token's own end
	UnknownGrant   Reason = "session_unknown"  // authentic, but there is no such session
	OtherClient    Reason = "issued_to_another_client"
	Retired        Reason = "token_retired"    // replaced by its successor, which has been used
	Superseded     Reason = "token_superseded" // a sibling was used instead
	Shared         Reason = "token_shared"     // used in two networks again and again
	Unsealed       Reason = "token_unsealed"   // signed with simplejwt's key, but not issued here, or not any more
	OtherUser      Reason = "issued_to_another_user"
	SessionIdle    Reason = "session_idle"
	SessionExpired Reason = "session_expired" // absolute end
	SessionRevoked Reason = "session_revoked" // see the grant's revoke_reason
	UserInactive   Reason = "user_inactive"
	UserRemoved    Reason = "user_removed"
	UserSessions   Reason = "user_sessions_ended" // password change, "log out everywhere"
	// PasswordChanged is for a token of simplejwt's, signed under CHECK_REVOKE_TOKEN before the password was changed in Django.
	PasswordChanged Reason = "password_changed"
	ClientDisabled  Reason = "client_disabled"
	ClientSessions  Reason = "client_sessions_ended"
	// Client assertions (RFC 7523): not what section 3 asks for; the client's keys are unavailable, or none fits; signed with a shared
	// secret; used before.
	Assertion       Reason = "bad_client_assertion"
	AssertionKey    Reason = "client_assertion_key"
	AssertionMAC    Reason = "client_secret_jwt_unsupported"
	AssertionReplay Reason = "client_assertion_replayed"
	// Proofs of possession (RFC 9449): not what section 4.3 asks for; used before; of another key than the token or code is bound to.
	Proof       Reason = "bad_dpop_proof"
	ProofReplay Reason = "dpop_proof_replayed"
	OtherKey    Reason = "bound_to_another_key"
	Object      Reason = "bad_request_object" // RFC 9101
	// Outside is for a user who is in none of the groups that a client requires.
	Outside      Reason = "user_not_in_required_group"
	DatabaseAway Reason = "database_unavailable"
	NotReady     Reason = "not_ready" // before the start is through, or while the clock is wrong
	Internal     Reason = "internal_error"
	// Ended is what a client sees instead of several others: see Public.
	Ended Reason = "token_ended"
)

// Public returns the reason that a client may see. A client that presents a dead token learns only that it is dead: the rest would tell a
// thief whether the owner has refreshed, was warned, or has changed the password.
func (r Reason) Public() Reason {
	switch r {
	case Retired, Superseded, Shared, Unsealed, OtherUser, OtherKey,
		SessionRevoked, UserSessions, ClientSessions:
		return Ended
	}
	return r
}
