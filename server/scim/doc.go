// Package scim lets directories such as Entra ID and Okta provision users and groups: SCIM 2.0 (RFC 7643, RFC 7644) below /scim/v2. It
// translates: users are added, changed, disabled and removed by the operations of package users, as the commands and the API for operators do.
//
// It never makes an operator, never changes what an operator logs in with, unless the access token could do so at the API for operators,
// and never shows a password.
package scim
