package trail

import (
	"maps"
	"slices"
)

// types are the types of events that operators follow, with the actions of their audit events.
var types = map[string][]string{
	"login":         {"login_succeeded"},
	"login.refused": {"login_failed"},
	"session.ended": {
		"session_revoked", "sessions_revoked", "client_sessions_ended", "user_sessions_ended", "browser_session_ended", "token_revoked", "consent_revoked",
	},
	"reuse.detected":    {"refresh_token_reused", "authorization_code_reused", "device_code_reused"},
	"client.registered": {"client_created", "client_registered"},
	"user.changed":      {"user_created", "user_updated", "user_disabled", "user_enabled", "user_removed", "password_changed", "account_changed"},
}

// Types returns the types of events, in order.
func Types() []string { return slices.Sorted(maps.Keys(types)) }

// Actions returns the actions of the events of a type.
func Actions(kind string) []string { return slices.Clone(types[kind]) }

// TypeOf returns the type of the events with an action; empty if they have none.
func TypeOf(action string) string {
	for name, actions := range types {
		if slices.Contains(actions, action) {
			return name
		}
	}
	return ""
}
