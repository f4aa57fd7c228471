// Package security is the page where users manage their second factors: passkeys, applications that show codes, recovery codes, and the
// browsers that are remembered.
//
// The user who opens it has proved within the last ten minutes who they are, with a second factor if they have one (OWASP ASVS 7.5.1). Nothing is
// sent by mail from here: a change leaves an audit event, see [Handlers].
package security
