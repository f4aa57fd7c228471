// Package claims has the claims about users that tokens and the userinfo endpoint tell (OpenID Connect Core §5): which there are, what
// each of them says, which scope asks for it, and where it may be released.
//
// A [Catalog] is made once, from what the operator has configured, and never changes. It knows nothing of clients or tokens.
package claims
