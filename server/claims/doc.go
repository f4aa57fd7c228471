// Package claims has the claims about users that tokens and the userinfo endpoint can tell (OpenID Connect Core §5).
package claims
